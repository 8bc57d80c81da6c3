//! Values: operators, literals, paths, lists and records.

use nom::Parser;
use nom::sequence::preceded;

use super::items::{attributes, name_of};
use super::mistakes;
use super::operators::value;
use super::recovery::{Until, close, report, skip, skip_group};
use super::strings::{raw_string, string_text, template};
use super::tokens::{Bracket, DEPTH_LIMIT, Lexeme, Parsed, Tokens, token};
use crate::ast::{Path, StringPart, Value, ValueKind};
use crate::literal::classify;
use crate::token::TokenKind;

/// `instance` or `instance -> instance`.
pub(super) fn call<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let (rest, left) = instance(input)?;
    call_from(rest, left)
}

/// The same from behind the first instance.
pub(super) fn call_from(rest: Tokens<'_>, left: Value) -> Parsed<'_, Value> {
    if rest.continuation() != Some(TokenKind::Arrow) {
        return Ok((rest, left));
    }
    let (rest, right) = preceded(token(TokenKind::Arrow), instance).parse(rest)?;
    if rest.continuation() == Some(TokenKind::Arrow) {
        return Err(mistakes::chained(
            rest,
            "->",
            "a call has one caller and one callee: write a list of calls",
        ));
    }
    let span = left.span.to(right.span);
    Ok((rest, Value { kind: ValueKind::Arrow(Box::new(left), Box::new(right)), span }))
}

/// `primary` or `primary in primary`.
fn instance<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let (rest, left) = primary(input)?;
    instance_from(rest, left)
}

/// The same from behind the first primary.
pub(super) fn instance_from(rest: Tokens<'_>, left: Value) -> Parsed<'_, Value> {
    if rest.continuation() != Some(TokenKind::In) {
        return Ok((rest, left));
    }
    let (rest, right) = preceded(token(TokenKind::In), same_item).parse(rest)?;
    if rest.continuation() == Some(TokenKind::In) {
        return Err(mistakes::chained(rest, "in", "`in` names one cluster: write a list of instances"));
    }
    let span = left.span.to(right.span);
    Ok((rest, Value { kind: ValueKind::In(Box::new(left), Box::new(right)), span }))
}

/// A primary that has to begin before the item ends.
fn same_item<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    match input.continuation() {
        Some(_) => primary(input),
        None => Err(mistakes::missing_value(input)),
    }
}

/// What `for` goes over: a form that a block's braces may follow, so no record with a tag.
pub(super) fn source<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    match input.continuation() {
        Some(TokenKind::OpenBracket) => nested(input, list),
        Some(TokenKind::OpenParenthesis) => nested(input, group),
        Some(TokenKind::String) if input.peek(1).kind == TokenKind::Dot => path(input),
        Some(kind) if kind.begins_path() && !is_not(input) => path(input),
        Some(_) => Err(mistakes::no_list(input)),
        None => Err(mistakes::missing_value(input)),
    }
}

/// Whether the next name is `not`, which no path begins with.
fn is_not(input: Tokens<'_>) -> bool {
    input.peek(0).kind == TokenKind::Name && input.text(input.peek(0)) == "not"
}

/// Everything without an operator. The first two tokens decide.
pub(super) fn primary<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let first = input.peek(0);
    if input.at_item_line() {
        return Err(mistakes::missing_value(input));
    }
    let here = |kind: ValueKind| Ok((input.advance(), Value { kind, span: input.span(first) }));
    match first.kind {
        TokenKind::True => here(ValueKind::Boolean(true)),
        TokenKind::False => here(ValueKind::Boolean(false)),
        TokenKind::Literal => here(literal(input)),
        TokenKind::String if input.peek(1).kind == TokenKind::Dot => path(input),
        TokenKind::String | TokenKind::UnclosedString => {
            here(ValueKind::String(text_parts(string_text(input, first))))
        }
        TokenKind::RawString | TokenKind::UnclosedRaw => {
            here(ValueKind::String(text_parts(raw_string(input))))
        }
        TokenKind::TemplateHead => nested(input, template),
        TokenKind::OpenBracket => nested(input, list),
        TokenKind::OpenBrace => nested(input, record),
        TokenKind::OpenParenthesis => nested(input, group),
        TokenKind::For | TokenKind::If => Err(mistakes::no_operand(input)),
        TokenKind::Name if is_not(input) => Err(mistakes::no_operand(input)),
        kind if kind.begins_path() => {
            let second = input.peek(1);
            if second.kind == TokenKind::OpenBrace && !(input.lines && second.on_new_line) {
                nested(input, tagged)
            } else {
                path(input)
            }
        }
        _ => Err(mistakes::no_value(input)),
    }
}

