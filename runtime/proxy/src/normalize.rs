//! One spelling per path, before anything is decided by it, so that `//items` and `/%69tems` are `/items`.
//!
//! The result is that of Envoy with `normalize_path`, `merge_slashes` and `REJECT_REQUEST` for escaped slashes, in that
//! filter's order: escaped slashes first, then the dot segments and escapes of RFC 3986 section 6.2.2 as
//! browsers resolve them, then repeated slashes. The query is never touched. One path differs: nothing but slashes is
//! `/` here, and `//` there.
//!
//! It is also the last spelling: a path that is normal stays as it is at the next proxy and at the one after that.

/// What became of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Normalized {
    /// It was in its one spelling already.
    Unchanged,
    /// This is its one spelling; go on with it.
    Changed(String),
    /// It contains an escaped slash or backslash: whether that separates segments depends on who reads it, so nothing
    /// can be decided by such a path. Or an escaped NUL, which ends it for some.
    Refused,
}

/// The one spelling of a path with its query.
#[must_use]
pub fn normalize(path_and_query: &str) -> Normalized {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    if is_plain(path) {
        return Normalized::Unchanged;
    }
    resolve(path, query)
}

/// Whether nothing in a path could have another spelling, as in nearly all: it begins with a slash, escapes nothing, and
/// no segment is empty, but for the last one, or begins with a dot. What is not plain may be in its one spelling all
/// the same.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    for byte in path.bytes() {
        let follows_slash = before == b'/';
        if !stays(byte) || (follows_slash && matches!(byte, b'/' | b'.')) {
            return false;
        }
        before = byte;
    }
    path.starts_with('/')
}

/// Whether a byte may stand in a path as it is, and escapes nothing.
const fn stays(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'\\' | b'?') && !is_unsafe(byte)
}

