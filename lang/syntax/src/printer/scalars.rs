//! Names, literals and the text of strings.

use std::fmt::Write as _;

use crate::ast::{Decimal, Literal, Path, StringPart};
use crate::token::TokenKind;
use crate::units::{DURATION_UNITS, NANOS, RATE_UNITS, SIZE_UNITS, in_largest_unit};

/// The kind of bare word that a name is, or `None` if it has to be quoted everywhere.
fn word(name: &str) -> Option<TokenKind> {
    let bytes = name.as_bytes();
    let begins = bytes.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let goes_on = bytes.iter().enumerate().all(|(position, byte)| match byte {
        b'-' => bytes.get(position + 1).is_some_and(u8::is_ascii_alphanumeric),
        _ => byte.is_ascii_alphanumeric() || *byte == b'_',
    });
    (begins && goes_on).then(|| TokenKind::of_word(name))
}

fn bare_or_quoted(name: &str, may_be_bare: impl FnOnce(TokenKind) -> bool) -> String {
    if word(name).is_some_and(may_be_bare) {
        return name.to_owned();
    }
    quoted(name)
}

/// Text between quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    escape(text, false, &mut quoted);
    quoted.push('"');
    quoted
}

/// Whether a name can stand without quotes, as the kind of a block and the tag of a record must.
pub(super) fn is_bare(name: &str) -> bool {
    word(name).is_some()
}

/// A label: any word, or quoted.
pub(super) fn label(name: &str) -> String {
    bare_or_quoted(name, |_| true)
}

/// The name of an attribute: any word that is not reserved there, or quoted.
pub(super) fn key(name: &str) -> String {
    bare_or_quoted(name, |kind| !kind.is_reserved())
}

/// The word that begins a path or a tagged record.
pub(super) fn first_name(name: &str) -> String {
    bare_or_quoted(name, |kind| kind.begins_path() && name != "not")
}

/// One segment of a path.
pub(super) fn segment(name: &str, first: bool) -> String {
    if first { first_name(name) } else { label(name) }
}

pub(super) fn path(path: &Path) -> String {
    let segments = path.segments.iter().enumerate();
    segments.map(|(position, name)| segment(&name.value, position == 0)).collect::<Vec<_>>().join(".")
}

/// Appends text as it is written between quotes.
pub(super) fn escape(text: &str, interpolation_follows: bool, quoted: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '$' => match characters.peek() {
                // `$${` is the text `${`.
                Some('{') => quoted.push_str("$$"),
                // The `$` before `${…}` would make it a `$${`.
                None if interpolation_follows => quoted.push_str("\\$"),
                Some(_) | None => quoted.push('$'),
            },
            _ if character.is_control() => {
                // Writing into a string cannot fail.
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
}

/// The lines of a string that reads better, and exactly the same, between `"""`: several whole lines.
pub(super) fn text_block(parts: &[StringPart]) -> Option<&str> {
    let [StringPart::Text(text)] = parts else { return None };
    let lines = text.strip_suffix('\n')?;
    let exact = lines.contains('\n')
        && !lines.trim().is_empty()
        && !lines.contains("\"\"\"")
        && !lines.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t'))
        && lines.split('\n').all(|line| line.is_empty() || !line.trim_matches([' ', '\t']).is_empty());
    exact.then_some(lines)
}

pub(super) fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Integer(number) => number.to_string(),
        Literal::Decimal(number) => decimal(*number, 1),
        Literal::Duration(duration) => in_largest_unit(duration.milliseconds, &DURATION_UNITS),
        Literal::Rate(rate) => {
            let unit = RATE_UNITS.iter().find(|(_, unit)| *unit == rate.unit).map_or("s", |(name, _)| name);
            format!("{}/{unit}", rate.count)
        }
        Literal::Size(bytes) => in_largest_unit(*bytes, &SIZE_UNITS),
        Literal::Percentage(number) => format!("{}%", decimal(*number, 0)),
        Literal::Ip(address) => address.to_string(),
        Literal::Cidr(address, prefix) => format!("{address}/{prefix}"),
        Literal::SocketAddress(address) => address.to_string(),
        Literal::PortRange(low, high) => format!("{low}-{high}"),
        Literal::StatusClass(class) => format!("{class}xx"),
    }
}

/// A decimal with as few decimals as say it exactly, but at least `least`.
fn decimal(number: Decimal, least: usize) -> String {
    let digits = format!("{:09}", number.nanos % NANOS);
    let significant = digits.trim_end_matches('0');
    let fraction = digits.get(..significant.len().max(least)).unwrap_or(&digits);
    let whole = number.nanos / NANOS;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}
