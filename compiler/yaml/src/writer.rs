//! Block style, two spaces of indentation, LF, nothing folded: a document written piece by piece.

use std::fmt::Write as _;

use crate::scalar::{is_plain, must_escape, write_float, write_quoted};

/// A key longer than this is written after `? `: readers give up looking for the colon of a simple key after
/// 1,024 characters (YAML 1.2.2 §7.4).
const LONGEST_SIMPLE_KEY: usize = 1000;

/// Writes one document from beginning to end, for those who know it in that order and have no use for a
/// [`Value`](crate::Value).
///
/// In a list every value is an item; in a map every value follows its [`Writer::key`].
///
/// ```
/// let mut writer = meshc_yaml::Writer::new();
/// writer.begin_map();
/// writer.key("ports");
/// writer.begin_list();
/// writer.unsigned(80);
/// writer.end();
/// writer.end();
/// assert_eq!(writer.finish(), "ports:\n- 80\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Writer {
    out: String,
    /// The open collections, innermost last.
    open: Vec<Collection>,
    /// What stands before the next value.
    after: After,
}

/// What was written last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum After {
    /// Nothing, or a whole item or entry.
    #[default]
    Line,
    /// `key:`
    Key,
    /// `- `
    Dash,
}

#[derive(Debug, Clone, Copy)]
struct Collection {
    is_list: bool,
    /// Nothing was written of it yet; it will be `[]` or `{}` if that stays so.
    is_empty: bool,
    /// The column of its items or keys.
    indent: usize,
    /// What stands before it.
    after: After,
}

impl Writer {
    /// A document of which nothing is written yet.
    #[must_use]
    pub fn new() -> Self {
        Writer::default()
    }

    /// The document, ending in a newline.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// Begins a map, which lasts until its [`Writer::end`].
    pub fn begin_map(&mut self) {
        self.begin(false);
    }

    /// Begins a list, which lasts until its [`Writer::end`].
    pub fn begin_list(&mut self) {
        self.begin(true);
    }

    /// Ends the map or list that was begun last.
    pub fn end(&mut self) {
        let Some(collection) = self.open.pop() else { return };
        if collection.is_empty {
            self.after = collection.after;
            self.inline(if collection.is_list { "[]" } else { "{}" });
        }
    }

    /// Writes the key of the next entry. The caller takes care that keys are distinct.
    pub fn key(&mut self, key: &str) {
        let indent = self.next_line();
        let start = self.out.len();
        self.text(key);
        if self.out.len() - start > LONGEST_SIMPLE_KEY {
            self.out.insert_str(start, "? ");
            self.out.push('\n');
            indent_by(indent, &mut self.out);
        }
        self.out.push(':');
        self.after = After::Key;
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.begin_value();
        self.inline("null");
    }

    /// Writes a truth value.
    pub fn bool(&mut self, value: bool) {
        self.begin_value();
        self.inline(if value { "true" } else { "false" });
    }

