//! Headers on their way into HTTP/2.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What is about one connection of HTTP/1.1 alone (RFC 9113, section 8.2.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Whose head it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Request,
    Answer,
}

/// Takes out what has no place in HTTP/2, with the headers that `connection` lists.
pub(super) fn strip(headers: &mut HeaderMap, head: Head) {
    let is_misplaced = |name: &HeaderName, value: &HeaderValue| {
        OF_CONNECTIONS.contains(name)
            || (*name == header::TE && (head == Head::Answer || value != "trailers"))
    };
    if !headers.iter().any(|(name, value)| is_misplaced(name, value)) {
        return;
    }
    let lines: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().cloned().collect();
    let listed = lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    // A length is never one connection's own, whoever says so.
    for name in listed.map(str::trim).filter(|name| !name.eq_ignore_ascii_case("content-length")) {
        headers.remove(name);
    }
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    if headers.get_all(header::TE).iter().any(|value| is_misplaced(&header::TE, value)) {
        headers.remove(header::TE);
    }
}

/// The length that is announced, if it is one.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    let mut announced = None;
    for line in headers.get_all(header::CONTENT_LENGTH) {
        let line = line.to_str().ok()?;
        if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let length: u64 = line.parse().ok()?;
        if *announced.get_or_insert(length) != length {
            return None;
        }
    }
    announced
}

/// Announces a length, unless there is one.
pub(super) fn announce(headers: &mut HeaderMap, length: u64) {
    if let header::Entry::Vacant(vacant) = headers.entry(header::CONTENT_LENGTH) {
        vacant.insert(HeaderValue::from(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    fn left(head: Head, lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = headers(lines);
        strip(&mut headers, head);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_belongs_to_one_connection_does_not_pass() {
        for (name, value) in [
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
        ] {
            for head in [Head::Request, Head::Answer] {
                assert_eq!(left(head, &[("a", "b"), (name, value)]), ["a"], "{name}");
            }
        }
        assert_eq!(left(Head::Request, &[("te", "trailers")]), ["te"]);
        assert_eq!(left(Head::Answer, &[("te", "trailers")]), [""; 0]);
        assert_eq!(left(Head::Request, &[("te", "trailers"), ("te", "gzip")]), [""; 0]);
    }

    #[test]
    fn what_connection_lists_goes_with_it_whichever_line_it_is_on() {
        let lines =
            [("connection", "x-a, close"), ("connection", "X-B"), ("x-a", "1"), ("x-b", "2"), ("x-c", "3")];
        assert_eq!(left(Head::Answer, &lines), ["x-c"]);
        let lines = [("connection", "content-length"), ("content-length", "3")];
        assert_eq!(left(Head::Request, &lines), ["content-length"]);
    }

    #[test]
    fn a_length_is_digits_and_said_once() {
        for (lines, expected) in [
            (&[][..], None),
            (&[("content-length", "12")], Some(12)),
            (&[("content-length", "12"), ("content-length", "12")], Some(12)),
            (&[("content-length", "12"), ("content-length", "13")], None),
            (&[("content-length", "+1")], None),
            (&[("content-length", "")], None),
            (&[("content-length", "99999999999999999999")], None),
        ] {
            assert_eq!(length(&headers(lines)), expected, "{lines:?}");
        }
    }
}
