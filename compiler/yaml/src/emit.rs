//! A value as text.

use crate::{Value, Writer};

/// One document, ending in a newline, without a `---` line.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut writer = Writer::new();
    write_value(value, &mut writer);
    writer.finish()
}

/// Writes a value where the writer stands.
pub(crate) fn write_value(value: &Value, writer: &mut Writer) {
    match value {
        Value::Null => writer.null(),
        Value::Bool(value) => writer.bool(*value),
        Value::Integer(value) => writer.integer(*value),
        Value::Unsigned(value) => writer.unsigned(*value),
        Value::Float(value) => writer.float(*value),
        Value::String(text) => writer.string(text),
        Value::List(items) => {
            writer.begin_list();
            for item in items {
                write_value(item, writer);
            }
            writer.end();
        }
        Value::Map(entries) => {
            writer.begin_map();
            for (key, value) in entries {
                writer.key(key);
                write_value(value, writer);
            }
            writer.end();
        }
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
    fn long_lines_are_never_folded() {
        let text = "word ".repeat(2000) + "end";
        assert_eq!(to_string(&map! { "a" => text.clone() }), format!("a: {text}\n"));
    }
}