/// Whether what is visible may not stand in a path as it is.
const fn is_unsafe(byte: u8) -> bool {
    matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`' | b'{' | b'}' | b'^' | b'|')
}

/// The one spelling of a path that may have others.
fn resolve(path: &str, query: &str) -> Normalized {
    if has_escaped_slash(path) {
        return Normalized::Refused;
    }
    let Some(canonical) = canonical(path) else { return Normalized::Refused };
    let merged = merge_slashes(&canonical);
    if merged == path { Normalized::Unchanged } else { Normalized::Changed(merged + query) }
}

/// Whether there is `%2f` or `%5c`, in either case.
fn has_escaped_slash(path: &str) -> bool {
    let escaped = |code: &[u8]| matches!(code, [b'%', b'2', b'f' | b'F'] | [b'%', b'5', b'c' | b'C']);
    path.as_bytes().windows(3).any(escaped)
}

/// Backslashes turned, dot segments resolved, needless escapes undone and missing ones made; `None` with a NUL.
fn canonical(path: &str) -> Option<String> {
    let mut segments: Vec<String> = Vec::new();
    let body = path.strip_prefix(['/', '\\']).unwrap_or(path);
    let pieces: Vec<&str> = body.split(['/', '\\']).collect();
    for (position, piece) in pieces.iter().enumerate() {
        let last = position + 1 == pieces.len();
        let dots = dots(piece);
        if dots == Some(2) {
            segments.pop();
        }
        match dots {
            None => segments.push(escape(piece)?),
            Some(_) if last => segments.push(String::new()),
            Some(_) => {}
        }
    }
    Some(format!("/{}", segments.join("/")))
}

/// How many dots a dot segment has. Parameters do not make it another one: servers that know them would resolve it.
fn dots(segment: &str) -> Option<usize> {
    let name = segment.split(';').next().unwrap_or_default();
    let plain = name.replace("%2e", ".").replace("%2E", ".");
    matches!(plain.as_str(), "." | "..").then_some(plain.len())
}

/// One segment with unreserved characters (RFC 3986 section 2.3) plain and everything that may not stand in a path
/// escaped. Escapes of other characters stay as they are. `None` if it holds a NUL.
fn escape(segment: &str) -> Option<String> {
    let mut output = String::with_capacity(segment.len());
    let mut bytes = segment.as_bytes();
    // Where the last percent sign stands that begins no escape.
    let mut bare = None;
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        if *byte == b'%' {
            let code = match rest {
                [high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
                [] | [_] => None,
            };
            match code {
                None => bare = Some(output.len()),
                Some(0) => return None,
                Some(code) if code.is_ascii_alphanumeric() || b"-_~.".contains(&code) => {
                    output.push(char::from(code));
                    bytes = rest.get(2..).unwrap_or_default();
                    bare = bare.filter(|at| !mend(&mut output, *at, bytes));
                    continue;
                }
                Some(_) => {}
            }
        }
        if *byte <= b' ' || *byte >= 0x7f || is_unsafe(*byte) {
            output.push_str(&format!("%{byte:02X}"));
        } else {
            output.push(char::from(*byte));
        }
    }
    Some(output)
}

/// Escapes the bare percent sign at `at` if what was just undone behind it, with what comes next, would make an escape
/// of it: `%2%66` is no slash, and must not become one at the next reader.
fn mend(output: &mut String, at: usize, next: &[u8]) -> bool {
    let behind = output.as_bytes().get(at + 1..).unwrap_or_default();
    let makes_escape = match (behind, next) {
        ([high], [low, ..]) | ([high, low], _) => hex(*high).is_some() && hex(*low).is_some(),
        (_, _) => false,
    };
    if makes_escape {
        output.insert_str(at + 1, "25");
    }
    makes_escape
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Repeated slashes as one.
fn merge_slashes(path: &str) -> String {
    let mut output = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !output.ends_with('/') {
            output.push(character);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_spellings_of_a_path_do_not_slip_by() {
        for spelling in [
            "//items",
            "/x/../items",
            "/%69tems",
            "/./items",
            "/%2e/items",
            "/x/%2E%2e/items",
            "\\items",
            "/../items",
            "/.;x/items",
            "/x/..;a=b/items",
            "/x/%2e.;/items",
        ] {
            assert_eq!(normalize(spelling), Normalized::Changed("/items".into()), "{spelling}");
        }
    }

    #[test]
    fn a_path_in_its_one_spelling_is_left_alone() {
        for path in [
            "/",
            "/items",
            "/items/",
            "/a%20b",
            "/ITEMS",
            "/items;x",
            "/a%25b",
            "/a!$&'()*+,=:@",
            "/a?b//c/../%2f",
        ] {
            assert_eq!(normalize(path), Normalized::Unchanged, "{path}");
        }
    }

    #[test]
    fn nearly_all_paths_are_plain() {
        for path in ["/", "/items", "/items/", "/a/b.c/d;e=f", "/a!$&'()*+,=:@~-_"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "*", "a", "//", "/a//", "/.a", "/a/./", "/a%20", "/a b", "/é", "/\\", "/{", "/a?"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn an_escaped_slash_is_refused_wherever_it_stands_in_the_path() {
        for path in ["/items%2f", "/a%5C..%2Fitems", "/%2e%2e%2fitems?q=1", "/items%00"] {
            assert_eq!(normalize(path), Normalized::Refused, "{path}");
        }
        assert_eq!(normalize("/items?q=%2f"), Normalized::Unchanged, "a query may hold what it likes");
    }

    #[test]
    fn dot_segments_at_the_end_keep_the_slash() {
        assert_eq!(normalize("/a/."), Normalized::Changed("/a/".into()));
        assert_eq!(normalize("/a/b/.."), Normalized::Changed("/a/".into()));
        assert_eq!(normalize("/.."), Normalized::Changed("/".into()));
    }

    #[test]
    fn broken_escapes_and_foreign_bytes_are_made_safe() {
        assert_eq!(normalize("/%zz%"), Normalized::Unchanged);
        assert_eq!(normalize("/é"), Normalized::Changed("/%C3%A9".into()));
        assert_eq!(normalize("/a\"b|"), Normalized::Changed("/a%22b%7C".into()));
        for (path, safe) in
            [("/%2%66", "/%252f"), ("/%%32%66", "/%252f"), ("/%4%61", "/%254a"), ("/%%61g", "/%ag")]
        {
            assert_eq!(normalize(path), Normalized::Changed(safe.into()), "{path}");
        }
    }

    fn settled(path: &str) -> String {
        match normalize(path) {
            Normalized::Unchanged => path.to_owned(),
            Normalized::Changed(path) => path,
            Normalized::Refused => "/".to_owned(),
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_has_no_other_spelling(path in "/?[a-z%./\\\\0-9ef;|é !{~]{0,12}") {
            prop_assert!(!is_plain(&path) || resolve(&path, "") == Normalized::Unchanged, "{}", path);
        }

        #[test]
        fn what_is_normal_stays_normal(path in "/[a-z%./\\\\0-9ef;|?]{0,30}") {
            let once = settled(&path);
            let path_only = once.split('?').next().unwrap_or_default();
            prop_assert_eq!(normalize(&once), Normalized::Unchanged);
            prop_assert!(path_only.starts_with('/'));
            prop_assert!(!path_only.contains("//"));
            prop_assert!(path_only.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
