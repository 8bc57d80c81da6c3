//! Items: blocks and attributes, and the bodies that hold them.

use lang_diagnostics::Spanned;

use super::forms::{form, spread_item};
use super::mistakes;
use super::recovery::{
    Until, body_follows, close, closes_on_line, contains_blocks, report, skip, skip_group,
};
use super::strings::{string_text, template};
use super::tokens::{Bracket, DEPTH_LIMIT, Lexeme, Parsed, Tokens};
use super::values::{begins_value, too_deep, value_or_invalid};
use crate::ast::{Attribute, Block, Item, Value, ValueKind};
use crate::token::TokenKind;

/// Items up to a closing bracket of something that is open, or the end of the file. Never fails. `opening` is the
/// bracket around them.
pub(super) fn items(input: Tokens<'_>, opening: Option<Lexeme>) -> (Tokens<'_>, Vec<Item>) {
    let collected = input.context.items.begin();
    let rest = collect_items(input, opening);
    (rest, input.context.items.end(collected))
}

/// Collects the items of one body in the context.
fn collect_items(mut input: Tokens<'_>, opening: Option<Lexeme>) -> Tokens<'_> {
    loop {
        let next = input.peek(0);
        match next.kind {
            TokenKind::End => return input,
            _ if opening.is_some_and(|opening| input.context.shows_closing(opening, next)) => return input,
            kind if kind.opening().is_some() => {
                if input.closes_outer(kind) {
                    return input;
                }
                mistakes::stray_bracket(input);
                input.context.skipped(input.last_end, next.start);
                let rest = input.advance();
                let header = rest.peek(0).kind.is_word() && opens_block(rest.advance());
                input = if header || rest.at_item() { rest } else { comma(skip(rest, Until::ITEM)) };
            }
            TokenKind::Comma => {
                mistakes::unexpected(input, "expected an item");
                input = input.advance();
            }
            _ => {
                input = match item(input) {
                    Ok((rest, item)) => {
                        input.context.items.push(item);
                        end_of_item(rest)
                    }
                    Err(error) => {
                        let rest = report(error, input);
                        let rest = if rest.is_at(&input) { rest.advance() } else { rest };
                        comma(skip(rest, Until::ITEM))
                    }
                };
            }
        }
    }
}

/// Consumes what separates an item from the next one.
pub(super) fn end_of_item(input: Tokens<'_>) -> Tokens<'_> {
    let next = input.peek(0);
    let separated = next.on_new_line
        || matches!(next.kind, TokenKind::Comma | TokenKind::End)
        || next.kind.opening().is_some();
    if separated {
        return comma(input);
    }
    if next.kind == TokenKind::Unknown && input.text(next) == ";" {
        mistakes::semicolon(input);
        return input.advance();
    }
    mistakes::missing_separator(input);
    let header = next.kind.is_word() && opens_block(input.advance());
    if header || input.at_item() { input } else { comma(skip(input, Until::ITEM)) }
}

fn comma(input: Tokens<'_>) -> Tokens<'_> {
    let next = input.peek(0);
    if next.kind == TokenKind::Comma && !next.on_new_line { input.advance() } else { input }
}

/// One item. The first two tokens decide its form.
fn item<'a>(input: Tokens<'a>) -> Parsed<'a, Item> {
    let first = input.peek(0);
    let documentation = input.context.documentation(input.last_end, first);
    match first.kind {
        TokenKind::Spread => spread_item(input, documentation),
        kind if kind.is_reserved() => form(input, documentation),
        _ => declaration(input, documentation),
    }
}

/// A block or an attribute.
pub(super) fn declaration<'a>(
    input: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> Parsed<'a, Item> {
    let first = input.peek(0);
    let second = input.advance().continuation();
    if first.kind == TokenKind::String {
        return match second {
            Some(TokenKind::Equals) => Ok(attribute(input, input.advance().advance(), documentation)),
            Some(TokenKind::Colon) => Ok(attribute(input, behind_colon(input.advance()), documentation)),
            Some(_) | None => Err(mistakes::string_as_item(input)),
        };
    }
    if !first.kind.is_word() {
        return Err(mistakes::no_item(input));
    }
    let after = input.advance();
    match second {
        Some(TokenKind::Equals) => Ok(attribute(input, after.advance(), documentation)),
        // `x == 1`: a comparison is no item.
        Some(TokenKind::Comparison) => {
            mistakes::unexpected(after, "expected `=`");
            Ok(attribute(input, after.advance(), documentation))
        }
        // `service: web { … }`: nothing else has a name and a brace behind the colon.
        Some(TokenKind::Colon) if names_block(after.advance()) => {
            mistakes::colon_in_block(input, after);
            let label = name_of(after.advance());
            Ok(block(input, Some(label), after.advance().advance(), documentation))
        }
        Some(TokenKind::Colon) => Ok(attribute(input, behind_colon(after), documentation)),
        // `service "http" "cart" { … }`
        Some(_)
            if has_label(after) && has_label(after.advance()) && opens_block(after.advance().advance()) =>
        {
            let second = after.advance();
            mistakes::two_labels(input, second);
            Ok(block(input, Some(name_of(second)), second.advance(), documentation))
        }
        Some(TokenKind::OpenBrace) => Ok(block(input, None, after, documentation)),
        Some(TokenKind::UnclosedString) if body_follows(input, after.advance()) => {
            let label = string_text(after, after.peek(0));
            let label =
                Spanned::new(label.trim_end_matches([' ', '{']).to_owned(), input.span(after.peek(0)));
            Ok(block(input, Some(label), after.advance(), documentation))
        }
        Some(_) if has_label(after) && after.advance().continuation() == Some(TokenKind::Equals) => {
            Ok(labelled(input, after, documentation))
        }
        Some(TokenKind::String) if !opens_block(after.advance()) && !body_follows(input, after.advance()) => {
            mistakes::missing_equals(input);
            Ok(attribute(input, after, documentation))
        }
        Some(kind) if kind.is_word() || kind == TokenKind::String => {
            let label = name_of(after);
            Ok(block(input, Some(label), after.advance(), documentation))
        }
        Some(TokenKind::Literal) if opens_block(after.advance()) => {
            mistakes::label_begins_with_digit(after);
            let label = Spanned::new(input.text(after.peek(0)).to_owned(), input.span(after.peek(0)));
            Ok(block(input, Some(label), after.advance(), documentation))
        }
        Some(TokenKind::Literal) if input.text(first) == "language" => Err(mistakes::late_language(input)),
        Some(TokenKind::TemplateHead) if opens_or_equals(skip_group(after)) => {
            let (rest, value) = template(after)?;
            input.context.expands.set(true);
            let label = Spanned::new(String::new(), value.span);
            let (rest, item) = if rest.continuation() == Some(TokenKind::Equals) {
                short(input, label, rest.advance(), documentation)
            } else {
                block(input, Some(label), rest, documentation)
            };
            Ok((rest, interpolated(item, value)))
        }
        Some(kind) if begins_value(kind) => {
            mistakes::missing_equals(input);
            Ok(attribute(input, after, documentation))
        }
        None if opens_block(after) || body_follows(input, after) => {
            Ok(block(input, None, after, documentation))
        }
        Some(TokenKind::Unknown) if body_follows(input, after.advance()) => {
            Ok(block(input, None, after, documentation))
        }
        Some(_) | None => Err(mistakes::incomplete_item(input)),
    }
}

