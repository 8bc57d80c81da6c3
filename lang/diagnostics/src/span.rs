//! Places in source files, and the map from files to their text.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use crate::copies::Copied;

/// Index of a file in a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` (bytes) of `file`.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: clamp(start), end: clamp(end) }
    }

    /// The smallest span that covers both. Both must be in the same file; otherwise `self` is returned.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span at the end of this one.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }
}

/// A value together with the place it was written at. Its hash is that of the value: what is made of it does not depend on
/// where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the source.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: convert(self.value), span: self.span }
    }
}

impl<T: Hash> Hash for Spanned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { value, span: _ } = self;
        value.hash(state);
    }
}

/// Which declaration something comes from: kept on every node of the model and of the plan, so that any later
/// stage can point at the source. Its hash is that of the name, as with [`Spanned`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The declaration's name (or the attribute that asked for this).
    pub span: Span,
    /// What a message calls it, for example ``policy `loyalty` ``. Shared, because many nodes come from one place.
    pub name: Arc<str>,
}

impl Origin {
    /// Joins a place and what a message calls it.
    pub fn new(span: Span, name: impl Into<Arc<str>>) -> Self {
        Self { span, name: name.into() }
    }
}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { span: _, name } = self;
        name.hash(state);
    }
}

/// One-based line and column; columns count Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// One-based line.
    pub line: u32,
    /// One-based column.
    pub column: u32,
}

/// A source file: its name as the user gave it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    name: String,
    text: Arc<str>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// The name as the user gave it (never made absolute).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset. An offset inside a character counts as its beginning; one past the end
    /// counts as the end.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let offset = offset as usize;
        LineColumn {
            line: number(self.line_index(offset) + 1),
            column: number(self.column_index(offset) + 1),
        }
    }

    /// The zero-based line of a byte offset.
    pub(crate) fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start as usize <= offset).saturating_sub(1)
    }

    /// Where a zero-based line begins; the end of the text for one that does not exist.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        self.line_starts.get(line).map_or(self.text.len(), |start| *start as usize)
    }

    /// How many characters stand before an offset on its line.
    pub(crate) fn column_index(&self, offset: usize) -> usize {
        let start = self.line_start(self.line_index(offset));
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.get(start..end).map_or(0, |before| before.chars().count())
    }
}

/// A file of the map, or a copy of one.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) copied: Option<Arc<Copied>>,
}

/// All source files of one compilation.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    pub(crate) entries: Vec<Entry>,
}

/// What renderers see of a copy: findings have the places of its original.
static NO_TEXT: LazyLock<SourceFile> =
    LazyLock::new(|| SourceFile { name: String::new(), text: Arc::from(""), line_starts: vec![0] });

impl SourceMap {
    /// Adds a file and returns its id. The same name may be added twice; ids stay distinct.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let mut line_starts = vec![0];
        for (offset, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                line_starts.push(u32::try_from(offset + 1).unwrap_or(u32::MAX));
            }
        }
        let id = FileId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let file = Arc::new(SourceFile { name: name.into(), text, line_starts });
        self.entries.push(Entry { file, copied: None });
        id
    }

    /// The file of an id this map gave out.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.entries.get(id.0 as usize).map(|entry| entry.file.as_ref())
    }

    /// How many bytes of text all files have; those of copies are those of their originals.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files().map(|file| file.text.len()).sum()
    }

    /// The file of a name; the first of several.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&SourceFile> {
        let written = self.entries.iter().filter(|entry| entry.copied.is_none());
        written.map(|entry| entry.file.as_ref()).find(|file| file.name() == name)
    }

    /// All files, in the order of their ids; copies without their text.
    pub(crate) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.entries.iter().map(|entry| if entry.copied.is_some() { &*NO_TEXT } else { entry.file.as_ref() })
    }

    /// The text of a span, if it lies inside its file and on character boundaries.
    #[must_use]
    pub fn text(&self, span: Span) -> Option<&str> {
        self.get(span.file)?.text.get(span.start as usize..span.end as usize)
    }

    /// Line and column of the beginning of a span.
    #[must_use]
    pub fn line_column(&self, span: Span) -> Option<LineColumn> {
        Some(self.get(span.file)?.line_column(span.start))
    }

    /// `file:line` of a span, as generated files and messages name a place.
    #[must_use]
    pub fn place(&self, span: Span) -> String {
        match (self.get(span.file), self.line_column(span)) {
            (Some(file), Some(place)) => format!("{}:{}", file.name, place.line),
            _ => String::from("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let mut map = SourceMap::default();
        let file = map.add("a.mesh", "é = 1\nb = 2\n");
        let at = |start: usize| map.line_column(Span::new(file, start, start)).unwrap();
        assert_eq!(at(0), LineColumn { line: 1, column: 1 });
        assert_eq!(at(1), LineColumn { line: 1, column: 1 });
        assert_eq!(at(3), LineColumn { line: 1, column: 3 });
        assert_eq!(at(7), LineColumn { line: 2, column: 1 });
        assert_eq!(at(999), LineColumn { line: 3, column: 1 });
        assert_eq!(map.place(Span::new(file, 8, 9)), "a.mesh:2");
    }
}
