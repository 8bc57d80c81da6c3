//! Text of strings: escapes, `$${`, and the dedent of `"""`.

/// An escape that means nothing: its place inside the decoded text's source, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadEscape {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Resolves escapes in a stretch of literal text between quotes or interpolations. What is not understood is kept
/// as it stands and reported.
pub(crate) fn unescape(source: &str, bad: &mut Vec<BadEscape>) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['\\', '$']) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(plain);
        if let Some(after) = special.strip_prefix("$${") {
            text.push_str("${");
            rest = after;
        } else if let Some(after) = special.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else {
            let (character, length) = escape(special);
            let (written, after) = special.split_at_checked(length).unwrap_or((special, ""));
            match character {
                Some(character) => text.push(character),
                None => {
                    let start = source.len() - special.len();
                    bad.push(BadEscape { start, end: start + length });
                    text.push_str(written);
                }
            }
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

/// The character that the escape at the beginning of `source` stands for, and how many bytes it is written with.
fn escape(source: &str) -> (Option<char>, usize) {
    let escaped = source.chars().nth(1);
    let length = 1 + escaped.map_or(0, char::len_utf8);
    match escaped {
        Some('n') => (Some('\n'), length),
        Some('t') => (Some('\t'), length),
        Some('r') => (Some('\r'), length),
        Some(character @ ('"' | '\\' | '$')) => (Some(character), length),
        Some('u') => match source.strip_prefix("\\u{").and_then(|digits| digits.split_once('}')) {
            Some((digits, _)) if digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                (character, "\\u{}".len() + digits.len())
            }
            _ => (None, length),
        },
        Some(_) | None => (None, length),
    }
}

/// The text of `"""…"""` (without the quotes). A line feed right after the opening quotes does not count, a line
/// that holds only the closing quotes gives its indentation, and the smallest indentation of all lines that are not
/// blank is taken away. Blank lines become empty; `\r\n` becomes `\n`.
pub(crate) fn dedent(source: &str) -> String {
    let source = source.replace("\r\n", "\n");
    let Some((first, body)) = source.split_once('\n') else {
        return source;
    };
    let lines: Vec<&str> = body.split('\n').collect();
    let closing = lines.len().saturating_sub(1);
    let indentation = |line: &str| line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let blank = |line: &str| indentation(line) == line.len();
    let smallest = lines
        .iter()
        .enumerate()
        .filter(|(number, line)| *number == closing || !blank(line))
        .map(|(_, line)| indentation(line))
        .min()
        .unwrap_or(0);
    let mut text = String::with_capacity(source.len());
    if !blank(first) {
        text.push_str(first);
        text.push('\n');
    }
    for (number, line) in lines.iter().enumerate() {
        if !blank(line) {
            text.push_str(line.get(smallest..).unwrap_or_default());
        }
        if number != closing {
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut bad = Vec::new();
        assert_eq!(unescape(r#"a\n\t\"\\\$ $ $$ $${x} \u{e9}"#, &mut bad), "a\n\t\"\\$ $ $$ ${x} é");
        assert_eq!(bad, []);
        assert_eq!(unescape(r"é\q \u{110000} \u12", &mut bad), r"é\q \u{110000} \u12");
        let places: Vec<_> = bad.iter().map(|bad| (bad.start, bad.end)).collect();
        assert_eq!(places, [(2, 4), (5, 15), (16, 18)]);
    }

    #[test]
    fn dedent_takes_the_smallest_indentation_away() {
        assert_eq!(dedent("one line"), "one line");
        assert_eq!(dedent("\n    a\n      b\n\n    "), "a\n  b\n\n");
        assert_eq!(dedent("\n    a\n  "), "  a\n");
        assert_eq!(dedent("\r\n    a\r\n    b"), "a\nb");
        assert_eq!(dedent("x\n  y\n  "), "x\ny\n");
    }
}