/// `kind label = …`. What can be no value there is the body of a block that lacks a brace.
fn labelled<'a>(
    input: Tokens<'a>,
    label: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> (Tokens<'a>, Item) {
    let behind = label.advance().advance();
    let items = behind.at_item() && body_follows(input, behind);
    if items || (opens_block(behind) && contains_blocks(behind)) {
        return block(input, Some(name_of(label)), label.advance(), documentation);
    }
    if closes_on_line(label) && input.context.lacks_opening(TokenKind::OpenBrace) {
        return block(input, None, label, documentation);
    }
    short(input, name_of(label), behind, documentation)
}

/// `kind label = value`, from behind the `=`.
fn short<'a>(
    kind: Tokens<'a>,
    label: Spanned<String>,
    input: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> (Tokens<'a>, Item) {
    let (rest, value) = assigned(input);
    let name = Spanned::new(String::new(), kind.span(kind.peek(0)));
    let span = rest.span_from(kind.peek(0).start);
    let body = vec![Item::Attribute(Attribute { name, value, documentation: None, span })];
    let block = Block {
        kind: name_of(kind),
        label: Some(label),
        interpolated: None,
        body,
        short: true,
        documentation,
        span,
    };
    (rest, Item::Block(block))
}

/// Whether a block's body or its value follows.
fn opens_or_equals(input: Tokens<'_>) -> bool {
    opens_block(input) || input.continuation() == Some(TokenKind::Equals)
}

/// The block with a label that has interpolations.
fn interpolated(item: Item, label: Value) -> Item {
    match item {
        Item::Block(block) => Item::Block(Block { interpolated: Some(Box::new(label)), ..block }),
        Item::Attribute(_) | Item::Form(_) => item,
    }
}

