//! Several documents in one file, under a comment that says where they come from.

use crate::scalar::{must_escape, write_escape};
use crate::{Value, to_string};

/// A YAML file: a comment on top, then documents with `---` between them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stream {
    header: String,
    documents: Vec<Value>,
}

impl Stream {
    /// A file without a comment and without documents.
    #[must_use]
    pub fn new() -> Self {
        Stream::default()
    }

    /// Sets the comment; every line of `text` becomes a line of its own.
    #[must_use]
    pub fn header(mut self, text: impl Into<String>) -> Self {
        self.header = text.into();
        self
    }

    /// Appends a document.
    #[must_use]
    pub fn document(mut self, value: impl Into<Value>) -> Self {
        self.documents.push(value.into());
        self
    }

    /// Appends documents.
    #[must_use]
    pub fn documents(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.documents.extend(values);
        self
    }

    /// The file's text. It ends in a newline unless there is nothing in it at all.
    #[must_use]
    pub fn emit(&self) -> String {
        let mut out = String::new();
        for line in self.header.lines() {
            write_comment(line, &mut out);
        }
        for (index, document) in self.documents.iter().enumerate() {
            if index > 0 {
                out.push_str("---\n");
            }
            out.push_str(&to_string(document));
        }
        out
    }
}

/// One comment line. Characters that a reader might take for the end of the line are escaped, so that no header
/// text can ever become part of the document.
fn write_comment(line: &str, out: &mut String) {
    out.push('#');
    if !line.is_empty() {
        out.push(' ');
    }
    for c in line.chars() {
        if must_escape(c) { write_escape(c, out) } else { out.push(c) }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn documents_are_separated_and_the_header_stands_on_top() {
        let stream = Stream::new().header("Generated.\n\nDo not edit.").document(map! { "a" => 1 });
        assert_eq!(
            stream.document(map! { "b" => 2 }).emit(),
            "# Generated.\n#\n# Do not edit.\na: 1\n---\nb: 2\n"
        );
    }

    #[test]
    fn a_header_cannot_end_its_own_line() {
        let stream = Stream::new().header("from a\u{85}b: 1\rc: 2\u{2028}d: 3").document(map! { "e" => 4 });
        assert_eq!(stream.emit(), "# from a\\x85b: 1\\x0dc: 2\\u2028d: 3\ne: 4\n");
    }
}
