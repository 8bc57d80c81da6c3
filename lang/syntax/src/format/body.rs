//! The lines of a body: its items and comments, and what is aligned in them.

use super::pieces::{Lines, Piece, goes_on};
use super::{INDENTATION, WIDTH};
use crate::token::TokenKind;

/// One line of a body as far as it can be one: an item, or comments on lines of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Its pieces: the first, and one past the last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The comment at the end of the line.
    pub(super) trailing: Option<usize>,
    /// Whether an empty line stands before it.
    pub(super) empty_before: bool,
    /// Whether it is on one line.
    pub(super) flat: bool,
    /// What it may be aligned with.
    key: Option<Key>,
    /// Spaces to insert before the piece behind its name, and before the comment.
    pub(super) padding: usize,
    pub(super) comment_padding: usize,
}

/// The words that an item begins with, up to `=` or `{`.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// The pieces before `=` or `{`.
    words: usize,
    /// What follows them.
    sign: TokenKind,
    /// The columns of the words.
    width: usize,
}

impl Line {
    /// The piece before which the padding is inserted, if any is.
    pub(super) fn padded(&self) -> Option<usize> {
        self.key.filter(|_| self.padding > 0).map(|key| self.start + key.words)
    }

    /// Whether it is a comment or documentation on a line of its own.
    pub(super) fn is_comment(&self, pieces: &[Piece]) -> bool {
        pieces.get(self.start).is_some_and(Piece::is_comment)
    }
}

/// The columns of pieces on one line, and whether they can be on one.
pub(super) fn flat_width(pieces: &[Piece], start: usize, end: usize) -> Option<usize> {
    let (first, after) = (pieces.get(start)?, pieces.get(end)?);
    let space = usize::from(first.spaced);
    (first.breaks == after.breaks).then(|| after.column.saturating_sub(first.column + space))
}

/// Adds the lines of the body that begins at `at` and ends before `end` to `lines`, aligned.
pub(super) fn lines(pieces: &[Piece], mut at: usize, end: usize, depth: usize, lines: &mut Vec<Line>) {
    let base = lines.len();
    while at < end {
        let Some(piece) = pieces.get(at) else { break };
        if piece.kind == TokenKind::Comma {
            at += 1;
            continue;
        }
        let empty_before = piece.lines == Lines::Empty && lines.len() > base;
        let stop = if piece.is_comment() { at + 1 } else { end_of_item(pieces, at, end) };
        let width = flat_width(pieces, at, stop).filter(|width| depth * INDENTATION + width <= WIDTH);
        let mut line = Line {
            start: at,
            end: stop,
            trailing: None,
            empty_before,
            flat: width.is_some(),
            key: width.and_then(|_| key(pieces, at, stop)),
            padding: 0,
            comment_padding: 0,
        };
        at = stop;
        if !line.is_comment(pieces) {
            let comma = pieces.get(at).is_some_and(|next| next.kind == TokenKind::Comma);
            at += usize::from(comma && at < end);
            let comment = pieces
                .get(at)
                .filter(|next| at < end && next.kind == TokenKind::Comment && next.lines == Lines::None);
            if comment.is_some() {
                line.trailing = Some(at);
                at += 1;
            }
        }
        lines.push(line);
    }
    align(pieces, lines.get_mut(base..).unwrap_or_default());
}

/// One past the last piece of the item that begins at `start`.
fn end_of_item(pieces: &[Piece], start: usize, end: usize) -> usize {
    let mut at = start;
    let mut going_on = false;
    while let Some(piece) = pieces.get(at).filter(|_| at < end) {
        let next_line = at > start && piece.lines > Lines::None;
        if (next_line || piece.is_comment() || piece.kind == TokenKind::Comma) && !going_on {
            break;
        }
        if !piece.is_comment() {
            going_on = goes_on(piece.kind);
        }
        at = piece.mate + 1;
    }
    at.min(end)
}

