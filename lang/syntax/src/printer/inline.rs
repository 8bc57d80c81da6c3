//! Values on one line.

use super::scalars;
use crate::ast::{Attribute, Conditional, StringPart, Value, ValueKind};

/// How text of several lines is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// Between `"""`, and so not on one line.
    Block,
    /// With escapes: the only way inside another string.
    Escaped,
}

/// `name = value`, unless it is documented or its value needs several lines.
pub(super) fn attribute(attribute: &Attribute) -> Option<String> {
    attribute_with(attribute, Text::Block)
}

/// The value, unless it needs several lines or is no value.
pub(super) fn value(value: &Value) -> Option<String> {
    value_with(value, Text::Block)
}

/// The value on one line whatever it is, text of several lines with escapes.
pub(super) fn escaped(value: &Value) -> Option<String> {
    value_with(value, Text::Escaped)
}

fn attribute_with(attribute: &Attribute, text: Text) -> Option<String> {
    if attribute.documentation.is_some() {
        return None;
    }
    if matches!(attribute.value.kind, ValueKind::Spread(_)) {
        return value_with(&attribute.value, text);
    }
    Some(format!("{} = {}", scalars::key(&attribute.name.value), value_with(&attribute.value, text)?))
}

fn value_with(value: &Value, text: Text) -> Option<String> {
    let line = match &value.kind {
        ValueKind::Boolean(value) => value.to_string(),
        ValueKind::String(parts) => {
            if text == Text::Block && scalars::text_block(parts).is_some() {
                return None;
            }
            string(parts)?
        }
        ValueKind::Literal(literal) => scalars::literal(literal),
        ValueKind::Path(path) => scalars::path(path),
        ValueKind::List(values) => {
            let values: Option<Vec<String>> = values.iter().map(|value| value_with(value, text)).collect();
            format!("[{}]", values?.join(", "))
        }
        ValueKind::Record(entries) => record(entries, text)?,
        // A tag cannot be quoted.
        ValueKind::Tagged(tag, _) if !scalars::is_bare(&tag.value) => return None,
        ValueKind::Tagged(tag, entries) => {
            format!("{} {}", scalars::first_name(&tag.value), record(entries, text)?)
        }
        ValueKind::In(left, right) => format!("{} in {}", value_with(left, text)?, value_with(right, text)?),
        ValueKind::Arrow(left, right) => {
            format!("{} -> {}", value_with(left, text)?, value_with(right, text)?)
        }
        ValueKind::Group(inner) => format!("({})", value_with(inner, text)?),
        ValueKind::If(choice) => {
            let Conditional { condition, then, otherwise } = choice.as_ref();
            let [condition, then, otherwise] =
                [condition, then, otherwise].map(|value| value_with(value, text));
            format!("if {} then {} else {}", condition?, then?, otherwise?)
        }
        ValueKind::Logic(connective, operands) => {
            let operands: Option<Vec<_>> = operands.iter().map(|value| value_with(value, text)).collect();
            operands?.join(&format!(" {} ", connective.text()))
        }
        ValueKind::Not(inner) => format!("not {}", value_with(inner, text)?),
        ValueKind::Compare(comparison, sides) => {
            format!("{} {} {}", value_with(&sides.0, text)?, comparison.text(), value_with(&sides.1, text)?)
        }
        ValueKind::Spread(inner) => format!("...{}", value_with(inner, text)?),
        ValueKind::Invalid => return None,
    };
    Some(line)
}

fn record(entries: &[Attribute], text: Text) -> Option<String> {
    if entries.is_empty() {
        return Some(String::from("{}"));
    }
    let entries: Option<Vec<String>> = entries.iter().map(|entry| attribute_with(entry, text)).collect();
    Some(format!("{{ {} }}", entries?.join(", ")))
}

/// A string in quotes.
pub(super) fn string(parts: &[StringPart]) -> Option<String> {
    let mut quoted = String::from("\"");
    for (position, part) in parts.iter().enumerate() {
        match part {
            StringPart::Text(part) => {
                let interpolation_follows =
                    matches!(parts.get(position + 1), Some(StringPart::Interpolation(_)));
                scalars::escape(part, interpolation_follows, &mut quoted);
            }
            StringPart::Interpolation(value) => {
                quoted.push_str("${");
                quoted.push_str(&value_with(value, Text::Escaped)?);
                quoted.push('}');
            }
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// Whether everything in the value was understood, so that it can be printed. Lists and records leave out single
/// elements instead; inside a string, where everything is on one line, they must be whole.
pub(super) fn is_printable(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Path(_) => true,
        ValueKind::List(_) | ValueKind::Record(_) => true,
        ValueKind::Tagged(tag, _) => scalars::is_bare(&tag.value),
        ValueKind::String(parts) => string(parts).is_some(),
        ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
            is_printable(left) && is_printable(right)
        }
        ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => is_printable(inner),
        ValueKind::If(choice) => {
            [&choice.condition, &choice.then, &choice.otherwise].into_iter().all(is_printable)
        }
        ValueKind::Logic(_, operands) => operands.iter().all(is_printable),
        ValueKind::Compare(_, sides) => is_printable(&sides.0) && is_printable(&sides.1),
        ValueKind::Invalid => false,
    }
}
