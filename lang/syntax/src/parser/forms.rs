//! Items that begin with a word of the language: `use`, `let`, `input`, `for`, `template`, `apply`, `override`, `assert`.

use lang_diagnostics::Spanned;
use nom::Err;

use super::items::{braces, declaration, name_of};
use super::mistakes;
use super::operators::value;
use super::recovery::close;
use super::strings::string_text;
use super::tokens::{Bracket, DEPTH_LIMIT, Mistake, Parsed, Tokens};
use super::values::{or_invalid, source, too_deep, value_or_invalid};
use crate::ast::{
    Apply, Argument, Assert, Attribute, For, Form, FormKind, Item, Let, Parameter, Path, Selected, Source,
    Template, Type, TypeKind, Use, Value, ValueKind,
};
use crate::token::TokenKind;

type Step<'a, T> = Result<T, Err<Mistake<'a>>>;

/// The item that begins with a word of the language.
pub(super) fn form<'a>(input: Tokens<'a>, documentation: Option<Box<Spanned<String>>>) -> Parsed<'a, Item> {
    let first = input.peek(0);
    input.context.expands.set(true);
    let after = input.advance();
    let (rest, kind) = match first.kind {
        TokenKind::Use => import(after)?,
        TokenKind::Let => binding(after)?,
        TokenKind::Input => {
            let (rest, parameter) = parameter(after)?;
            (rest, FormKind::Input(parameter))
        }
        TokenKind::For => repetition(after)?,
        TokenKind::Template => template(after)?,
        TokenKind::Apply => application(after)?,
        TokenKind::Assert => assertion(after)?,
        _ => {
            if after.continuation().is_none_or(TokenKind::is_reserved) {
                return Err(mistakes::nothing_overridden(after));
            }
            let (rest, item) = declaration(after, None)?;
            (rest, FormKind::Override(item))
        }
    };
    let form = Form { kind, documentation, span: rest.span_from(first.start) };
    Ok((rest, Item::Form(Box::new(form))))
}

/// A name that is declared or taken: any word that is no word of the language.
fn plain<'a>(input: Tokens<'a>, what: &str) -> Step<'a, (Tokens<'a>, Spanned<String>)> {
    let first = input.peek(0);
    match input.continuation() {
        Some(TokenKind::Name) if input.text(first) != "not" => Ok((input.advance(), name_of(input))),
        Some(_) | None => Err(mistakes::no_name(input, what)),
    }
}

/// A symbol that has to stand here.
fn symbol<'a>(input: Tokens<'a>, kind: TokenKind, expected: &str) -> Step<'a, Tokens<'a>> {
    if input.continuation() == Some(kind) {
        Ok(input.advance())
    } else {
        Err(mistakes::incomplete_form(input, expected))
    }
}

/// `"file.mesh"` or `std.module`, then `as name` or `{ names }`.
fn import(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let first = input.peek(0);
    let (rest, from) = match input.continuation() {
        Some(TokenKind::String) => {
            let name = Spanned::new(string_text(input, first), input.span(first));
            (input.advance(), Source::File(name))
        }
        _ => {
            let (rest, path) = path(input, "a file or module")?;
            (rest, Source::Module(path))
        }
    };
    if rest.goes_on_with("as") {
        let (rest, alias) = plain(rest.advance(), "a name")?;
        return Ok((rest, FormKind::Use(Use { from, alias: Some(alias), selected: None })));
    }
    if rest.continuation() != Some(TokenKind::OpenBrace) {
        return Ok((rest, FormKind::Use(Use { from, alias: None, selected: None })));
    }
    let opening = rest.peek(0);
    let mut names = Vec::new();
    let mut inner = rest.advance().inside(Bracket::Brace);
    while !matches!(inner.peek(0).kind, TokenKind::CloseBrace | TokenKind::End) {
        let (after, name) = match inner.peek(0).kind {
            TokenKind::Name if inner.text(inner.peek(0)) != "not" => (inner.advance(), name_of(inner)),
            _ => return Err(mistakes::no_name(inner, "a name")),
        };
        let (after, alias) = if after.goes_on_with("as") {
            let (after, alias) = plain(after.advance(), "a name")?;
            (after, Some(alias))
        } else {
            (after, None)
        };
        names.push(Selected { name, alias });
        inner = after;
        let next = inner.peek(0);
        match next.kind {
            TokenKind::CloseBrace => {}
            TokenKind::Comma if !next.on_new_line => inner = inner.advance(),
            _ if next.on_new_line && next.kind == TokenKind::Name => {}
            _ => return Err(mistakes::incomplete_form(inner, "`,` or `}`")),
        }
    }
    let rest = close(inner, opening, TokenKind::CloseBrace).outside(rest);
    Ok((rest, FormKind::Use(Use { from, alias: None, selected: Some(names) })))
}

