//! One spelling per path, before anything is decided by it, so that `//items` and `/%69tems` are `/items`.
//!
//! The result is that of Envoy with `normalize_path`, `merge_slashes` and `REJECT_REQUEST` for escaped slashes, in that
//! filter's order: escaped slashes first, then the dot segments and escapes of RFC 3986 section 6.2.2 as
//! browsers resolve them, then repeated slashes. The query is never touched.

/// What became of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Normalized {
    /// It was in its one spelling already.
    Unchanged,
    /// This is its one spelling; go on with it.
    Changed(String),
    /// It contains an escaped slash or backslash: whether that separates segments depends on who reads it, so nothing
    /// can be decided by such a path.
    Refused,
}

/// The one spelling of a path with its query.
#[must_use]
pub fn normalize(path_and_query: &str) -> Normalized {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    if has_escaped_slash(path) {
        return Normalized::Refused;
    }
    let merged = merge_slashes(&canonical(path));
    if merged == path { Normalized::Unchanged } else { Normalized::Changed(merged + query) }
}

/// Whether there is `%2f` or `%5c`, in either case.
fn has_escaped_slash(path: &str) -> bool {
    let escaped = |code: &[u8]| matches!(code, [b'%', b'2', b'f' | b'F'] | [b'%', b'5', b'c' | b'C']);
    path.as_bytes().windows(3).any(escaped)
}

/// Backslashes turned, dot segments resolved, needless escapes undone and missing ones made.
fn canonical(path: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    let body = path.strip_prefix(['/', '\\']).unwrap_or(path);
    let pieces: Vec<&str> = body.split(['/', '\\']).collect();
    for (position, piece) in pieces.iter().enumerate() {
        let last = position + 1 == pieces.len();
        let segment = escape(piece);
        match segment.as_str() {
            "." if last => segments.push(String::new()),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push(String::new());
                }
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// One segment with unreserved characters (RFC 3986 section 2.3) plain and everything that may not stand in a path
/// escaped. Escapes of other characters stay as they are.
fn escape(segment: &str) -> String {
    let mut output = String::with_capacity(segment.len());
    let mut bytes = segment.as_bytes();
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        if *byte == b'%'
            && let [high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            let decoded = high << 4 | low;
            if decoded.is_ascii_alphanumeric() || matches!(decoded, b'-' | b'_' | b'~' | b'.') {
                output.push(char::from(decoded));
                bytes = after;
                continue;
            }
        }
        if *byte <= b' '
            || *byte >= 0x7f
            || matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`' | b'{' | b'}' | b'^')
        {
            output.push_str(&format!("%{byte:02X}"));
        } else {
            output.push(char::from(*byte));
        }
    }
    output
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
    fn an_escaped_slash_is_refused_wherever_it_stands_in_the_path() {
        for path in ["/items%2f", "/a%5C..%2Fitems", "/%2e%2e%2fitems?q=1"] {
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
        assert_eq!(normalize("/a\"b"), Normalized::Changed("/a%22b".into()));
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
        fn what_is_normal_stays_normal(path in "/[a-z%./\\\\25ef?]{0,30}") {
            let once = settled(&path);
            let path_only = once.split('?').next().unwrap_or_default();
            prop_assert!(path_only.starts_with('/'));
            prop_assert!(!path_only.contains("//"));
            prop_assert!(path_only.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