/// A string without interpolation; the empty string has no parts.
fn text_parts(text: String) -> Vec<StringPart> {
    if text.is_empty() { Vec::new() } else { vec![StringPart::Text(text)] }
}

fn literal(input: Tokens<'_>) -> ValueKind {
    match classify(input.text(input.peek(0))) {
        Ok(literal) => ValueKind::Literal(literal),
        Err(malformed) => {
            mistakes::malformed_literal(input, malformed);
            ValueKind::Invalid
        }
    }
}

/// `name.segment."quoted segment"`
fn path<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let start = input.peek(0).start;
    let mut segments = vec![name_of(input)];
    let mut rest = input.advance();
    while rest.continuation() == Some(TokenKind::Dot) {
        let after = rest.advance();
        match after.continuation() {
            Some(kind) if kind.is_word() || kind == TokenKind::String => segments.push(name_of(after)),
            Some(_) | None => return Err(mistakes::incomplete_path(after)),
        }
        rest = after.advance();
    }
    let span = rest.span_from(start);
    Ok((rest, Value { kind: ValueKind::Path(Path { segments }), span }))
}

/// Goes one bracket deeper, or jumps over the whole bracket if that is too deep.
fn nested<'a>(input: Tokens<'a>, form: fn(Tokens<'a>) -> Parsed<'a, Value>) -> Parsed<'a, Value> {
    if input.depth() < DEPTH_LIMIT {
        return form(input);
    }
    let rest = too_deep(input);
    let span = rest.span_from(input.peek(0).start);
    Ok((rest, Value { kind: ValueKind::Invalid, span }))
}

/// Reports that brackets nest too deeply at the next lexeme and jumps over it and its bracket.
pub(super) fn too_deep(input: Tokens<'_>) -> Tokens<'_> {
    mistakes::too_deep(input);
    let rest = skip_group(input);
    input.context.quiet(rest.peek(0));
    rest
}

/// `{ name = value, … }`
fn record<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let start = input.peek(0).start;
    let (rest, entries) = attributes(input);
    Ok((rest, Value { kind: ValueKind::Record(entries), span: rest.span_from(start) }))
}

/// `word { name = value, … }`
fn tagged<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let start = input.peek(0).start;
    let tag = name_of(input);
    let (rest, entries) = attributes(input.advance());
    Ok((rest, Value { kind: ValueKind::Tagged(Box::new(tag), entries), span: rest.span_from(start) }))
}

/// `( value )`
fn group<'a>(outer: Tokens<'a>) -> Parsed<'a, Value> {
    let opening = outer.peek(0);
    outer.context.expands.set(true);
    let (rest, inner) = value(outer.advance().inside(Bracket::Parenthesis))?;
    let rest = close(rest, opening, TokenKind::CloseParenthesis);
    let span = rest.span_from(opening.start);
    Ok((rest.outside(outer), Value { kind: ValueKind::Group(Box::new(inner)), span }))
}

/// `...value`, from the dots.
pub(super) fn spread<'a>(input: Tokens<'a>) -> Parsed<'a, Value> {
    let start = input.peek(0).start;
    input.context.expands.set(true);
    let after = input.advance();
    if after.continuation().is_none() {
        return Err(mistakes::missing_value(after));
    }
    let (rest, inner) = value(after)?;
    Ok((rest, Value { kind: ValueKind::Spread(Box::new(inner)), span: rest.span_from(start) }))
}

