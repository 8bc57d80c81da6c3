//! Strings in value position: their text and their interpolations.

use lang_diagnostics::Diagnostic;

use super::mistakes;
use super::operators::value;
use super::recovery::{Until, report, skip};
use super::tokens::{Bracket, Lexeme, Parsed, Tokens};
use crate::ast::{StringPart, Value, ValueKind};
use crate::codes;
use crate::strings::{dedent, unescape};
use crate::token::TokenKind;

/// The text of a string token without interpolation.
pub(super) fn string_text(input: Tokens<'_>, lexeme: Lexeme) -> String {
    let text = input.text(lexeme);
    let text = text.strip_prefix('"').unwrap_or(text);
    if lexeme.kind == TokenKind::UnclosedString {
        mistakes::unclosed_string(input, "\"");
        return unescaped(input, lexeme.start + 1, text);
    }
    unescaped(input, lexeme.start + 1, text.strip_suffix('"').unwrap_or(text))
}

/// The text of `"""…"""`.
pub(super) fn raw_string(input: Tokens<'_>) -> String {
    let lexeme = input.peek(0);
    let text = input.text(lexeme);
    let text = text.strip_prefix("\"\"\"").unwrap_or(text);
    if lexeme.kind == TokenKind::UnclosedRaw {
        mistakes::unclosed_string(input, "\"\"\"");
        return dedent(text);
    }
    dedent(text.strip_suffix("\"\"\"").unwrap_or(text))
}

/// Resolves escapes of text that begins at offset `start`, and reports those that mean nothing.
fn unescaped(input: Tokens<'_>, start: u32, text: &str) -> String {
    if !text.contains(['\\', '$']) {
        return text.to_owned();
    }
    let mut bad = Vec::new();
    let resolved = unescape(text, &mut bad);
    for escape in bad {
        let written = text.get(escape.start..escape.end).unwrap_or_default();
        let offset = |at: usize| start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let span = input.context.span(offset(escape.start), offset(escape.end));
        let message = format!("`{written}` is no escape");
        let help =
            r#"the escapes are `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `\u{…}`; a lone backslash is `\\`"#;
        input.context.report_inside(Diagnostic::error(codes::UNKNOWN_ESCAPE, span, message).help(help));
    }
    resolved
}

/// `"text${value}text"`
pub(super) fn template<'a>(outer: Tokens<'a>) -> Parsed<'a, Value> {
    let head = outer.peek(0);
    let mut parts = Vec::new();
    push_text(outer, head, "\"", "${", &mut parts);
    let mut input = outer.advance().inside(Bracket::Interpolation);
    loop {
        input = interpolation(input, &mut parts);
        let next = input.peek(0);
        match input.continuation() {
            Some(TokenKind::TemplateMiddle) => push_text(input, next, "}", "${", &mut parts),
            Some(TokenKind::TemplateTail) => {
                push_text(input, next, "}", "\"", &mut parts);
                input = input.advance();
                break;
            }
            Some(TokenKind::UnclosedTail) => {
                mistakes::unclosed_string(input, "\"");
                push_text(input, next, "}", "", &mut parts);
                input = input.advance();
                break;
            }
            Some(_) | None => {
                mistakes::unclosed_interpolation(input, head);
                break;
            }
        }
        input = input.advance();
    }
    let span = input.span_from(head.start);
    Ok((input.outside(outer), Value { kind: ValueKind::String(parts), span }))
}

/// The value between `${` and `}`. Afterwards the next lexeme goes on with the string, or the string is unclosed.
fn interpolation<'a>(input: Tokens<'a>, parts: &mut Vec<StringPart>) -> Tokens<'a> {
    let start = input.peek(0).start;
    let (rest, value) = match value(input) {
        Ok(parsed) => parsed,
        Err(error) => {
            let rest = report(error, input);
            (rest, Value { kind: ValueKind::Invalid, span: rest.span_from(start) })
        }
    };
    parts.push(StringPart::Interpolation(value));
    match rest.continuation() {
        None | Some(TokenKind::TemplateMiddle | TokenKind::TemplateTail | TokenKind::UnclosedTail) => rest,
        Some(_) => {
            let after = skip(rest, Until::LINE);
            // Otherwise the string ends with its line, and that is what will be reported.
            let goes_on =
                matches!(after.continuation(), Some(TokenKind::TemplateMiddle | TokenKind::TemplateTail));
            if goes_on {
                mistakes::unexpected(rest, "expected `}` and the rest of the string");
            }
            after
        }
    }
}

fn push_text(input: Tokens<'_>, lexeme: Lexeme, before: &str, after: &str, parts: &mut Vec<StringPart>) {
    let text = input.text(lexeme);
    let text = text.strip_prefix(before).unwrap_or(text);
    let text = text.strip_suffix(after).unwrap_or(text);
    let text = unescaped(input, lexeme.start + 1, text);
    if !text.is_empty() {
        parts.push(StringPart::Text(text));
    }
}
