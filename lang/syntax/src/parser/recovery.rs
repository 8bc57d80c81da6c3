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
                (until.commas && next.kind == TokenKind::Comma && (!until.lines || separates(rest)))
                    || (until.lines && next.on_new_line && !goes_on(previous))
                    || rest.at_item_line()
            }
            // A list whose end was forgotten.
            Some(TokenKind::OpenBracket | TokenKind::OpenParenthesis) => rest.at_item_line(),
            Some(_) => false,
        };
        if ends
            || next.kind == TokenKind::End
            || (!track(&mut open, next.kind) && rest.closes_outer(next.kind))
        {
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
    let next = input.peek(0);
    if next.kind == closing && !input.context.shows_closing(opening, next) {
        return input.advance();
    }
    mistakes::unclosed_bracket(input, opening);
    input
}

/// Whether a comma stands between items, as far as can be seen, and not between the elements of something whose
/// opening bracket is missing.
fn separates(input: Tokens<'_>) -> bool {
    let after = input.advance();
    let next = after.peek(0);
    let header = next.kind.is_word() && after.peek(1).kind == TokenKind::OpenBrace;
    next.on_new_line
        || next.kind == TokenKind::End
        || next.kind.opening().is_some()
        || header
        || after.at_item()
}

/// Whether a body stands behind a block's kind and label although its `{` is missing: on the following lines, which are
/// indented more, or on the same line, which has one `}` too many.
pub(super) fn body_follows(kind: Tokens<'_>, input: Tokens<'_>) -> bool {
    let next = input.peek(0);
    let context = input.context;
    if next.on_new_line {
        let begins_item = next.kind.is_word() || next.kind == TokenKind::String;
        return begins_item && context.column(next.start) > context.indentation(kind.peek(0).start);
    }
    input.at_item() && closes_on_line(input)
}

/// How far recovery looks ahead on a line: enough for any that a person wrote, and little enough that a file full of
/// mistakes costs no more than its length.
const LOOKAHEAD: usize = 256;

/// Whether blocks stand right inside the braces that open here, as far as recovery looks ahead.
pub(super) fn contains_blocks(input: Tokens<'_>) -> bool {
    let mut rest = input;
    let mut depth = 0_u32;
    let mut previous = None;
    for _ in 0..LOOKAHEAD {
        let next = rest.peek(0);
        let new_line = next.on_new_line && !goes_on(previous);
        let begins = new_line || rest.last_end == 0 || follows_separator(rest);
        if depth == 1 && begins && next.kind.is_word() {
            let second = rest.peek(1);
            let label = second.kind.is_word() || second.kind == TokenKind::String;
            let brace = if label { rest.peek(2) } else { second };
            if brace.kind == TokenKind::OpenBrace && !brace.on_new_line {
                return true;
            }
        }
        match next.kind {
            TokenKind::End => return false,
            TokenKind::TemplateMiddle => {}
            kind if kind.is_opening() => depth += 1,
            kind if kind.opening().is_some() && depth <= 1 => return false,
            kind if kind.opening().is_some() => depth -= 1,
            _ => {}
        }
        previous = Some(next.kind);
        rest = rest.advance();
    }
    false
}

/// Whether the last consumed lexeme is an opening brace or a comma, behind which an item begins.
fn follows_separator(input: Tokens<'_>) -> bool {
    input.context.slice(0, input.last_end).ends_with(['{', ','])
}

/// Whether the rest of the line has a `}` whose `{` is not on the line.
pub(super) fn closes_on_line(input: Tokens<'_>) -> bool {
    let mut rest = input;
    let before = input.context.slice(0, input.peek(0).start);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let count = |brace| line.matches(brace).count();
    let mut depth = count('{').saturating_sub(count('}'));
    for _ in 0..LOOKAHEAD {
        match rest.peek(0).kind {
            TokenKind::OpenBrace => depth += 1,
            TokenKind::CloseBrace if depth == 0 => return true,
            TokenKind::CloseBrace => depth -= 1,
            TokenKind::End => return false,
            _ => {}
        }
        rest = rest.advance();
        if rest.peek(0).on_new_line {
            return false;
        }
    }
    false
}
