//! What a request is aimed at, and whether it is one that may be forwarded at all.
//!
//! What is refused here is what two readers could understand differently, and what Envoy refuses as the compiler
//! configures it, so that both data planes decide alike.

use crate::access_log::Host;
use crate::bounds::Bounds;
use crate::normalize::{Normalized, normalize};
use crate::route::without_port;
use crate::upgrade::{self, lists};
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Version};
use meshd_config::{Http10, METHODS, Upgrade};
use std::rc::Rc;

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Target {
    /// The host that was asked for, with its port if it had one.
    pub(crate) authority: Rc<str>,
    /// The normalised path with the query.
    pub(crate) path: PathAndQuery,
    /// What it asks to speak from here on.
    pub(crate) upgrade: Option<Upgrade>,
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

/// A protocol that is not carried.
pub(crate) const UPGRADE_REFUSED: Unfit =
    Unfit { status: StatusCode::FORBIDDEN, flags: "NR", details: "upgrade_failed" };

/// How a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connected<'a> {
    /// How large it may be.
    pub(crate) bounds: Bounds,
    /// Whether it came over TLS.
    pub(crate) tls: bool,
    /// Present where it may have come in HTTP/1.0.
    pub(crate) http10: Option<&'a Http10>,
}

/// The target of a request that may be forwarded. The host is returned as soon as it is known, for the log.
pub(crate) fn target(parts: &Parts, over: Connected<'_>, host: &mut Option<Host>) -> Result<Target, Unfit> {
    let old = over.http10.filter(|_| parts.version == Version::HTTP_10);
    if parts.version < Version::HTTP_11 && old.is_none() {
        return Err(unfit(StatusCode::UPGRADE_REQUIRED, "low_version"));
    }
    if !over.bounds.admits_request(parts) {
        return Err(unfit(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"));
    }
    if !is_chunked_or_plain(&parts.headers) {
        return Err(unfit(StatusCode::NOT_IMPLEMENTED, "a transfer-encoding other than chunked"));
    }
    let authority = authority(parts, old)?;
    *host = Some(Host::Known(Rc::clone(&authority)));
    let upgrade = upgrade::asked(parts).map_err(|()| UPGRADE_REFUSED)?;
    if parts.method == Method::CONNECT && (upgrade.is_none() || parts.version < Version::HTTP_2) {
        // A port is part of such a target in HTTP/1.1 (RFC 9110, section 9.3.6).
        if parts.version < Version::HTTP_2 && parts.uri.port().is_none() {
            return Err(bad("a CONNECT without a port"));
        }
        return Err(Unfit {
            status: StatusCode::NOT_FOUND,
            flags: "NR",
            details: "CONNECT is not forwarded",
        });
    }
    if parts.method != Method::CONNECT {
        method(parts)?;
    }
    scheme(parts, over.tls)?;
    // As on Envoy: what every hop needs, by its name in either version, is never for this connection only.
    let is_needed = |name: &[u8]| name.eq_ignore_ascii_case(b"host") || name.starts_with(b":");
    if lists(&parts.headers, &header::CONNECTION, is_needed) {
        return Err(bad("the host is for this connection only"));
    }
    if upgrade.is_some() && old.is_some() {
        // HTTP/1.0 has no upgrades (RFC 9110, section 7.8).
        return Err(UPGRADE_REFUSED);
    }
    if upgrade.is_some() && parts.version < Version::HTTP_2 && !is_plain_get(parts) {
        return Err(bad("an upgrade of something else than a GET without a body"));
    }
    Ok(Target { authority, path: path(parts)?, upgrade })
}

/// Whether the length of a body is said once and plainly: a next hop that believed another statement would find a second
/// message in the body (RFC 9112 section 6.3). Of lengths, hyper has refused those that differ and joined those that do
/// not; one beside `chunked` it has dropped, and it closes that connection after the answer.
pub(crate) fn is_chunked_or_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Methods are compared as they are written, also in rules that refuse. One that differs from `GET` only in case would
/// escape such a rule, and some applications would take it for `GET`; so only the methods that exist are forwarded.
fn method(parts: &Parts) -> Result<(), Unfit> {
    let method = parts.method.as_str();
    if !METHODS.contains(&method) {
        return Err(bad("not a method that is forwarded"));
    }
    // A QUERY without a type for what it asks has no meaning (draft-ietf-httpbis-safe-method-w-body, section 2), and
    // Envoy refuses it.
    if method == "QUERY" && !parts.headers.contains_key(header::CONTENT_TYPE) {
        return Err(bad("a QUERY without content-type"));
    }
    Ok(())
}

/// The host that was asked for. A final dot is only another spelling of the same name, and is left out.
fn authority(parts: &Parts, old: Option<&Http10>) -> Result<Rc<str>, Unfit> {
    let asked = asked_authority(parts, old)?;
    let (host, port) = asked.split_at(without_port(asked).len());
    let authority: Rc<str> = match host.strip_suffix('.') {
        Some(host) => format!("{host}{port}").into(),
        None => asked.into(),
    };
    if is_authority(&authority) { Ok(authority) } else { Err(bad("the host is no host")) }
}

fn asked_authority<'p>(parts: &'p Parts, old: Option<&'p Http10>) -> Result<&'p str, Unfit> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(bad("more than one host"));
    }
    // As on Envoy.
    let is_absolute = parts.uri.scheme().is_some() && parts.version < Version::HTTP_2;
    let asked = match (parts.uri.authority(), host) {
        (Some(asked), _) if is_absolute && asked.as_str().ends_with(':') => {
            return Err(bad("a target with a colon and no port"));
        }
        (Some(asked), _) => match asked.as_str().rsplit_once('@') {
            None => asked.as_str(),
            // Who a client pretends to be has no place in a host; over HTTP/2 it may not even be said (RFC 9113
            // section 8.3.1).
            Some((_, host)) if parts.version < Version::HTTP_2 => host,
            Some(_) => return Err(bad("a user in the host")),
        },
        (None, Some(host)) => host.to_str().map_err(|_| bad("the host is no text"))?,
        (None, None) => {
            let usual = old.and_then(|Http10 { default_host }| default_host.as_deref());
            usual.ok_or(bad("no host"))?
        }
    };
    Ok(asked)
}