/// `name.segment`
fn path<'a>(input: Tokens<'a>, what: &str) -> Step<'a, (Tokens<'a>, Path)> {
    let (mut rest, first) = plain(input, what)?;
    let mut segments = vec![first];
    while rest.continuation() == Some(TokenKind::Dot) {
        let after = rest.advance();
        match after.continuation() {
            Some(kind) if kind.is_word() || kind == TokenKind::String => segments.push(name_of(after)),
            Some(_) | None => return Err(mistakes::incomplete_path(after)),
        }
        rest = after.advance();
    }
    Ok((rest, Path { segments }))
}

/// `name = value`
fn binding(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let (rest, name) = plain(input, "a name")?;
    let (rest, value) = value_or_invalid(symbol(rest, TokenKind::Equals, "`=`")?);
    Ok((rest, FormKind::Let(Let { name, value })))
}

/// `name: type = value`
fn parameter(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, Parameter)> {
    let (rest, name) = plain(input, "a name")?;
    let (rest, ty) = type_of(symbol(rest, TokenKind::Colon, mistakes::TYPE)?)?;
    if rest.continuation() != Some(TokenKind::Equals) {
        return Ok((rest, Parameter { name, ty, default: None }));
    }
    let (rest, default) = value_or_invalid(rest.advance());
    Ok((rest, Parameter { name, ty, default: Some(default) }))
}

