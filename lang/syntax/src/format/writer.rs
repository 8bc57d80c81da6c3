//! Writes pieces: on one line where they fit, otherwise on as many as they need.

use super::body::{Line, flat_width, lines};
use super::pieces::{Lines, Piece, columns};
use super::{INDENTATION, WIDTH, raw};
use crate::token::TokenKind;

/// The text so far.
pub(super) struct Writer<'t> {
    text: &'t str,
    pieces: &'t [Piece],
    out: String,
    /// Where the current line begins.
    line_start: usize,
    /// The lines of all bodies that are being written, the outermost first.
    lines: Vec<Line>,
}

impl<'t> Writer<'t> {
    pub(super) fn new(text: &'t str, pieces: &'t [Piece]) -> Self {
        // Most of what is formatted is formatted already.
        let out = String::with_capacity(text.len() + text.len() / 16);
        Self { text, pieces, out, line_start: 0, lines: Vec::new() }
    }

    /// Writes the whole file.
    pub(super) fn file(&mut self) {
        // The last piece is the empty end of the file.
        self.body(0, self.pieces.len().saturating_sub(1), 0);
    }

    /// The text, which ends with a line feed unless it is empty.
    pub(super) fn finish(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// Writes items, each on lines of its own.
    fn body(&mut self, start: usize, end: usize, depth: usize) {
        let base = self.lines.len();
        lines(self.pieces, start, end, depth, &mut self.lines);
        for at in base..self.lines.len() {
            let Some(line) = self.lines.get(at).copied() else { break };
            if line.empty_before {
                self.out.push('\n');
            }
            if !self.out.is_empty() {
                self.new_line(depth);
            }
            self.item(&line, depth);
            if let Some(comment) = line.trailing {
                self.spaces(line.comment_padding);
                self.trailing(comment);
            }
        }
        self.lines.truncate(base);
    }

    /// Writes one item.
    fn item(&mut self, line: &Line, depth: usize) {
        match line.padded() {
            None if line.flat => self.flat(line.start, line.end, true),
            None if line.is_comment(self.pieces) => self.token(line.start, depth),
            None => self.run(line.start, line.end, depth),
            Some(padded) => {
                // What is aligned is on one line.
                self.flat(line.start, padded, true);
                self.spaces(line.padding);
                self.flat(padded, line.end, false);
            }
        }
    }

    /// Writes pieces that follow each other, from the current column on.
    fn run(&mut self, start: usize, end: usize, depth: usize) {
        let column = self.column();
        if flat_width(self.pieces, start, end).is_some_and(|width| column + width <= WIDTH) {
            return self.flat(start, end, true);
        }
        let mut at = start;
        let mut fresh = true;
        while let Some(piece) = self.pieces.get(at).filter(|_| at < end) {
            if piece.is_comment() {
                // In the middle of an item: what follows goes on one level deeper.
                if fresh {
                    self.token(at, depth);
                } else if piece.lines > Lines::None {
                    self.new_line(depth + 1);
                    self.token(at, depth);
                } else {
                    self.trailing(at);
                }
                self.new_line(depth + 1);
                fresh = true;
                at += 1;
                continue;
            }
            if piece.spaced && !fresh {
                self.out.push(' ');
            }
            fresh = false;
            if piece.mate > at && !self.fits(at, end) {
                self.broken(at, piece, depth);
                at = piece.mate + 1;
            } else {
                let after = piece.mate + 1;
                self.flat_from(at, after, depth);
                at = after;
            }
        }
    }

    /// Whether what opens here fits on the line, with what must follow on it.
    fn fits(&self, at: usize, end: usize) -> bool {
        let Some(piece) = self.pieces.get(at) else { return true };
        let mut after = piece.mate + 1;
        while after < end
            && self.pieces.get(after).is_some_and(|next| next.mate == after && !next.is_comment())
        {
            after += 1;
        }
        let group = flat_width(self.pieces, at, piece.mate + 1);
        let rest = flat_width(self.pieces, piece.mate + 1, after).unwrap_or(0);
        group.is_some_and(|group| self.column() + group + rest <= WIDTH)
    }

    /// Writes a bracket and what is in it on several lines.
    fn broken(&mut self, at: usize, opening: &Piece, depth: usize) {
        let mate = opening.mate;
        self.token(at, depth);
        let mut first = at + 1;
        let comment = self
            .pieces
            .get(first)
            .filter(|next| next.kind == TokenKind::Comment && next.lines == Lines::None && first < mate);
        if comment.is_some() {
            self.trailing(first);
            first += 1;
        }
        if opening.kind == TokenKind::OpenBrace {
            self.body(first, mate, depth + 1);
        } else {
            self.elements(first, mate, depth + 1, opening.kind == TokenKind::OpenBracket);
        }
        self.new_line(depth);
        self.token(mate, depth);
    }

    /// Writes the elements of a list, each on lines of its own and with a comma behind it; whether the last one has a comma,
    /// too, is said by `comma_at_end`.
    fn elements(&mut self, mut at: usize, end: usize, depth: usize, comma_at_end: bool) {
        let mut first = true;
        while let Some(piece) = self.pieces.get(at).filter(|_| at < end) {
            if piece.lines == Lines::Empty && !first {
                self.out.push('\n');
            }
            first = false;
            if piece.is_comment() {
                self.new_line(depth);
                self.token(at, depth);
                at += 1;
                continue;
            }
            let mut stop = at;
            while let Some(next) =
                self.pieces.get(stop).filter(|next| stop < end && next.kind != TokenKind::Comma)
            {
                stop = next.mate + 1;
            }
            // Comments behind the element and before its comma stand behind the comma.
            let mut last = stop;
            while last > at + 1 && self.pieces.get(last - 1).is_some_and(Piece::is_comment) {
                last -= 1;
            }
            self.new_line(depth);
            self.run(at, last, depth);
            if stop < end || comma_at_end {
                self.out.push(',');
            }
            at = stop + usize::from(stop < end);
            let mut behind: Vec<usize> = (last..stop).collect();
            while let Some(next) = self
                .pieces
                .get(at)
                .filter(|next| at < end && next.kind == TokenKind::Comment && next.lines == Lines::None)
            {
                behind.push(at);
                at = next.mate + 1;
            }
            for (position, comment) in behind.into_iter().enumerate() {
                let own = self.pieces.get(comment).is_some_and(|piece| piece.lines > Lines::None);
                if position == 0 && !own {
                    self.trailing(comment);
                } else {
                    self.new_line(depth);
                    self.token(comment, depth);
                }
            }
        }
    }

    /// Writes pieces on one line, the first of them with the space before it unless it is at the beginning.
    fn flat(&mut self, start: usize, end: usize, at_beginning: bool) {
        for (position, piece) in self.pieces.get(start..end).unwrap_or_default().iter().enumerate() {
            if piece.spaced && !(at_beginning && position == 0) {
                self.out.push(' ');
            }
            self.out.push_str(self.text.get(piece.start..piece.end).unwrap_or_default());
        }
    }

    /// Writes a group that fits, or a single piece, behind the space that is written already.
    fn flat_from(&mut self, start: usize, end: usize, depth: usize) {
        if end == start + 1 { self.token(start, depth) } else { self.flat(start, end, true) }
    }

    /// Writes one piece.
    fn token(&mut self, at: usize, depth: usize) {
        let Some(piece) = self.pieces.get(at) else { return };
        let source = self.text.get(piece.start..piece.end).unwrap_or_default();
        match piece.kind {
            TokenKind::Comment | TokenKind::Documentation => self.out.push_str(source.trim_end()),
            TokenKind::RawString if source.contains('\n') => {
                raw::write(&mut self.out, source, depth + 1);
                self.line_start = self.out.rfind('\n').map_or(0, |feed| feed + 1);
            }
            _ => self.out.push_str(source),
        }
    }

    /// Writes a comment at the end of the line.
    fn trailing(&mut self, at: usize) {
        self.spaces(2);
        self.token(at, 0);
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    fn new_line(&mut self, depth: usize) {
        self.out.push('\n');
        self.line_start = self.out.len();
        self.spaces(depth * INDENTATION);
    }

    /// How many columns of the current line are written.
    fn column(&self) -> usize {
        columns(self.out.get(self.line_start..).unwrap_or_default())
    }
}