/// Whether it is a name or an address with or without a port. The same expression guards the routes of Envoy.
fn is_authority(authority: &str) -> bool {
    let host = without_port(authority);
    let port = authority.get(host.len()..).unwrap_or_default();
    let is_address = |address: &str| address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    port.len() <= ":65535".len() && !host.is_empty() && inner.map_or_else(|| is_name(host), is_address)
}

/// Whether it is a name: labels of which each has a letter or a digit (or what clients use in their place), and perhaps a final
/// dot. A label without any would still be one below `*.example.org`.
pub(crate) fn is_name(name: &str) -> bool {
    let mut says = false;
    for byte in name.strip_suffix('.').unwrap_or(name).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'~' => says = true,
            b'-' => {}
            b'.' if says => says = false,
            _ => return false,
        }
    }
    says
}

/// Whether it can be written as an extended CONNECT, which has neither another method nor a body.
fn is_plain_get(parts: &Parts) -> bool {
    let length = parts.headers.get(header::CONTENT_LENGTH);
    parts.method == Method::GET
        && length.is_none_or(|length| length == "0")
        && !parts.headers.contains_key(header::TRANSFER_ENCODING)
}

/// The scheme, where one is named, must be one that is served, and must not pretend that TLS protects the connection.
fn scheme(parts: &Parts, tls: bool) -> Result<(), Unfit> {
    match (parts.uri.scheme_str(), parts.uri.authority(), parts.version) {
        // What looks like a path without a slash, or over HTTP/2 an empty scheme.
        (None, Some(_), _) => Err(bad("no scheme")),
        (Some("https"), _, version) if version < Version::HTTP_2 && !tls => {
            Err(unfit(StatusCode::FORBIDDEN, "https without TLS"))
        }
        (Some("http" | "https"), _, _) | (None, None, _) => Ok(()),
        (Some(_), _, version) if version < Version::HTTP_2 => Err(bad("a scheme other than http and https")),
        (Some(_), _, _) => Ok(()),
    }
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
    if !asked.is_ascii() {
        return Err(bad("the path is not ASCII"));
    }
    let path = match normalize(asked) {
        Normalized::Unchanged => {
            return Ok(parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        }
        Normalized::Changed(path) => path,
        Normalized::Refused => return Err(bad("an escaped slash or NUL in the path")),
    };
    path.parse().map_err(|_| bad("the path cannot be normalised"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const STRANGERS: Connected<'static> = Connected { bounds: Bounds::OUTSIDE, tls: false, http10: None };

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        target(&parts, STRANGERS, &mut None).map_or_else(|unfit| unfit.status.as_u16(), |_| 200)
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
            ("/", &[""], 400),
            ("/", &["."], 400),
            ("/", &["a:"], 200),
            ("/", &["a:x"], 400),
            ("/", &["a:-1"], 400),
            ("/", &["a:1:2"], 400),
            ("/", &["a:123456"], 400),
            ("/", &["a%41"], 400),
            ("/", &["a,b"], 400),
            ("/", &["[::1"], 400),
            ("a", &["a"], 400),
            ("https://a/", &["a"], 403),
            ("ftp://a/", &["a"], 400),
            ("/ä", &["a"], 400),
            ("/?ä", &["a"], 400),
            ("/", &[], 400),
            ("/", &["a", "a"], 400),
            ("/", &["a/b"], 400),
            ("/", &["a b"], 400),
            ("/", &["a\"b"], 400),
            ("http://a.example/x", &["b"], 200),
            ("http://a.example:8/x", &["b"], 200),
            ("http://a.example:/x", &["b"], 400),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(status("GET", uri, &headers), expected, "{uri} {hosts:?}");
        }
        let parts = Request::get("http://me:secret@a.example:81/x").body(()).unwrap().into_parts().0;
        assert_eq!(target(&parts, STRANGERS, &mut None).unwrap().authority.as_ref(), "a.example:81");
    }

    #[test]
    fn a_final_dot_is_left_out() {
        for (asked, host) in [
            ("a.example.", "a.example"),
            ("a.example.:80", "a.example:80"),
            ("a.example", "a.example"),
            ("a.example..", "a.example."),
            ("[::1]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            let parts = Request::get("/").header("host", asked).body(()).unwrap().into_parts().0;
            assert_eq!(target(&parts, STRANGERS, &mut None).unwrap().authority.as_ref(), host, "{asked}");
        }
    }

    #[test]
    fn http_1_0_needs_no_host_where_it_is_accepted() {
        let old = |default: Option<&str>| Http10 { default_host: default.map(str::to_owned) };
        let (named, nameless) = (old(Some("old.example")), old(None));
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        for (http10, headers, expected) in [
            (None, &[("host", "a")][..], Err(426)),
            (Some(&nameless), &[("host", "a")], Ok("a")),
            (Some(&nameless), &[], Err(400)),
            (Some(&named), &[], Ok("old.example")),
            (Some(&named), &[("host", "a")], Ok("a")),
            (Some(&named), &[("host", "")], Err(400)),
            (Some(&named), &upgrade, Err(403)),
        ] {
            let mut request = Request::get("/").version(Version::HTTP_10);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let parts = request.body(()).unwrap().into_parts().0;
            let found = target(&parts, Connected { http10, ..STRANGERS }, &mut None);
            let found = found.map(|target| target.authority).map_err(|unfit| unfit.status.as_u16());
            assert_eq!(found, expected.map(Rc::from), "{http10:?} {headers:?}");
        }
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        assert!(
            target(&parts, Connected { http10: Some(&named), ..STRANGERS }, &mut None).is_err(),
            "HTTP/1.1"
        );
    }

    #[test]
    fn only_methods_that_exist_are_forwarded() {
        for method in METHODS {
            assert_eq!(
                status(method, "/", &[("host", "a"), ("content-type", "text/plain")]),
                200,
                "{method}"
            );
        }
        for method in ["get", "Get", "gET", "post", "PRI", "FOO", "M-SEARCH", "QUERYY", "query"] {
            assert_eq!(status(method, "/", &[("host", "a"), ("content-type", "a/b")]), 400, "{method}");
        }
        assert_eq!(status("QUERY", "/", &[("host", "a")]), 400);
    }

    #[test]
    fn nothing_but_requests_is_forwarded() {
        let upgrade = |to| [("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", to)];
        assert_eq!(status("GET", "/", &upgrade("websocket")), 200);
        assert_eq!(status("POST", "/", &upgrade("websocket")), 400);
        let [host, connection, to] = upgrade("websocket");
        assert_eq!(status("GET", "/", &[host, connection, to, ("content-length", "1")]), 400);
        assert_eq!(status("GET", "/", &upgrade("other")), 403);
        assert_eq!(status("GET", "/", &upgrade("h2c")), 200);
        assert_eq!(status("GET", "/", &[("host", "a"), ("upgrade", "websocket")]), 200);
        for (listed, expected) in [("close", 200), ("x:y", 200), ("Host", 400), ("te, :authority", 400)] {
            assert_eq!(status("GET", "/", &[("host", "a"), ("connection", listed)]), expected, "{listed}");
        }
        assert_eq!(status("CONNECT", "a.example:80", &[("host", "a.example:80")]), 404);
        assert_eq!(status("CONNECT", "a.example", &[("host", "a.example")]), 400);
        assert_eq!(status("OPTIONS", "*", &[("host", "a")]), 404);
        assert_eq!(status("GET", "*", &[("host", "a")]), 400);
        let many: Vec<_> = std::iter::repeat_n(("x-a", "1"), 100).chain([("host", "a")]).collect();
        assert_eq!(status("GET", "/", &many), 431);
    }
}
