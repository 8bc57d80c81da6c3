//! What a request is aimed at, and whether it is one that may be forwarded at all.
//!
//! What is refused here is what two readers could understand differently, and what Envoy refuses as the compiler
//! configures it, so that both data planes decide alike.

use crate::normalize::{Normalized, normalize};
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Version};

/// The most headers of one request. Source: Envoy's default.
pub(crate) const MAX_HEADERS: usize = 100;

/// The most bytes of one request's path and headers. Source: Envoy's default, 60 KiB.
pub(crate) const MAX_HEADER_BYTES: u16 = 60 * 1024;

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Target {
    /// The host that was asked for, with its port if it had one; empty if there was none.
    pub(crate) authority: String,
    /// The normalised path with the query.
    pub(crate) path: PathAndQuery,
}

/// Why a request is not forwarded, in Envoy's terms where it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The answer.
    pub(crate) status: StatusCode,
    /// The flag in the access log.
    pub(crate) flags: &'static str,
    /// What an operator should know.
    pub(crate) details: &'static str,
}

const fn unfit(status: StatusCode, details: &'static str) -> Unfit {
    Unfit { status, flags: "DPE", details }
}

const fn bad(details: &'static str) -> Unfit {
    unfit(StatusCode::BAD_REQUEST, details)
}

/// The target of a request that may be forwarded. The host is returned as soon as it is known, for the log.
pub(crate) fn target(parts: &Parts, host: &mut Option<String>) -> Result<Target, Unfit> {
    if parts.version < Version::HTTP_11 {
        return Err(unfit(StatusCode::UPGRADE_REQUIRED, "low_version"));
    }
    let lines = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let bytes = lines.sum::<usize>() + parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if parts.headers.len() > MAX_HEADERS || bytes > usize::from(MAX_HEADER_BYTES) {
        return Err(unfit(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"));
    }
    framing(&parts.headers)?;
    let authority = authority(parts)?;
    *host = Some(authority.clone());
    if parts.method == Method::CONNECT {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Unfit { status, flags: "NR", details: "CONNECT is not forwarded" });
    }
    if wants_upgrade(&parts.headers) {
        return Err(Unfit { status: StatusCode::FORBIDDEN, flags: "NR", details: "upgrade_failed" });
    }
    Ok(Target { authority, path: path(parts)? })
}

/// The length of the body must be said once and plainly: a next hop that believed another statement would find a second
/// request in the body (RFC 9112 section 6.3). Of lengths, hyper has refused those that differ and joined those that do
/// not; one beside `chunked` it has dropped, and it closes that connection after the answer.
fn framing(headers: &HeaderMap) -> Result<(), Unfit> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(unfit(StatusCode::NOT_IMPLEMENTED, "a transfer-encoding other than chunked")),
    }
}

fn authority(parts: &Parts) -> Result<String, Unfit> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(bad("more than one host"));
    }
    match (parts.uri.authority(), host) {
        // Who a client pretends to be has no place in a host.
        (Some(asked), _) => {
            Ok(asked.as_str().rsplit_once('@').map_or(asked.as_str(), |(_, host)| host).to_owned())
        }
        (None, Some(host)) => {
            let host = host.to_str().map_err(|_| bad("the host is no text"))?;
            if !host.is_empty() && host.parse::<Authority>().is_err() {
                return Err(bad("the host is no host"));
            }
            Ok(host.to_owned())
        }
        (None, None) => Err(bad("no host")),
    }
}

/// Whether the client asks to speak something else from here on. HTTP/2 without TLS is no such thing: whoever offers
/// it goes on in HTTP/1.1 if it is not taken up.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    let tokens = |name| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim)
    };
    tokens(header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && tokens(header::UPGRADE).any(|to| !to.is_empty() && !to.eq_ignore_ascii_case("h2c"))
}

fn path(parts: &Parts) -> Result<PathAndQuery, Unfit> {
    let asked = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if !asked.starts_with('/') {
        return Err(if parts.method == Method::OPTIONS {
            Unfit { status: StatusCode::NOT_FOUND, flags: "NR", details: "route_not_found" }
        } else {
            bad("the path does not begin with a slash")
        });
    }
    let path = match normalize(asked) {
        Normalized::Unchanged => asked.to_owned(),
        Normalized::Changed(path) => path,
        Normalized::Refused => return Err(bad("an escaped slash or NUL in the path")),
    };
    path.parse().map_err(|_| bad("the path cannot be normalised"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        target(&parts, &mut None).map_or_else(|unfit| unfit.status.as_u16(), |_| 200)
    }

    #[test]
    fn one_plain_statement_about_the_length() {
        for (headers, expected) in [
            (&[("content-length", "3")][..], 200),
            (&[("transfer-encoding", "Chunked")], 200),
            (&[("transfer-encoding", "gzip, chunked")], 501),
            (&[("transfer-encoding", "identity"), ("transfer-encoding", "chunked")], 501),
        ] {
            let headers: Vec<_> = headers.iter().copied().chain([("host", "a")]).collect();
            assert_eq!(status("POST", "/", &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn one_host_that_is_one() {
        for (uri, hosts, expected) in [
            ("/", &["a.example"][..], 200),
            ("/", &["a.example:80"], 200),
            ("/", &["[::1]:80"], 200),
            ("/", &[""], 200),
            ("/", &[], 400),
            ("/", &["a", "a"], 400),
            ("/", &["a/b"], 400),
            ("/", &["a b"], 400),
            ("/", &["a\"b"], 400),
            ("http://a.example/x", &["b"], 200),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(status("GET", uri, &headers), expected, "{uri} {hosts:?}");
        }
        let parts = Request::get("http://me:secret@a.example:81/x").body(()).unwrap().into_parts().0;
        assert_eq!(target(&parts, &mut None).unwrap().authority, "a.example:81");
    }

    #[test]
    fn nothing_but_requests_is_forwarded() {
        let upgrade = |to| [("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", to)];
        assert_eq!(status("GET", "/", &upgrade("websocket")), 403);
        assert_eq!(status("GET", "/", &upgrade("h2c")), 200);
        assert_eq!(status("GET", "/", &[("host", "a"), ("upgrade", "websocket")]), 200);
        assert_eq!(status("CONNECT", "a.example:80", &[("host", "a.example:80")]), 405);
        assert_eq!(status("OPTIONS", "*", &[("host", "a")]), 404);
        assert_eq!(status("GET", "*", &[("host", "a")]), 400);
        let many: Vec<_> = std::iter::repeat_n(("x-a", "1"), 100).chain([("host", "a")]).collect();
        assert_eq!(status("GET", "/", &many), 431);
    }
}
