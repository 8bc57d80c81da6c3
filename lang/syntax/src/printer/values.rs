//! Values on as many lines as they need.

use super::writer::{Gap, Writer};
use super::{attribute, inline, scalars};
use crate::ast::{Attribute, StringPart, Value, ValueKind};

/// Writes a value behind what stands on the line.
pub(super) fn value(writer: &mut Writer<'_>, value: &Value) {
    writer.hanging(|writer| writer.comments_before(value.span.start));
    if !writer.has_comment(value.span)
        && let Some(line) = inline::value(value)
        && writer.fits(&line)
    {
        return writer.write(&line);
    }
    match &value.kind {
        ValueKind::Boolean(value) => writer.write(&value.to_string()),
        ValueKind::String(parts) => string(writer, parts),
        ValueKind::Literal(literal) => writer.write(&scalars::literal(literal)),
        ValueKind::Path(path) => {
            for (position, segment) in path.segments.iter().enumerate() {
                if position > 0 {
                    writer.write(".");
                }
                writer.hanging(|writer| {
                    writer.comments_before(segment.span.start);
                    writer.write(&scalars::segment(&segment.value, position == 0));
                });
            }
        }
        ValueKind::List(values) => {
            writer.write("[");
            writer.indented(|writer| {
                for element in values.iter().filter(|element| inline::is_printable(element)) {
                    writer.gap(Gap::Line);
                    writer.comments_before(element.span.start);
                    self::value(writer, element);
                    writer.write(",");
                }
                writer.comments_before(value.span.end.saturating_sub(1));
            });
            writer.write("]");
        }
        ValueKind::Record(entries) => record(writer, entries, value.span.end),
        ValueKind::Tagged(tag, entries) => {
            writer.write(&format!("{} ", scalars::first_name(&tag.value)));
            record(writer, entries, value.span.end);
        }
        ValueKind::In(left, right) => operation(writer, left, " in ", right),
        ValueKind::Arrow(left, right) => operation(writer, left, " -> ", right),
        ValueKind::Group(inner) => {
            writer.write("(");
            self::value(writer, inner);
            writer.write(")");
        }
        ValueKind::If(choice) => {
            let parts = [("if ", &choice.condition), (" then ", &choice.then), (" else ", &choice.otherwise)];
            for (word, part) in parts {
                writer.write(word);
                self::value(writer, part);
            }
        }
        ValueKind::Logic(connective, operands) => {
            for (position, operand) in operands.iter().enumerate() {
                if position > 0 {
                    writer.write(&format!(" {} ", connective.text()));
                }
                self::value(writer, operand);
            }
        }
        ValueKind::Not(inner) => {
            writer.write("not ");
            self::value(writer, inner);
        }
        ValueKind::Compare(comparison, sides) => {
            operation(writer, &sides.0, &format!(" {} ", comparison.text()), &sides.1);
        }
        ValueKind::Spread(inner) => {
            writer.write("...");
            self::value(writer, inner);
        }
        ValueKind::Invalid => {}
    }
}

fn operation(writer: &mut Writer<'_>, left: &Value, operator: &str, right: &Value) {
    value(writer, left);
    writer.write(operator);
    value(writer, right);
}

fn record(writer: &mut Writer<'_>, entries: &[Attribute], end: u32) {
    writer.write("{");
    writer.indented(|writer| {
        for entry in entries.iter().filter(|entry| inline::is_printable(&entry.value)) {
            writer.gap(Gap::Line);
            attribute(writer, entry);
        }
        writer.comments_before(end.saturating_sub(1));
    });
    writer.write("}");
}

fn string(writer: &mut Writer<'_>, parts: &[StringPart]) {
    let Some(block) = scalars::text_block(parts) else {
        // Too long for the line, but a string cannot be broken.
        return writer.write(&inline::string(parts).unwrap_or_default());
    };
    writer.write("\"\"\"");
    writer.hanging(|writer| {
        for line in block.split('\n') {
            writer.raw_line(line);
        }
        writer.raw_line("\"\"\"");
    });
}
