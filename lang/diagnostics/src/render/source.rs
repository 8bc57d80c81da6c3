//! A source file as miette reads it: a window of lines around a place, found through the file's own line table.
//!
//! miette's own reading of a text walks it from the beginning for every label, and counts the lines of a window from
//! there, so that two places far apart are shown with everything between them.

use std::borrow::Cow;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::visible::visible;
use crate::{SourceFile, SourceMap};

/// A window of more bytes than this shows only what is right around the place: some file has all its text on one line.
const LONGEST: usize = 2000;

/// How many bytes of a line are shown before and behind a place then.
const AROUND: usize = 60;

/// A file with its text made harmless.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    file: &'a SourceFile,
    text: Cow<'a, str>,
}

/// All files, each at the position that its id says.
pub(super) fn shown(sources: &SourceMap) -> Vec<Shown<'_>> {
    sources.files().map(|file| Shown { file, text: visible(file.text()) }).collect()
}

impl Shown<'_> {
    pub(super) fn name(&self) -> &str {
        self.file.name()
    }

    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    /// The nearest place at or before an offset that is not inside a character.
    fn boundary(&self, mut offset: usize) -> usize {
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

impl SourceCode for Shown<'_> {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let (start, length) = (span.offset(), span.len());
        let last = self.file.line_index((start + length.saturating_sub(1)).max(start));
        let first = self.file.line_index(start);
        let line = first.saturating_sub(before);
        // Without lines before it, the window begins at the place itself.
        let (from, column) = if before == 0 {
            (start, self.file.column_index(start))
        } else {
            (self.file.line_start(line), 0)
        };
        let to = self.file.line_start(last + after + 1);
        let (line, from, to) = if to.saturating_sub(from) > LONGEST {
            let from = start.saturating_sub(AROUND).max(self.file.line_start(first)).max(from);
            let to = (start + length + AROUND).min(self.file.line_start(last + 1));
            (first, self.boundary(from), self.boundary(to))
        } else {
            (line, from, to)
        };
        let window = self.text.get(from..to).ok_or(MietteError::OutOfBounds)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.name().to_owned(),
            window.as_bytes(),
            (from, window.len()).into(),
            line,
            column,
            last + after + 1 - line,
        )))
    }
}
