//! Lines, indentation, and comments put back where they stood.

use lang_diagnostics::{Span, Spanned};

use crate::ast::Comment;

/// Columns that a line should not exceed.
const WIDTH: usize = 100;

/// Columns of one level of indentation.
const INDENTATION: usize = 2;

/// What stands between the last text and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// A line feed.
    Line,
    /// An empty line.
    EmptyLine,
}

/// The text so far. Comments are written before the first token that follows them in the source: at the end of the
/// current line or on lines of their own, as they stood.
pub(super) struct Writer<'a> {
    text: String,
    /// Where the current line begins.
    line_start: usize,
    gap: Gap,
    depth: usize,
    /// Those not yet written, in source order.
    comments: &'a [Comment],
}

impl<'a> Writer<'a> {
    pub(super) fn new(comments: &'a [Comment]) -> Self {
        Self { text: String::new(), line_start: 0, gap: Gap::None, depth: 0, comments }
    }

    /// Asks for at least this distance to the next text.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Writes text that has no line feed.
    pub(super) fn write(&mut self, text: &str) {
        if !self.text.is_empty() && self.gap != Gap::None {
            while self.text.ends_with(' ') {
                self.text.pop();
            }
            self.text.push_str(if self.gap == Gap::Line { "\n" } else { "\n\n" });
            self.line_start = self.text.len();
        }
        if self.text.len() == self.line_start {
            self.text.push_str(&" ".repeat(self.depth * INDENTATION));
        }
        self.gap = Gap::None;
        self.text.push_str(text);
    }

    /// Writes one line of a text block: indented unless it is empty.
    pub(super) fn raw_line(&mut self, line: &str) {
        self.text.push('\n');
        self.line_start = self.text.len();
        if !line.is_empty() {
            self.text.push_str(&" ".repeat(self.depth * INDENTATION));
            self.text.push_str(line);
        }
    }

    /// Writes `body` one level deeper, on lines of its own.
    pub(super) fn indented(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.gap(Gap::Line);
        body(self);
        self.depth -= 1;
        self.gap = Gap::Line;
    }

    /// Writes `body` one level deeper, on the same line as far as it goes.
    pub(super) fn hanging(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    /// Whether a line's rest fits behind what stands on it.
    pub(super) fn fits(&self, rest: &str) -> bool {
        let column = match self.gap {
            Gap::None if !self.text.is_empty() => {
                self.text.get(self.line_start..).unwrap_or_default().chars().count()
            }
            Gap::None | Gap::Line | Gap::EmptyLine => self.depth * INDENTATION,
        };
        column + rest.chars().count() <= WIDTH
    }

    /// Whether a comment stood inside this range.
    pub(super) fn has_comment(&self, span: Span) -> bool {
        let first = self.comments.partition_point(|comment| comment.span.start < span.start);
        self.comments.get(first).is_some_and(|comment| comment.span.start < span.end)
    }

    /// Writes the comments that stood before a place of the source.
    pub(super) fn comments_before(&mut self, place: u32) {
        while let Some((comment, rest)) = self.comments.split_first() {
            if comment.span.start >= place {
                break;
            }
            self.comments = rest;
            let line = format!("//{}", comment.text);
            if comment.own_line || self.text.is_empty() {
                self.gap(Gap::Line);
                self.write(&line);
            } else {
                if !self.text.ends_with(' ') {
                    self.text.push(' ');
                }
                self.text.push_str(&line);
            }
            self.gap(Gap::Line);
        }
    }

    /// Writes documentation, and the comments that stood before it.
    pub(super) fn documentation(&mut self, documentation: Option<&Spanned<String>>) {
        let Some(documentation) = documentation else { return };
        self.comments_before(documentation.span.start);
        for line in documentation.value.split('\n') {
            self.gap(Gap::Line);
            self.write(format!("/// {line}").trim_end());
        }
        self.gap(Gap::Line);
    }

    /// The whole text, with the comments at its end.
    pub(super) fn finish(mut self) -> String {
        self.comments_before(u32::MAX);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }
}
