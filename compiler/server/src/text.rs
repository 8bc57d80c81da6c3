//! A text with what is asked of it: lines, tokens, tree, names. Each is made once, when it is first needed.

use std::cell::OnceCell;

use lang_diagnostics::{FileId, Sink, Span};
use lang_syntax::{Token, ast};
use ls_types::{Position, Range, TextDocumentContentChangeEvent, TextEdit};

use crate::position::{Encoding, Lines};
use crate::scopes::{self, Scopes};

/// One version of a text.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    lines: OnceCell<Lines>,
    tokens: OnceCell<Vec<Token>>,
    tree: OnceCell<ast::File>,
    scopes: OnceCell<Scopes>,
}

/// The id that places in a text alone have.
pub(crate) const ALONE: FileId = FileId(0);

impl Text {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lines: OnceCell::new(),
            tokens: OnceCell::new(),
            tree: OnceCell::new(),
            scopes: OnceCell::new(),
        }
    }

    /// The text after a change that a client reports.
    pub(crate) fn changed(&self, change: &TextDocumentContentChangeEvent, encoding: Encoding) -> Self {
        let Some(range) = change.range else { return Self::new(change.text.as_str()) };
        let (start, end) = (self.offset(range.start, encoding), self.offset(range.end, encoding));
        let (start, end) = (start.min(end), start.max(end));
        let mut text = String::with_capacity(self.text.len() + change.text.len());
        text.push_str(self.text.get(..start).unwrap_or_default());
        text.push_str(&change.text);
        text.push_str(self.text.get(end..).unwrap_or_default());
        Self::new(text)
    }

    fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::new(&self.text))
    }

    /// The tokens, white space and comments included.
    pub(crate) fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| lang_syntax::lex(&self.text))
    }

    /// The tree, as far as it can be read.
    pub(crate) fn tree(&self) -> &ast::File {
        self.tree.get_or_init(|| lang_syntax::parse(ALONE, &self.text, &mut Sink::default()))
    }

    /// What `let`, `template` and the like declare, and where it is named.
    pub(crate) fn scopes(&self) -> &Scopes {
        self.scopes.get_or_init(|| scopes::of(self.tree()))
    }

    pub(crate) fn offset(&self, position: Position, encoding: Encoding) -> usize {
        self.lines().offset(&self.text, position, encoding)
    }

    pub(crate) fn position(&self, offset: usize, encoding: Encoding) -> Position {
        self.lines().position(&self.text, offset, encoding)
    }

    pub(crate) fn range(&self, span: Span, encoding: Encoding) -> Range {
        self.lines().range(&self.text, span.start as usize, span.end as usize, encoding)
    }

    /// The text of a place.
    pub(crate) fn at(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// What changes this text into another one: what is alike at both ends stays.
    pub(crate) fn edit_to(&self, after: &str, encoding: Encoding) -> Option<TextEdit> {
        if self.text == after {
            return None;
        }
        let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| -> usize {
            a.zip(b).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum()
        };
        let start = same(&mut self.text.chars(), &mut after.chars());
        let (rest, rest_after) = (self.text.get(start..)?, after.get(start..)?);
        let tail = same(&mut rest.chars().rev(), &mut rest_after.chars().rev());
        let (end, end_after) = (self.text.len() - tail, after.len() - tail);
        let range = self.lines().range(&self.text, start, end, encoding);
        Some(TextEdit { range, new_text: after.get(start..end_after)?.to_owned() })
    }
}

/// Whether an offset is in a place or at its end, where the cursor is behind a word.
pub(crate) fn touches(span: Span, offset: usize) -> bool {
    (span.start as usize..=span.end as usize).contains(&offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_applied_where_they_are() {
        let text = Text::new("mesh é {\n}\n");
        let range = Range { start: Position::new(0, 5), end: Position::new(0, 6) };
        let change = |range, text: &str| TextDocumentContentChangeEvent {
            range,
            range_length: None,
            text: text.to_owned(),
        };
        let changed = text.changed(&change(Some(range), "shop"), Encoding::Utf16);
        assert_eq!(changed.text, "mesh shop {\n}\n");
        assert_eq!(text.changed(&change(None, "x"), Encoding::Utf16).text, "x");
    }

    #[test]
    fn an_edit_leaves_alone_what_is_alike() {
        let text = Text::new("a  = 1\nb = 2\nc = 3\n");
        let edit = text.edit_to("a  = 1\nb = 20\nc = 3\n", Encoding::Utf16).unwrap();
        assert_eq!((edit.new_text.as_str(), edit.range.start), ("0", Position::new(1, 5)));
        assert_eq!(text.edit_to("a  = 1\nb = 2\nc = 3\n", Encoding::Utf16), None);
        let shorter = text.edit_to("", Encoding::Utf16).unwrap();
        assert_eq!(shorter.range.end, Position::new(3, 0));
    }
}