/// `integer`, `integer(1, 10)` or `[integer]`
fn type_of(outer: Tokens<'_>) -> Step<'_, (Tokens<'_>, Type)> {
    let opening = outer.peek(0);
    if outer.continuation() == Some(TokenKind::OpenBracket) {
        if outer.depth() >= DEPTH_LIMIT {
            let rest = too_deep(outer);
            return Ok((rest, Type { kind: TypeKind::Invalid, span: rest.span_from(opening.start) }));
        }
        let (rest, inner) = type_of(outer.advance().inside(Bracket::List))?;
        let rest = close(rest, opening, TokenKind::CloseBracket);
        let span = rest.span_from(opening.start);
        return Ok((rest.outside(outer), Type { kind: TypeKind::List(Box::new(inner)), span }));
    }
    let (rest, name) = plain(outer, "a type")?;
    let (rest, arguments) = if rest.continuation() == Some(TokenKind::OpenParenthesis) {
        parenthesized(rest, &mut |input| Ok(or_invalid_or_end(input)))?
    } else {
        (rest, Vec::new())
    };
    Ok((rest, Type { kind: TypeKind::Named(name, arguments), span: rest.span_from(opening.start) }))
}

/// A value inside of parentheses.
fn or_invalid_or_end(input: Tokens<'_>) -> (Tokens<'_>, Value) {
    or_invalid(input, value)
}

/// `( part, part )`
fn parenthesized<'a, T>(
    outer: Tokens<'a>,
    part: &mut dyn FnMut(Tokens<'a>) -> Step<'a, (Tokens<'a>, T)>,
) -> Step<'a, (Tokens<'a>, Vec<T>)> {
    let opening = outer.peek(0);
    if outer.depth() >= DEPTH_LIMIT {
        return Ok((too_deep(outer), Vec::new()));
    }
    let mut parts = Vec::new();
    let mut input = outer.advance().inside(Bracket::Parenthesis);
    while !matches!(input.peek(0).kind, TokenKind::CloseParenthesis | TokenKind::End) {
        let (rest, found) = part(input)?;
        parts.push(found);
        input = rest;
        match input.peek(0).kind {
            TokenKind::Comma => input = input.advance(),
            TokenKind::CloseParenthesis | TokenKind::End => {}
            _ if input.context.shows_closing(opening, input.peek(0)) => break,
            _ => return Err(mistakes::incomplete_form(input, "`,` or `)`")),
        }
    }
    Ok((close(input, opening, TokenKind::CloseParenthesis).outside(outer), parts))
}

/// `name in list { … }`
fn repetition(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let (rest, variable) = plain(input, "a name")?;
    let (rest, over) = source(symbol(rest, TokenKind::In, "`in`")?)?;
    let (rest, body) = body(rest)?;
    Ok((rest, FormKind::For(For { variable, over, body })))
}

/// `{ items }`
fn body(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, Vec<Item>)> {
    if input.continuation() != Some(TokenKind::OpenBrace) {
        return Err(mistakes::incomplete_form(input, "`{`"));
    }
    Ok(if input.depth() >= DEPTH_LIMIT { (too_deep(input), Vec::new()) } else { braces(input) })
}

/// `name(parameters) { … }`
fn template(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let (rest, name) = plain(input, "a name")?;
    let (rest, parameters) = if rest.continuation() == Some(TokenKind::OpenParenthesis) {
        parenthesized(rest, &mut parameter)?
    } else {
        (rest, Vec::new())
    };
    let (rest, body) = body(rest)?;
    Ok((rest, FormKind::Template(Template { name, parameters, body })))
}

/// `name(arguments)`
fn application(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let start = input.peek(0).start;
    let (rest, template) = path(input, "the name of a template")?;
    let place = rest.span_from(start);
    let (rest, arguments) = if rest.continuation() == Some(TokenKind::OpenParenthesis) {
        parenthesized(rest, &mut argument)?
    } else {
        (rest, Vec::new())
    };
    Ok((rest, FormKind::Apply(Apply { template, place, arguments })))
}

/// `condition else message`
fn assertion(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, FormKind)> {
    let (rest, condition) = value_or_invalid(input);
    if !rest.goes_on_with("else") {
        return Ok((rest, FormKind::Assert(Assert { condition, message: None })));
    }
    let (rest, message) = value_or_invalid(rest.advance());
    Ok((rest, FormKind::Assert(Assert { condition, message: Some(message) })))
}

/// `name = value` or `value`
fn argument(input: Tokens<'_>) -> Step<'_, (Tokens<'_>, Argument)> {
    let [first, second] = [input.peek(0), input.peek(1)];
    // No value goes on like this behind a name, so that it is the name of a parameter.
    let named = second.kind == TokenKind::Equals
        || (first.kind == TokenKind::Name
            && input.text(first) != "not"
            && matches!(
                second.kind,
                TokenKind::Colon | TokenKind::String | TokenKind::Literal | TokenKind::OpenBracket
            ));
    let (rest, name) = if named {
        let (rest, name) = plain(input, mistakes::PARAMETER)?;
        (symbol(rest, TokenKind::Equals, "`=`")?, Some(name))
    } else {
        (input, None)
    };
    let (rest, value) = value_or_invalid(rest);
    Ok((rest, Argument { name, value, span: rest.span_from(first.start) }))
}

/// `...record` among items, as an attribute.
pub(super) fn spread_item<'a>(
    input: Tokens<'a>,
    documentation: Option<Box<Spanned<String>>>,
) -> Parsed<'a, Item> {
    let (rest, value) = super::values::spread(input)?;
    let name = Spanned::new(String::new(), input.span(input.peek(0)));
    let span = value.span;
    debug_assert!(matches!(value.kind, ValueKind::Spread(_)), "only a spread has no name");
    Ok((rest, Item::Attribute(Attribute { name, value, documentation, span })))
}
