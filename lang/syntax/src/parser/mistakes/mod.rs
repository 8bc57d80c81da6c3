//! The parser's messages. One function for each mistake, so that wording and advice stand in one place.

mod brackets;
mod items;
mod values;

use lang_diagnostics::{Applicability, Code, Diagnostic, Edit, Fix, Span};

pub(super) use self::brackets::{missing_comma, other_bracket, stray_bracket, too_deep, unclosed_bracket};
pub(super) use self::items::{
    PARAMETER, TYPE, block_in_record, brace_on_next_line, colon, colon_in_block, form_in_record,
    incomplete_form, incomplete_item, label_begins_with_digit, late_language, missing_braces, missing_equals,
    missing_separator, no_item, no_name, nothing_overridden, semicolon, string_as_item, two_labels,
    unknown_language, unquoted_name,
};
pub(super) use self::values::{
    chained, incomplete_choice, incomplete_path, malformed_literal, missing_value, no_list, no_operand,
    no_value, too_many_operators, unclosed_interpolation, unclosed_string, unexpected,
};
use super::tokens::Tokens;
use crate::literal::classify;
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

/// A comma before the next lexeme. Whether not a bracket is missing instead cannot be told.
fn comma(input: Tokens<'_>) -> Fix {
    let at = input.context.span(input.last_end, input.last_end);
    fix("insert a comma", Applicability::Suggested, at, ",")
}

/// A number and its unit with a space between them, as one word: `20 s`, `50 %`, `10 / min`.
fn one_word(input: Tokens<'_>) -> Option<Fix> {
    let (start, end) = (input.last_end, input.peek(0).start);
    let before = input.context.slice(0, start);
    let number = before.rsplit(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_')).next()?;
    let behind = input.context.behind(end);
    let unit = behind.split([',', '\n', '\r', '{', '}', '[', ']', '"']).next()?.trim_end();
    let word: String = number.chars().chain(unit.chars().filter(|c| *c != ' ')).collect();
    if number.is_empty() || unit.is_empty() || classify(&word).is_err() {
        return None;
    }
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
    let span = input.context.span(start.saturating_sub(length(number)), end.saturating_add(length(unit)));
    Some(fix("write a number and its unit as one word", Applicability::Suggested, span, word))
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
