//! How large the head of a message may be: the same both ways, and the same as the compiler tells Envoy.
//!
//! What comes into the mesh is bounded where it comes in: a request at the first proxy, an answer at the last. Each
//! proxy adds a few headers of its own, so between proxies there is room for those: whatever the first one admits, the
//! second one admits as well.

use http::request::Parts;
use http::{HeaderMap, StatusCode, Version};

/// What a head may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The most headers. Over HTTP/2, those that begin with a colon count.
    pub(crate) headers: usize,
    /// The most bytes. Over HTTP/1.1 all of the head as it is sent, over HTTP/2 its names and values.
    pub(crate) bytes: usize,
}

impl Bounds {
    /// For what clients, strangers and applications send. Source: Envoy's defaults.
    pub(crate) const OUTSIDE: Bounds = Bounds { headers: 100, bytes: 60 * 1024 };

    /// For what another proxy of the mesh sends.
    pub(crate) const BETWEEN_PROXIES: Bounds = Bounds { headers: 128, bytes: 64 * 1024 };

    /// Whether a request may be this large.
    pub(crate) fn admits_request(self, parts: &Parts) -> bool {
        let path = parts.uri.path_and_query().map_or(1, |path| path.as_str().len());
        let method = parts.method.as_str().len();
        let (first, lines) = if parts.version == Version::HTTP_2 {
            let scheme = parts.uri.scheme_str().map(str::len);
            let authority = parts.uri.authority().map(|authority| authority.as_str().len());
            let pseudo = [(7, Some(method)), (5, Some(path)), (7, scheme), (10, authority)];
            let there = pseudo.iter().filter_map(|(name, value)| value.map(|value| name + value));
            (there.clone().sum(), there.count())
        } else {
            let scheme = parts.uri.scheme_str().map_or(0, |scheme| scheme.len() + 3);
            let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
            (method + " ".len() + scheme + authority + path + " HTTP/1.1\r\n".len(), 0)
        };
        self.admits(parts.version, first, lines, &parts.headers)
    }

    /// Whether an answer may be this large.
    pub(crate) fn admits_answer(self, version: Version, status: StatusCode, headers: &HeaderMap) -> bool {
        let (first, lines) = if version == Version::HTTP_2 {
            (":status200".len(), 1)
        } else {
            ("HTTP/1.1 200 \r\n".len() + status.canonical_reason().map_or(0, str::len), 0)
        };
        self.admits(version, first, lines, headers)
    }

    /// Whether trailers may be this large.
    pub(crate) fn admits_trailers(self, trailers: &HeaderMap) -> bool {
        self.admits(Version::HTTP_2, 0, 0, trailers)
    }

    /// How much to let the library for HTTP/2 read: it counts 32 bytes more for each header (RFC 9113 section 6.5.2), so
    /// this admits whatever may pass, and what may not is counted exactly afterwards.
    pub(crate) fn header_list(self) -> u32 {
        u32::try_from(self.bytes + 32 * self.headers).unwrap_or(u32::MAX)
    }

    fn admits(self, version: Version, first: usize, lines: usize, headers: &HeaderMap) -> bool {
        let between = if version == Version::HTTP_2 { 0 } else { ": \r\n".len() };
        let end = if version == Version::HTTP_2 { 0 } else { "\r\n".len() };
        let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + between);
        headers.len() + lines <= self.headers && first + sizes.sum::<usize>() + end <= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};

    /// The length of the longest value of one header that is admitted.
    fn longest(version: Version, uri: &str, host: Option<&str>) -> usize {
        let admitted = |length: usize| {
            let mut request = Request::get(uri).version(version).header("x-a", "a".repeat(length));
            if let Some(host) = host {
                request = request.header("host", host);
            }
            Bounds::OUTSIDE.admits_request(&request.body(()).unwrap().into_parts().0)
        };
        let longest = (60_000..62_000).find(|length| !admitted(length + 1)).unwrap();
        assert!(admitted(longest));
        longest
    }

    #[test]
    fn the_bound_is_exact() {
        let head = "GET /p HTTP/1.1\r\nx-a: \r\nhost: a\r\n\r\n";
        assert_eq!(longest(Version::HTTP_11, "/p", Some("a")), 61_440 - head.len());
        let pairs = ":methodGET:path/p:schemehttp:authorityax-a";
        assert_eq!(longest(Version::HTTP_2, "http://a/p", None), 61_440 - pairs.len());
    }

    #[test]
    fn headers_are_counted() {
        let headers: HeaderMap = (0..100)
            .map(|number| (format!("x-{number}").parse().unwrap(), HeaderValue::from_static("1")))
            .collect();
        let bounds = Bounds::OUTSIDE;
        assert!(bounds.admits_trailers(&headers));
        assert!(bounds.admits_answer(Version::HTTP_11, StatusCode::OK, &headers));
        assert!(!bounds.admits_answer(Version::HTTP_2, StatusCode::OK, &headers), ":status is one more");
        assert!(Bounds::BETWEEN_PROXIES.admits_answer(Version::HTTP_2, StatusCode::OK, &headers));
    }
}
