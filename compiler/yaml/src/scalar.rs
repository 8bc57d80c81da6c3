//! How one scalar is written: which strings may stay plain, and how the others are quoted.
//!
//! The rule for plain strings is a list of what is known to be safe, not of what is known to be dangerous.
//! Sources: YAML 1.1 type repository (bool, int, float, null, timestamp, merge, value), YAML 1.2.2 §10.3 (core
//! schema), Envoy 1.40's use of yaml-cpp, where the C++ library's own number parsing decides.

use std::fmt::Write as _;

/// Words that some reader takes for a boolean, a null or a number, in lower case: readers differ in which
/// capitalisations they accept, so all are quoted.
const RESERVED: [&str; 12] =
    ["false", "inf", "infinity", "n", "nan", "no", "null", "off", "on", "true", "y", "yes"];

/// Units after which a number is certainly text: durations, and quantities as Kubernetes writes them.
const UNITS: [&str; 13] = ["Gi", "G", "Ki", "Mi", "M", "Ti", "h", "k", "m", "ms", "ns", "s", "us"];

/// The longest of [`RESERVED`].
const LONGEST_RESERVED: usize = 8;

/// What a byte may be inside a plain scalar in block context.
static PLAIN: [bool; 256] = plain_bytes();

/// True if every reader takes `text`, written without quotes on one line, for the same string.
///
/// Nearly everything that a compiler writes is asked about here, so this looks at each byte once.
pub(crate) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let starts_safely = match bytes.first() {
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'/') => true,
        Some(b'0'..=b'9') => is_quantity(text) || is_ipv4(text),
        Some(_) | None => false,
    };
    if !starts_safely {
        return false;
    }
    let mut previous = 0;
    for byte in bytes {
        // A colon is an indicator before a space; a space at the end would be lost.
        if !PLAIN.get(usize::from(*byte)).copied().unwrap_or(false) || (previous == b':' && *byte == b' ') {
            return false;
        }
        previous = *byte;
    }
    !matches!(previous, b' ' | b':')
        && (bytes.len() > LONGEST_RESERVED || !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)))
}

const fn plain_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < table.len() {
        // The index is below 256.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "below the table's length"
        )]
        {
            let byte = index as u8;
            table[index] = byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b' ' | b'_'
                        | b'-'
                        | b'.'
                        | b'/'
                        | b':'
                        | b'+'
                        | b'='
                        | b'@'
                        | b'('
                        | b')'
                        | b','
                        | b';'
                        | b'~'
                        | b'$'
                        | b'^'
                        | b'<'
                        | b'>'
                );
        }
        index += 1;
    }
    table
}

/// `15s`, `0.25s`, `128Mi`, `250m`.
fn is_quantity(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let unit = match number.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        Some(_) => return false,
        None => number,
    };
    UNITS.contains(&unit)
}

/// Four groups of digits: no reader knows a number with three dots.
fn is_ipv4(text: &str) -> bool {
    let group = |group: &str| (1..=3).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_digit());
    text.split('.').count() == 4 && text.split('.').all(group)
}

/// Writes `text` in double quotes, escaping all that is invisible, ambiguous or not allowed in a YAML file.
pub(crate) fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(position) = rest.find(|c| matches!(c, '"' | '\\') || must_escape(c)) {
        let (kept, escaped) = rest.split_at(position);
        out.push_str(kept);
        let mut letters = escaped.chars();
        match letters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(other) => write_escape(other, out),
            None => {}
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// `\xNN`, `\uNNNN` or `\UNNNNNNNN`: the shortest of the numeric forms of YAML 1.2.2 §5.7.
pub(crate) fn write_escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Characters that never appear raw: controls; what YAML 1.1 calls a line break; byte order marks; whatever a
/// reviewer could not see, above all the directional marks with which text can be made to look like other text;
/// and code points that Unicode reserves for internal use.
pub(crate) fn must_escape(c: char) -> bool {
    matches!(u32::from(c),
        0..=0x1f | 0x7f..=0xa0 | 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202f | 0x2060..=0x206f
        | 0xfdd0..=0xfdef | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Writes a double so that YAML 1.1 and 1.2 both read a double: there is always a point, and an exponent always
/// has a sign. The digits are the shortest that give the same double back.
pub(crate) fn write_float(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str(".nan");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { ".inf" } else { "-.inf" });
    } else if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        out.push_str(mantissa);
        out.push_str(if mantissa.contains('.') { "e" } else { ".0e" });
        out.push_str(if exponent.starts_with('-') { "" } else { "+" });
        out.push_str(exponent);
    } else {
        // Debug formatting keeps the point that Display drops from whole numbers.
        let _ = write!(out, "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = String::new();
        write_float(value, &mut out);
        out
    }

    #[test]
    fn names_paths_and_quantities_stay_plain() {
        for text in
            ["catalog", "outbound_.80_._.catalog", "/etc/mesh/tls.crt", "15s", "0.25s", "128Mi", "10.0.0.1"]
        {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn whatever_could_be_something_else_is_quoted() {
        for text in
            ["", "on", "No", "1e3", "0x1f", "1_000", "12:30:45", "2001-12-14", "~", "a: b", "a:", "a ", "é"]
        {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn floats_always_have_a_point_and_a_signed_exponent() {
        assert_eq!(float(1.0), "1.0");
        assert_eq!(float(-0.0), "-0.0");
        assert_eq!(float(1e300), "1.0e+300");
        assert_eq!(float(1.5e-7), "1.5e-7");
        assert_eq!(float(f64::NEG_INFINITY), "-.inf");
    }
}
