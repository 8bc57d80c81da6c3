//! Mistakes with brackets and with what separates things inside them.

use lang_diagnostics::{Applicability, Diagnostic};

use super::super::tokens::{DEPTH_LIMIT, Lexeme, Tokens};
use super::values::unexpected;
use super::{comma, error, fix, found, one_word, report};
use crate::codes;
use crate::token::TokenKind;

/// Too many brackets inside each other.
pub(in crate::parser) fn too_deep(input: Tokens<'_>) {
    let message = format!("brackets are nested more than {DEPTH_LIMIT} deep");
    input.context.report_inside(error(input, codes::TOO_DEEP, message).help("everything inside is skipped"));
}

/// A closing bracket that closes nothing.
pub(in crate::parser) fn stray_bracket(input: Tokens<'_>) {
    if let Some(opening) = input.peek(0).kind.opening() {
        input.context.missing_opening(opening);
    }
    let message = format!("this {} has no opening bracket", found(input));
    let removal = fix("remove it", Applicability::Suggested, input.span(input.peek(0)), "");
    input.context.report_stray(input.peek(0), error(input, codes::STRAY_BRACKET, message).fix(removal));
}

/// `[a)`: a closing bracket in the place of the one that `opening` needs.
pub(in crate::parser) fn other_bracket(input: Tokens<'_>, opening: Lexeme) {
    input.context.missing_closing(opening.kind);
    if let Some(missed) = input.peek(0).kind.opening() {
        input.context.missing_opening(missed);
    }
    let message = format!("this {} does not close a `{}`", found(input), input.text(opening));
    let closing = closing_of(input, opening);
    let edit =
        fix(format!("write `{closing}`"), Applicability::Suggested, input.span(input.peek(0)), closing);
    let diagnostic = error(input, codes::STRAY_BRACKET, message)
        .also(input.span(opening), format!("this `{}` is closed by `{closing}`", input.text(opening)))
        .fix(edit);
    report(input, diagnostic);
}

/// How a bracket is closed.
fn closing_of(input: Tokens<'_>, opening: Lexeme) -> &'static str {
    match input.text(opening) {
        "[" => "]",
        "(" => ")",
        _ => "}",
    }
}

/// A bracket that is not closed before `input`.
pub(in crate::parser) fn unclosed_bracket(input: Tokens<'_>, opening: Lexeme) {
    input.context.missing_closing(opening.kind);
    let next = input.peek(0);
    if input.context.forgives_closing(input.last_end) {
        return input.context.quiet(next);
    }
    let bracket = input.text(opening);
    let closing = closing_of(input, opening);
    let here = match next.kind {
        TokenKind::End => input.context.span(input.last_end, input.last_end),
        _ => input.span(next),
    };
    let message = format!("this `{bracket}` is not closed");
    let diagnostic = Diagnostic::error(codes::UNCLOSED_BRACKET, input.span(opening), message)
        .also(here, format!("expected `{closing}` before this"));
    report(input, diagnostic);
}

/// Two elements of a list without a comma between them. An unclosed string is reported when it is read as an element.
pub(in crate::parser) fn missing_comma(input: Tokens<'_>) {
    let next = input.peek(0);
    if next.kind == TokenKind::UnclosedString {
        return;
    }
    if super::super::values::begins_value(next.kind) {
        let diagnostic =
            error(input, codes::MISSING_SEPARATOR, format!("expected `,` before {}", found(input)));
        let diagnostic = match one_word(input) {
            Some(fix) => diagnostic.fix(fix),
            None => diagnostic
                .help("the elements of a list are separated by commas, also on lines of their own")
                .fix(comma(input)),
        };
        report(input, diagnostic);
    } else {
        unexpected(input, "expected `,` or `]`");
    }
}
