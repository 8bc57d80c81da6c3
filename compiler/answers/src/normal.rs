//! One spelling of each path and host, as proxies make it before anything is decided by them.
//!
//! Both planes do the same: escaped slashes are refused, dot segments resolved, needless escapes undone and missing ones
//! made, repeated slashes merged. What the proxy of meshd does is tested with the same cases.

/// The one spelling of a path without its query; `None` if proxies refuse it: with an escaped slash, backslash or NUL in it.
pub(crate) fn path(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%00"].iter().any(|code| lower.contains(code)) {
        return None;
    }
    let body = path.strip_prefix(['/', '\\']).unwrap_or(path);
    let mut segments: Vec<String> = Vec::new();
    let mut pieces = body.split(['/', '\\']).peekable();
    while let Some(piece) = pieces.next() {
        let dots = dots(piece);
        if dots == Some(2) {
            segments.pop();
        }
        match dots {
            None => segments.push(segment(piece)),
            // A directory keeps its slash.
            Some(_) if pieces.peek().is_none() => segments.push(String::new()),
            Some(_) => {}
        }
    }
    let mut normal = String::from("/");
    for character in segments.join("/").chars() {
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
    }
    Some(normal)
}

/// How many dots a dot segment has; parameters do not make it another one.
fn dots(segment: &str) -> Option<usize> {
    let name = segment.split(';').next().unwrap_or_default();
    let plain = name.replace("%2e", ".").replace("%2E", ".");
    matches!(plain.as_str(), "." | "..").then_some(plain.len())
}

/// A segment in which unreserved characters are plain, and everything that may not stand in a path is escaped.
fn segment(text: &str) -> String {
    let mut output: Vec<u8> = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    // A percent sign that begins no escape, and must not begin one at the next reader either.
    let mut bare: Option<usize> = None;
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        if *byte == b'%' {
            match escaped(rest) {
                Some(code) if is_unreserved(code) => {
                    output.push(code);
                    bytes = rest.get(2..).unwrap_or_default();
                    if let Some(at) = bare {
                        let behind = output.get(at + 1..).unwrap_or_default();
                        let follows = [behind, bytes.get(..1).unwrap_or_default()].concat();
                        if behind.len() <= 2 && escaped(&follows).is_some() {
                            output.splice(at + 1..at + 1, *b"25");
                            bare = None;
                        }
                    }
                    continue;
                }
                Some(_) => {}
                None => bare = Some(output.len()),
            }
        }
        if byte.is_ascii_graphic() && !b"\"#<>`{}^|".contains(byte) {
            output.push(*byte);
        } else {
            output.extend(format!("%{byte:02X}").bytes());
        }
    }
    String::from_utf8_lossy(&output).into_owned()
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

const fn is_unreserved(code: u8) -> bool {
    code.is_ascii_alphanumeric() || matches!(code, b'-' | b'_' | b'~' | b'.')
}

/// A host without the final dot of its name, which proxies leave out. A port stays.
pub(crate) fn host(host: &str) -> String {
    let name = without_port(host);
    let port = host.get(name.len()..).unwrap_or_default();
    format!("{}{port}", name.strip_suffix('.').unwrap_or(name))
}

/// The part of a host that rules and routes are compared with.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        Some(_) | None => host,
    }
}

/// Whether proxies take it for a host: a name or an address, with or without a port.
pub(crate) fn is_host(host: &str) -> bool {
    let name = without_port(host);
    let port = host.get(name.len()..).unwrap_or_default();
    let says = |byte: u8| byte.is_ascii_alphanumeric() || b"_~".contains(&byte);
    let is_label =
        |label: &str| label.bytes().any(says) && label.bytes().all(|byte| says(byte) || byte == b'-');
    let is_address = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_name = || name.strip_suffix('.').unwrap_or(name).split('.').all(is_label);
    port.len() <= ":65535".len() && inner.map_or_else(is_name, is_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of the proxy's own normaliser.
    #[test]
    fn paths_have_the_spelling_that_proxies_give_them() {
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
            assert_eq!(path(spelling).as_deref(), Some("/items"), "{spelling}");
        }
        for same in
            ["/", "/items", "/items/", "/a%20b", "/ITEMS", "/items;x", "/a%25b", "/a!$&'()*+,=:@", "/%zz%"]
        {
            assert_eq!(path(same).as_deref(), Some(same));
        }
        for refused in ["/items%2f", "/a%5C..%2Fitems", "/%2e%2e%2fitems", "/items%00"] {
            assert_eq!(path(refused), None, "{refused}");
        }
        for (other, normal) in [
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/é", "/%C3%A9"),
            ("/a\"b|", "/a%22b%7C"),
            ("/%2%66", "/%252f"),
            ("/%%32%66", "/%252f"),
            ("/%4%61", "/%254a"),
            ("/%%61g", "/%ag"),
            ("//new/../new", "/new"),
            ("//", "/"),
        ] {
            assert_eq!(path(other).as_deref(), Some(normal), "{other}");
        }
    }

    #[test]
    fn hosts_lose_the_final_dot_and_the_port_where_they_are_compared() {
        for (asked, normal, name) in [
            ("a.example", "a.example", "a.example"),
            ("a.example.", "a.example", "a.example"),
            ("a.example.:80", "a.example:80", "a.example"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert!(is_host(asked), "{asked}");
            assert_eq!((host(asked).as_str(), without_port(&host(asked))), (normal, name));
        }
        for wrong in ["", ".", "a..b", "a.example:x", "a?b", "u@a", "a.example:123456", "-", "*.a", "a b"] {
            assert!(!is_host(wrong), "{wrong}");
        }
    }
}