/// `[ value, … ]`; a mistake in one element costs that element.
fn list<'a>(outer: Tokens<'a>) -> Parsed<'a, Value> {
    let opening = outer.peek(0);
    let mut input = outer.advance().inside(Bracket::List);
    let elements = outer.context.elements.begin();
    let mut comma_missed = false;
    let mut closed_otherwise = false;
    loop {
        let next = input.peek(0);
        match next.kind {
            TokenKind::End => break,
            kind if kind.opening().is_some() => {
                if kind == TokenKind::CloseBracket || input.closes_outer(kind) {
                    break;
                }
                mistakes::stray_bracket(input);
                input = input.advance();
                continue;
            }
            TokenKind::Comma => {
                mistakes::unexpected(input, "expected a value");
                input = input.advance();
                continue;
            }
            _ if input.at_item_line() || input.context.shows_closing(opening, next) => break,
            _ => {}
        }
        let (rest, element) = element(input);
        input.context.elements.push(element);
        input = rest;
        let next = input.peek(0);
        match next.kind {
            TokenKind::Comma => input = input.advance(),
            TokenKind::CloseParenthesis if closes_instead(input, opening) => {
                closed_otherwise = true;
                break;
            }
            kind if kind == TokenKind::End || kind.opening().is_some() => {}
            _ if input.at_item_or_block_line() || input.context.shows_closing(opening, next) => break,
            _ => {
                if !comma_missed {
                    mistakes::missing_comma(input);
                }
                comma_missed = true;
                if !begins_value(next.kind) {
                    input = skip(input, Until::COMMA);
                    if input.peek(0).kind == TokenKind::Comma {
                        input = input.advance();
                    }
                }
            }
        }
    }
    let rest = if closed_otherwise {
        mistakes::other_bracket(input, opening);
        input.advance()
    } else {
        close(input, opening, TokenKind::CloseBracket)
    };
    let span = rest.span_from(opening.start);
    let elements = outer.context.elements.end(elements);
    Ok((rest.outside(outer), Value { kind: ValueKind::List(elements), span }))
}

/// Whether a closing bracket of another kind, which closes nothing else, is in the place of the one that `opening` lacks.
fn closes_instead(input: Tokens<'_>, opening: Lexeme) -> bool {
    !input.closes_outer(input.peek(0).kind) && input.context.lacks_closing(opening.kind)
}

/// One element; never fails, and consumes at least one lexeme.
fn element(input: Tokens<'_>) -> (Tokens<'_>, Value) {
    let start = input.peek(0).start;
    let parsed = if input.peek(0).kind == TokenKind::Spread { spread(input) } else { value(input) };
    match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let rest = report(error, input);
            let rest = skip(rest, Until::COMMA);
            let rest = if rest.is_at(&input) { rest.advance() } else { rest };
            (rest, Value { kind: ValueKind::Invalid, span: rest.span_from(start) })
        }
    }
}

/// Whether a value may begin with a token of this kind.
pub(super) fn begins_value(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Literal
            | TokenKind::String
            | TokenKind::RawString
            | TokenKind::TemplateHead
            | TokenKind::UnclosedString
            | TokenKind::OpenBracket
            | TokenKind::OpenBrace
            | TokenKind::OpenParenthesis
            | TokenKind::Spread
    ) || (kind.is_word() && kind != TokenKind::In)
}

/// The value behind `=`. Never fails: what cannot be parsed is reported, skipped, and [`ValueKind::Invalid`].
pub(super) fn value_or_invalid(input: Tokens<'_>) -> (Tokens<'_>, Value) {
    or_invalid(input, value)
}

/// What `form` reads, or [`ValueKind::Invalid`] after a report.
pub(super) fn or_invalid<'a>(
    input: Tokens<'a>,
    form: fn(Tokens<'a>) -> Parsed<'a, Value>,
) -> (Tokens<'a>, Value) {
    let start = input.peek(0).start;
    match form(input) {
        Ok(parsed) => parsed,
        Err(error) => {
            let rest = skip(report(error, input), Until::ITEM);
            let span = if rest.is_at(&input) {
                input.context.span(input.last_end, input.last_end)
            } else {
                rest.span_from(start)
            };
            (rest, Value { kind: ValueKind::Invalid, span })
        }
    }
}