/// The words at the beginning of an item, if it is an attribute, or a block that ends with the item.
fn key(pieces: &[Piece], start: usize, end: usize) -> Option<Key> {
    let item = pieces.get(start..end)?;
    let words = item.iter().take_while(|piece| is_word(piece.kind)).count();
    let sign = item.get(words).filter(|_| words > 0)?;
    // Nothing is to be compared in empty braces.
    let block = sign.kind == TokenKind::OpenBrace && sign.mate + 1 == end && sign.mate > start + words + 1;
    if !block && sign.kind != TokenKind::Equals {
        return None;
    }
    Some(Key { words, sign: sign.kind, width: flat_width_of_words(pieces, start, words) })
}

fn flat_width_of_words(pieces: &[Piece], start: usize, words: usize) -> usize {
    flat_width(pieces, start, start + words).unwrap_or(0)
}

fn is_word(kind: TokenKind) -> bool {
    kind.is_word() || kind == TokenKind::String
}

/// Aligns what stands behind names in neighbouring lines: `=` of attributes together with the braces of blocks without a
/// label; braces of blocks with labels only where they are of one kind and stand right below each other. An empty line,
/// or an item of several lines, ends the table. Comments at the ends of neighbouring lines are aligned, too.
fn align(pieces: &[Piece], lines: &mut [Line]) {
    let mut table: Option<usize> = None;
    let mut labelled: Option<usize> = None;
    for at in 0..lines.len() {
        let Some(line) = lines.get(at).copied() else { break };
        if line.empty_before {
            table = None;
        }
        if line.is_comment(pieces) {
            labelled = None;
            continue;
        }
        if !line.flat {
            (table, labelled) = (None, None);
            continue;
        }
        match line.key {
            None => labelled = None,
            Some(key) if key.words == 1 => {
                labelled = None;
                let first = *table.get_or_insert(at);
                widen(lines, first, at, |other| other.words == 1);
            }
            Some(key) => {
                let goes_on = labelled.is_some_and(|first| {
                    !line.empty_before && lines.get(first).is_some_and(|other| alike(pieces, other, &line))
                });
                let first = if goes_on { labelled.unwrap_or(at) } else { at };
                labelled = Some(first);
                widen(lines, first, at, |other| other.words == key.words);
            }
        }
    }
    align_comments(pieces, lines);
}

/// Whether two items begin with the same word, have as many words, and the same sign behind them.
fn alike(pieces: &[Piece], one: &Line, other: &Line) -> bool {
    let (Some(a), Some(b)) = (one.key, other.key) else { return false };
    let first = |line: &Line| pieces.get(line.start).map(|piece| (piece.kind, piece.end - piece.start));
    a.words == b.words && a.sign == b.sign && first(one) == first(other)
}

/// Makes room in all lines of a table for the widest names in them; `belongs` says which lines are in it.
fn widen(lines: &mut [Line], first: usize, last: usize, belongs: impl Fn(&Key) -> bool) {
    let Some(table) = lines.get_mut(first..=last) else { return };
    let own = table.last().and_then(|line| line.key).map_or(0, |key| key.width);
    let before = table.iter().rev().skip(1).find_map(|line| {
        line.key.filter(|key| line.flat && belongs(key)).map(|key| key.width + line.padding)
    });
    match before {
        Some(before) if before >= own => {
            if let Some(line) = table.last_mut() {
                line.padding = before - own;
            }
        }
        _ => {
            for line in table {
                if let Some(key) = line.key.filter(&belongs) {
                    line.padding = own.saturating_sub(key.width);
                }
            }
        }
    }
}

/// Aligns the comments at the ends of lines that follow each other.
fn align_comments(pieces: &[Piece], lines: &mut [Line]) {
    let width = |line: &Line| flat_width(pieces, line.start, line.end).map_or(0, |flat| flat + line.padding);
    let mut first = 0;
    while first < lines.len() {
        let rest = lines.get_mut(first..).unwrap_or_default();
        let belongs = |(at, line): (usize, &Line)| {
            line.flat && line.trailing.is_some() && (at == 0 || !line.empty_before)
        };
        let count = rest.iter().enumerate().take_while(|(at, line)| belongs((*at, line))).count();
        let table = rest.get_mut(..count).unwrap_or_default();
        let widest = table.iter().map(width).max().unwrap_or(0);
        for line in table {
            line.comment_padding = widest - width(line);
        }
        first += count.max(1);
    }
}
