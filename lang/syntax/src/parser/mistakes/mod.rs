//! The parser's messages. One function for each mistake, so that wording and advice stand in one place.

mod brackets;
mod items;
mod values;

use lang_diagnostics::{Applicability, Code, Diagnostic, Edit, Fix, Span};

pub(super) use self::brackets::{missing_comma, stray_bracket, too_deep, unclosed_bracket};
pub(super) use self::items::{
    block_in_record, brace_on_next_line, colon, incomplete_item, interpolated_label, label_begins_with_digit,
    late_language, missing_braces, missing_equals, missing_separator, no_item, reserved, semicolon,
    string_as_item, two_names, unknown_language, unquoted_name,
};
pub(super) use self::values::{
    chained, incomplete_path, later_version, malformed_literal, missing_value, no_value,
    unclosed_interpolation, unclosed_string, unexpected,
};
use super::tokens::Tokens;
use crate::token::TokenKind;

/// What a message calls the next lexeme.
fn found(input: Tokens<'_>) -> String {
    let lexeme = input.peek(0);
    match lexeme.kind {
        TokenKind::End => String::from("the end of the file"),
        TokenKind::String
        | TokenKind::RawString
        | TokenKind::TemplateHead
        | TokenKind::UnclosedString
        | TokenKind::UnclosedRaw => String::from("a string"),
        TokenKind::TemplateMiddle | TokenKind::TemplateTail | TokenKind::UnclosedTail => String::from("`}`"),
        _ => format!("`{}`", shortened(input.text(lexeme))),
    }
}

/// At most 40 characters, for messages.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn error(input: Tokens<'_>, code: Code, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, input.span(input.peek(0)), message)
}

fn report(input: Tokens<'_>, diagnostic: Diagnostic) {
    input.context.report(input.peek(0), diagnostic);
}

fn fix(title: impl Into<String>, applicability: Applicability, span: Span, text: impl Into<String>) -> Fix {
    Fix { title: title.into(), applicability, edits: vec![Edit { span, text: text.into() }] }
}

fn insertion(title: &str, input: Tokens<'_>, text: &str) -> Fix {
    let at = input.context.span(input.last_end, input.last_end);
    fix(title, Applicability::Safe, at, text)
}
