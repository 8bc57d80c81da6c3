//! The parser: lexemes → tree. It is LL(2) and never goes back; recovery is by hand, item by item.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a parser asks for a few kinds of tokens, and all others are one case, whichever there are: not these"
)]

mod collector;
mod conflict;
mod context;
mod forms;
mod items;
mod mistakes;
mod operators;
mod pieces;
mod recovery;
mod strings;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

use lang_diagnostics::{FileId, Sink, Span, Spanned};

use self::context::{Prepared, prepare};
pub(crate) use self::tokens::DEPTH_LIMIT;
use self::tokens::Tokens;
use crate::ast::{File, Literal};
use crate::lexer::lex;
use crate::literal::classify;
use crate::token::TokenKind;

/// The language version that this compiler understands.
pub const LANGUAGE_VERSION: u32 = 1;

/// Parses a file. It always returns a tree; mistakes go to `sink`, and what they made unreadable is
/// [`crate::ast::ValueKind::Invalid`] or absent.
pub fn parse(file: FileId, text: &str, sink: &mut Sink) -> File {
    match conflict::resolved(file, text, sink) {
        Some(resolved) => parse_resolved(file, &resolved, sink),
        None => parse_resolved(file, text, sink),
    }
}

/// Parses a text without conflicts.
fn parse_resolved(file: FileId, text: &str, sink: &mut Sink) -> File {
    pieces::parse(file, text).unwrap_or_else(|| parse_at_once(file, text, sink))
}

fn parse_at_once(file: FileId, text: &str, sink: &mut Sink) -> File {
    let Prepared { lexemes, comments, context } = prepare(file, text, &lex(text));
    let (language, items) = {
        let (input, language) = language(Tokens::new(&lexemes, &context));
        let (_, items) = items::items(input, None);
        (language, items)
    };
    let expands = context.expands.get();
    context.finish().into_iter().for_each(|diagnostic| sink.push(diagnostic));
    File { language, items, comments, expands, span: Span::new(file, 0, text.len()) }
}

/// `language N` at the very beginning.
fn language(input: Tokens<'_>) -> (Tokens<'_>, Option<Spanned<u32>>) {
    let [word, number] = [input.peek(0), input.peek(1)];
    let is_line = word.kind == TokenKind::Name
        && number.kind == TokenKind::Literal
        && !number.on_new_line
        && input.text(word) == "language";
    if !is_line {
        return (input, None);
    }
    let after = input.advance();
    let version = match classify(input.text(number)) {
        Ok(Literal::Integer(version)) => u32::try_from(version).ok(),
        Ok(_) | Err(_) => None,
    };
    let version = version.filter(|version| *version == LANGUAGE_VERSION);
    if version.is_none() {
        mistakes::unknown_language(after);
    }
    let rest = items::end_of_item(after.advance());
    (rest, version.map(|version| Spanned::new(version, input.span(number))))
}