    /// Writes a whole number.
    pub fn integer(&mut self, value: i64) {
        self.begin_value();
        self.line(|out| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{value}");
        });
    }

    /// Writes a whole number that is not negative.
    pub fn unsigned(&mut self, value: u64) {
        self.begin_value();
        self.line(|out| {
            let _ = write!(out, "{value}");
        });
    }

    /// Writes a number with a fraction or an exponent.
    pub fn float(&mut self, value: f64) {
        self.begin_value();
        self.line(|out| write_float(value, out));
    }

    /// Writes text in the notation that keeps it.
    pub fn string(&mut self, text: &str) {
        self.begin_value();
        if is_literal(text) {
            let indent = self.open.last().map_or(0, |collection| collection.indent) + 2;
            self.space();
            write_literal(text, indent, &mut self.out);
            self.after = After::Line;
        } else {
            self.line(|out| write_text(text, out));
        }
    }

    fn begin(&mut self, is_list: bool) {
        self.begin_value();
        let outer = self.open.last().map_or(0, |collection| collection.indent);
        let indent = match self.after {
            After::Line => 0,
            // A list in a map stands at the map's own column, as Kubernetes and Envoy users write it.
            After::Key if is_list => outer,
            After::Key | After::Dash => outer + 2,
        };
        self.open.push(Collection { is_list, is_empty: true, indent, after: self.after });
        self.after = After::Line;
    }

    /// In a list every value begins with a dash.
    fn begin_value(&mut self) {
        if self.after == After::Line && self.open.last().is_some_and(|collection| collection.is_list) {
            self.next_line();
            self.out.push_str("- ");
            self.after = After::Dash;
        }
    }

    /// Goes to the column of the next item or key of the innermost collection, and returns that column.
    fn next_line(&mut self) -> usize {
        let Some(collection) = self.open.last_mut() else { return 0 };
        let indent = collection.indent;
        let is_first = std::mem::replace(&mut collection.is_empty, false);
        match (is_first, collection.after) {
            // The first item stands behind the dash of the list around it, or at the document's beginning.
            (true, After::Dash | After::Line) => {}
            (true, After::Key) => {
                self.out.push('\n');
                indent_by(indent, &mut self.out);
            }
            (false, _) => indent_by(indent, &mut self.out),
        }
        indent
    }

    fn inline(&mut self, text: &str) {
        self.line(|out| out.push_str(text));
    }

    fn line(&mut self, write: impl FnOnce(&mut String)) {
        self.space();
        write(&mut self.out);
        self.out.push('\n');
        self.after = After::Line;
    }

    /// A value on the line of its key is set apart from it.
    fn space(&mut self) {
        if self.after == After::Key {
            self.out.push(' ');
        }
    }

    fn text(&mut self, text: &str) {
        write_text(text, &mut self.out);
    }
}

fn write_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        write_quoted(text, out);
    }
}

/// True if `text` has several lines and survives as a literal block in every reader: the first line shows the
/// indentation, no line begins or ends with white space that an editor or a reader might take away, at most one
/// newline ends the text, and nothing in it needs an escape.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    text.contains('\n')
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.is_empty()
        && body.split('\n').all(|line| !line.starts_with('\t') && !line.ends_with([' ', '\t']))
        && !body.chars().any(|c| c != '\n' && c != '\t' && must_escape(c))
}

/// `|` keeps the final newline, `|-` says there is none.
fn write_literal(text: &str, indent: usize, out: &mut String) {
    out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent_by(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn indent_by(columns: usize, out: &mut String) {
    const SPACES: &str = "                                                                ";
    let mut left = columns;
    while left > 0 {
        let part = left.min(SPACES.len());
        out.push_str(SPACES.get(..part).unwrap_or(SPACES));
        left -= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_literal_block_would_change_is_quoted() {
        for text in [" a\nb", "\na", "a\n\n", "a \nb", "a\n\tb", "a\r\nb", "a\u{2028}\nb", "\n"] {
            assert!(!is_literal(text), "{text:?}");
        }
    }

    #[test]
    fn a_very_long_key_is_written_explicitly() {
        let key = "k".repeat(LONGEST_SIMPLE_KEY + 1);
        let mut writer = Writer::new();
        writer.begin_map();
        writer.key(&key);
        writer.begin_list();
        writer.null();
        writer.end();
        writer.end();
        assert_eq!(writer.finish(), format!("? {key}\n:\n- null\n"));
    }

    #[test]
    fn collections_without_content_are_written_in_line() {
        let mut writer = Writer::new();
        writer.begin_list();
        writer.begin_list();
        writer.end();
        writer.begin_map();
        writer.key("a");
        writer.begin_map();
        writer.end();
        writer.key("b");
        writer.begin_list();
        writer.end();
        writer.end();
        writer.end();
        assert_eq!(writer.finish(), "- []\n- a: {}\n  b: []\n");
    }
}
