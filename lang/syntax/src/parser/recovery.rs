//! Recovery: reports a mistake and finds the place where reading goes on.

use nom::Err;

use super::mistakes;
use super::tokens::{Lexeme, Mistake, Tokens};
use crate::token::TokenKind;

/// What ends a skipped stretch, besides a closing bracket of something that is open outside of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// A comma.
    commas: bool,
    /// A line feed, unless the line goes on (after `=`, `->` or a comma).
    lines: bool,
}

impl Until {
    /// The end of an item.
    pub(super) const ITEM: Self = Self { commas: true, lines: true };
    /// The end of an element of a list.
    pub(super) const COMMA: Self = Self { commas: true, lines: false };
    /// The end of an item whose form is not known, and that may have commas.
    pub(super) const LINE: Self = Self { commas: false, lines: true };
}

/// Reports why a parser gave up and returns where it did. `fallback` is where it began.
pub(super) fn report<'a>(error: Err<Mistake<'a>>, fallback: Tokens<'a>) -> Tokens<'a> {
    match error {
        Err::Error(mistake) | Err::Failure(mistake) => {
            let at = mistake.at.outside(fallback);
            match mistake.diagnostic {
                Some(diagnostic) => at.context.report(at.peek(0), *diagnostic),
                None => mistakes::unexpected(at, "expected something else"),
            }
            at
        }
        // Only streaming parsers of nom ask for more, and there are none here.
        Err::Incomplete(_) => fallback,
    }
}

/// Jumps over lexemes, whole brackets at a time, to where `until` says or the file ends.
pub(super) fn skip(input: Tokens<'_>, until: Until) -> Tokens<'_> {
    let mut rest = input;
    let mut open: Vec<TokenKind> = Vec::new();
    let mut previous = None;
    loop {
        let next = rest.peek(0);
        let ends = match open.last() {
            None => {
                (until.commas && next.kind == TokenKind::Comma)
                    || (until.lines && next.on_new_line && !goes_on(previous))
                    || rest.at_item_line()
            }
            // A list whose end was forgotten.
            Some(TokenKind::OpenBracket | TokenKind::OpenParenthesis) => rest.at_item_line(),
            Some(_) => false,
        };
        if ends || next.kind == TokenKind::End || !track(&mut open, next.kind) {
            break;
        }
        previous = Some(next.kind);
        rest = rest.advance();
    }
    input.context.skipped(input.peek(0).start, rest.peek(0).start);
    rest
}

/// Jumps over the next bracket and everything in it, including the word before it.
pub(super) fn skip_group(input: Tokens<'_>) -> Tokens<'_> {
    let mut rest = input;
    let mut open: Vec<TokenKind> = Vec::new();
    loop {
        let next = rest.peek(0);
        if next.kind == TokenKind::End || !track(&mut open, next.kind) {
            break;
        }
        rest = rest.advance();
        if open.is_empty() && next.kind.opening().is_some() {
            break;
        }
    }
    input.context.skipped(input.peek(0).start, rest.peek(0).start);
    rest
}

/// Notes an opening or closing bracket; `false` if it closes something that is not in `open`.
fn track(open: &mut Vec<TokenKind>, kind: TokenKind) -> bool {
    if kind.is_opening() {
        open.push(kind);
        return true;
    }
    let Some(opening) = kind.opening() else { return true };
    // What is still open inside was forgotten.
    let Some(at) = open.iter().rposition(|kind| *kind == opening) else { return false };
    open.truncate(if kind == TokenKind::TemplateMiddle { at + 1 } else { at });
    true
}

/// Whether the line goes on after a token of this kind.
fn goes_on(previous: Option<TokenKind>) -> bool {
    matches!(previous, Some(TokenKind::Equals | TokenKind::Arrow | TokenKind::Comma))
}

/// Consumes the closing bracket of `opening`, or reports that it is missing.
pub(super) fn close<'a>(input: Tokens<'a>, opening: Lexeme, closing: TokenKind) -> Tokens<'a> {
    if input.peek(0).kind == closing {
        return input.advance();
    }
    mistakes::unclosed_bracket(input, opening);
    input
}