/// Where the value begins behind a `:` that was to be `=`, which is reported.
fn behind_colon(input: Tokens<'_>) -> Tokens<'_> {
    mistakes::colon(input);
    let rest = input.advance();
    // `name := value`
    if rest.continuation() == Some(TokenKind::Equals) { rest.advance() } else { rest }
}

/// Whether a label may stand here.
fn has_label(input: Tokens<'_>) -> bool {
    input.continuation().is_some_and(|kind| kind.is_word() || kind == TokenKind::String)
}

/// Whether a name and an opening brace stand here, on one line.
fn names_block(input: Tokens<'_>) -> bool {
    let [name, brace] = [input.peek(0), input.peek(1)];
    (name.kind.is_word() || name.kind == TokenKind::String)
        && brace.kind == TokenKind::OpenBrace
        && !name.on_new_line
        && !brace.on_new_line
}

fn opens_block(input: Tokens<'_>) -> bool {
    input.peek(0).kind == TokenKind::OpenBrace
}

/// `name = value`, from behind the `=`.
fn attribute<'a>(
    name: Tokens<'a>,
    input: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> (Tokens<'a>, Item) {
    let start = name.peek(0).start;
    let (rest, value) = assigned(input);
    let attribute = Attribute { name: name_of(name), value, documentation, span: rest.span_from(start) };
    (rest, Item::Attribute(attribute))
}

/// The value behind `=`.
fn assigned(input: Tokens<'_>) -> (Tokens<'_>, Value) {
    let (rest, mut value) = value_or_invalid(input);
    if rest.continuation() == Some(TokenKind::Unknown) {
        // An operator that does not exist, which will be reported: what stands before it is no value by itself.
        value.kind = ValueKind::Invalid;
    }
    (rest, value)
}

/// `kind label { … }`, from the opening brace.
fn block<'a>(
    kind: Tokens<'a>,
    label: Option<Spanned<String>>,
    input: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> (Tokens<'a>, Item) {
    let start = kind.peek(0).start;
    let deep = kind.depth() >= DEPTH_LIMIT;
    let (rest, body) = if opens_block(input) {
        if input.peek(0).on_new_line {
            mistakes::brace_on_next_line(input);
        }
        if deep { (too_deep(input), Vec::new()) } else { braces(input) }
    } else {
        let rest = mistakes::missing_braces(input, kind);
        if deep {
            (rest, Vec::new())
        } else if opens_block(rest) {
            braces(rest)
        } else if body_follows(kind, rest) {
            unopened(rest, kind.peek(0))
        } else {
            (rest, Vec::new())
        }
    };
    if input.context.slice(start, kind.peek(0).end) == "defaults" {
        input.context.expands.set(true);
    }
    let block = Block {
        kind: name_of(kind),
        label,
        interpolated: None,
        body,
        short: false,
        documentation,
        span: rest.span_from(start),
    };
    (rest, Item::Block(block))
}

/// `{ items }`
pub(super) fn braces(outer: Tokens<'_>) -> (Tokens<'_>, Vec<Item>) {
    let opening = outer.peek(0);
    let (rest, body) = items(outer.advance().inside(Bracket::Brace), Some(opening));
    (close(rest, opening, TokenKind::CloseBrace).outside(outer), body)
}

/// `items }`, after a missing `{` was reported.
fn unopened<'a>(outer: Tokens<'a>, kind: Lexeme) -> (Tokens<'a>, Vec<Item>) {
    outer.context.missing_opening(TokenKind::OpenBrace);
    let (rest, body) = items(outer.inside(Bracket::Brace), Some(kind));
    let rest = if rest.peek(0).kind == TokenKind::CloseBrace { rest.advance() } else { rest };
    (rest.outside(outer), body)
}

/// `{ name = value, … }` in value position: a body in which blocks are mistakes.
pub(super) fn attributes(outer: Tokens<'_>) -> (Tokens<'_>, Vec<Attribute>) {
    let (rest, body) = braces(outer);
    for item in &body {
        match item {
            Item::Block(block) => mistakes::block_in_record(outer, block),
            Item::Form(form) => mistakes::form_in_record(outer, form),
            Item::Attribute(_) => {}
        }
    }
    (rest, body.into_iter().filter_map(attribute_of).collect())
}

/// The attribute that an item in a record is or was meant to be.
fn attribute_of(item: Item) -> Option<Attribute> {
    match item {
        Item::Attribute(attribute) => Some(attribute),
        Item::Form(_) => None,
        Item::Block(block) => {
            let entries = block.body.into_iter().filter_map(attribute_of).collect();
            let kind = if block.label.is_some() { ValueKind::Invalid } else { ValueKind::Record(entries) };
            let value = Value { kind, span: block.span };
            Some(Attribute { name: block.kind, value, documentation: block.documentation, span: block.span })
        }
    }
}

/// The name that the next lexeme, a word or a string without interpolation, stands for.
pub(super) fn name_of(input: Tokens<'_>) -> Spanned<String> {
    let lexeme = input.peek(0);
    let text = match lexeme.kind {
        TokenKind::String => string_text(input, lexeme),
        TokenKind::ForeignName => {
            mistakes::unquoted_name(input);
            input.text(lexeme).to_owned()
        }
        _ => input.text(lexeme).to_owned(),
    };
    Spanned::new(text, input.span(lexeme))
}
