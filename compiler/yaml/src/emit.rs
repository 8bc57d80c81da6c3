//! Block style, two spaces of indentation, LF, nothing folded.

use std::fmt::Write as _;

use crate::Value;
use crate::scalar::{is_plain, must_escape, write_float, write_quoted};

/// A key longer than this is written after `? `: readers give up looking for the colon of a simple key after
/// 1,024 characters (YAML 1.2.2 §7.4).
const LONGEST_SIMPLE_KEY: usize = 1000;

/// One document, ending in a newline, without a `---` line.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write_document(value, &mut out);
    out
}

/// Appends one document, ending in a newline.
pub(crate) fn write_document(value: &Value, out: &mut String) {
    match value {
        Value::Map(entries) if !entries.is_empty() => write_map(entries, 0, out),
        Value::List(items) if !items.is_empty() => write_list(items, 0, out),
        Value::String(text) if is_literal(text) => write_literal(text, 2, out),
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Unsigned(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_) => {
            write_inline(value, out);
            out.push('\n');
        }
    }
}

/// Writes entries whose first line is already indented: the caller stands at column `indent`.
fn write_map(entries: &[(String, Value)], indent: usize, out: &mut String) {
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            write_indent(indent, out);
        }
        let start = out.len();
        write_text(key, out);
        if out.len() - start > LONGEST_SIMPLE_KEY {
            out.insert_str(start, "? ");
            out.push('\n');
            write_indent(indent, out);
        }
        out.push(':');
        match value {
            Value::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                write_indent(indent + 2, out);
                write_map(entries, indent + 2, out);
            }
            Value::List(items) if !items.is_empty() => {
                // A list in a map stands at the map's own column, as Kubernetes and Envoy users write it.
                out.push('\n');
                write_indent(indent, out);
                write_list(items, indent, out);
            }
            Value::String(text) if is_literal(text) => {
                out.push(' ');
                write_literal(text, indent + 2, out);
            }
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_) => {
                out.push(' ');
                write_inline(value, out);
                out.push('\n');
            }
        }
    }
}

/// Writes items whose first line is already indented: the caller stands at column `indent`.
fn write_list(items: &[Value], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write_indent(indent, out);
        }
        out.push_str("- ");
        match item {
            Value::Map(entries) if !entries.is_empty() => write_map(entries, indent + 2, out),
            Value::List(items) if !items.is_empty() => write_list(items, indent + 2, out),
            Value::String(text) if is_literal(text) => write_literal(text, indent + 2, out),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_) => {
                write_inline(item, out);
                out.push('\n');
            }
        }
    }
}

/// Scalars and empty collections, without a line break.
fn write_inline(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(value) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{value}");
        }
        Value::Unsigned(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => write_float(*value, out),
        Value::String(text) => write_text(text, out),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
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
            write_indent(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn write_indent(columns: usize, out: &mut String) {
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
    use crate::{list, map};

    #[test]
    fn nests_maps_and_lists_in_block_style() {
        let value = map! {
            "a" => map! { "b" => list![1, list!["x", list![]], map! { "c" => Value::Null, "d" => map! {} }] },
            "e" => 0.5,
        };
        assert_eq!(to_string(&value), "a:\n  b:\n  - 1\n  - - x\n    - []\n  - c: null\n    d: {}\ne: 0.5\n");
    }

    #[test]
    fn text_of_several_lines_is_a_literal_block() {
        let value = map! { "pem" => "-----BEGIN-----\nAA==\n-----END-----\n", "lua" => "if x\n\n  y\nend" };
        assert_eq!(
            to_string(&value),
            "pem: |\n  -----BEGIN-----\n  AA==\n  -----END-----\nlua: |-\n  if x\n\n    y\n  end\n"
        );
    }

    #[test]
    fn text_that_a_literal_block_would_change_is_quoted() {
        for text in [" a\nb", "\na", "a\n\n", "a \nb", "a\n\tb", "a\r\nb", "a\u{2028}\nb", "\n"] {
            assert!(!is_literal(text), "{text:?}");
        }
    }

    #[test]
    fn a_very_long_key_is_written_explicitly() {
        let key = "k".repeat(LONGEST_SIMPLE_KEY + 1);
        assert_eq!(to_string(&map! { key.clone() => 1 }), format!("? {key}\n: 1\n"));
    }

    #[test]
    fn long_lines_are_never_folded() {
        let text = "word ".repeat(2000) + "end";
        assert_eq!(to_string(&map! { "a" => text.clone() }), format!("a: {text}\n"));
    }
}
