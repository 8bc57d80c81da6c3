//! Strings that YAML readers are known to misread: shared by every test that shows they survive.

/// Text that some reader takes for something else, or changes, if it is written carelessly. Tests write each of
/// these as a value and as a key and compare what Envoy, Python, Go and Rust readers give back.
///
/// Sorted and distinct; no string is longer than 100 kB, and none holds NUL, which no command line could pass on.
#[must_use]
pub fn nasty_strings() -> Vec<String> {
    let mut strings: Vec<String> =
        TYPES.iter().chain(SYNTAX).chain(CHARACTERS).map(|s| (*s).to_owned()).collect();
    strings
        .extend(WORDS.iter().flat_map(|word| [word.to_lowercase(), word.to_uppercase(), capitalised(word)]));
    strings.extend((1..0x20).filter_map(char::from_u32).map(|c| format!("a{c}b")));
    strings.extend((0x7f..0xa1).filter_map(char::from_u32).map(|c| format!("a{c}b")));
    strings.push("word ".repeat(4000) + "end");
    strings.push("x".repeat(100_000));
    strings.push(format!("{}\n{}", "long ".repeat(400) + "line", "and another"));
    strings.push(pem());
    strings.push(format!("{}{}", pem(), pem()));
    strings.push(pem().replace('\n', "\r\n"));
    strings.sort();
    strings.dedup();
    strings
}

/// What a certificate looks like; the body is no certificate.
fn pem() -> String {
    let line = "MIIBtjCCAVugAwIBAgIUQ1f8cF0m3b8y+/ZsO0lJw5nX2hQwCgYIKoZIzj0EAwI1";
    format!("-----BEGIN CERTIFICATE-----\n{line}\n{line}\nAA==\n-----END CERTIFICATE-----\n")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Words that are a boolean, a null or a number in some schema and some capitalisation.
const WORDS: &[&str] =
    &["on", "off", "yes", "no", "y", "n", "true", "false", "null", "nan", "inf", "infinity", "nil", "none"];

/// Text that looks like a value of another type.
const TYPES: &[&str] = &[
    "~",
    ".inf",
    "-.inf",
    "+.inf",
    ".INF",
    ".nan",
    ".NaN",
    "+inf",
    "-inf",
    "0",
    "-0",
    "+0",
    "00",
    "1",
    "-1",
    "+1",
    "1.0",
    "1.",
    ".5",
    "-.5",
    "1e3",
    "1E3",
    "1e+3",
    "1.5e-3",
    "1e",
    "e3",
    "0o7",
    "0o8",
    "07",
    "08",
    "0x1f",
    "0xg",
    "0X1F",
    "0b101",
    "0b2",
    "1_000",
    "1_000.5",
    "_1",
    "1__0",
    "0x1.8p3",
    "12:30:45",
    "12:30",
    "1:2",
    "190:20:30.15",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2002-1-1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "-1e400",
    "123456789012345678901234567890",
    "1.2.3",
    "1.2.3.4",
    "10.0.0.0/16",
    "15s",
    "1.5s",
    "1.s",
    "128Mi",
    "100m",
    "1M",
    "5e",
    "5n",
    "1h30m",
    "<<",
    "=",
    "!!null",
    "!!binary aGk=",
    "${VAR}",
    "$(VAR)",
    "{{ .Values.x }}",
    "%YAML 1.2",
    "face",
    "dead",
    "c0ffee",
];

/// Text that looks like YAML's own signs.
const SYNTAX: &[&str] = &[
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "-",
    "--",
    "---",
    "--- a",
    "...",
    "... a",
    "- ",
    "- a",
    "-a",
    "?",
    "? a",
    "?a",
    ":",
    ": ",
    ": a",
    ":a",
    "a:",
    "a: b",
    "a : b",
    "a :b",
    "a:b",
    "#",
    "# a",
    "#a",
    "a #b",
    "a# b",
    "a#",
    ",",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "[a]",
    "{a: b}",
    "&",
    "&a",
    "&a b",
    "*",
    "*a",
    "!",
    "!a",
    "!a b",
    "|",
    "|-",
    "|+",
    "|2",
    ">",
    ">-",
    "'",
    "''",
    "'a'",
    "a'b",
    "\"",
    "\"\"",
    "\"a\"",
    "a\"b",
    "\\",
    "\\n",
    "a\\",
    "%",
    "%a",
    "@",
    "@type",
    "`",
    "`a`",
    "~a",
    "a~",
    "=a",
    "<a",
    "/",
    "//items",
    "/%69tems",
    " a",
    "a ",
    "  a  ",
    "\ta",
    "a\t",
    "a\tb",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "\na",
    "\n a",
    " a\nb",
    "a\n b",
    "a \nb",
    "a\n\nb",
    "a\n\tb",
    "a\nb ",
    "a\n ",
    "a\n \n",
    "a\r\nb",
    "a\r\nb\r\n",
    "a\rb",
    "---\na: b\n---\n",
    "# a\nb",
    "a\n# b",
    "a\n---\nb",
    "a\n...\nb",
    "a: |\n  b\n",
    "if x then\n  y()\nend\n",
    "%YAML 1.1\n---\na",
];

/// Characters that YAML treats specially, that some reader strips, or that nobody can see.
const CHARACTERS: &[&str] = &[
    "\u{85}",
    "a\u{85}b",
    "\u{a0}",
    "a\u{a0}",
    "\u{ad}",
    "\u{2028}",
    "a\u{2028}b",
    "\u{2029}",
    "a\u{2029}b",
    "\u{feff}",
    "\u{feff}a",
    "a\u{feff}b",
    "\u{200b}",
    "\u{200e}a\u{200f}",
    "\u{202e}abc",
    "\u{2066}a\u{2069}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{fdd0}",
    "\u{1fffe}",
    "\u{e0001}",
    "\u{e000}",
    "\u{10ffff}",
    "é",
    "e\u{301}",
    "日本語",
    "🦀",
    "👩‍💻",
    "ß: ü",
    "Ω\nω\n",
    "\u{7f}",
    "\u{80}",
    "\u{9f}",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_large_and_its_strings_are_bounded() {
        let strings = nasty_strings();
        assert!(strings.iter().all(|text| text.len() <= 100_000));
        assert!(strings.len() > 300, "only {}", strings.len());
        assert!(
            ["on", "No", "1e3", "0o7", "~", "a\u{85}b"]
                .iter()
                .all(|text| strings.contains(&(*text).to_owned()))
        );
    }
}
