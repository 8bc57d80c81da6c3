//! Headers that a proxy must remove, add or believe.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::filter::headers::Known;
use crate::random;
use crate::tls::{ClientCertificate, Peer};
use http::Version;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use meshd_config::{Edge, SpiffeId};
use std::borrow::Cow;
use std::net::IpAddr;

/// Who called, in Envoy's format.
pub(crate) const FORWARDED_CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// The addresses that a request came through.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Names that begin so are about proxies or from them.
const PROXIES_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

/// Further names by which proxies tell applications and each other something, or where a body ends.
const PROXIES_NAMES: [&str; 5] =
    ["x-request-id", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"];

/// Names by which other proxies in front tell applications something that no gateway here says.
const TOLD_NAMES: [&str; 7] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-real-ip",
    "x-rewrite-url",
];

/// The same for every name that begins so.
const TOLD_PREFIXES: [&str; 2] = ["x-forwarded-", "x-original-"];

/// Names that mean nothing or harm after a body (RFC 9110 section 6.5.1), beside those of [`PROXIES_NAMES`].
const NO_TRAILERS: [&str; 5] = ["connection", "te", "upgrade", "expect", "host"];

/// Whether the name is one of a proxy's, written with dashes.
fn is_proxies(name: &str) -> bool {
    PROXIES_NAMES.contains(&name) || PROXIES_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the name is one of a proxy's, written with an underscore somewhere. Applications behind gateways of the CGI
/// kind cannot tell the two spellings apart, and would believe this one as much as the true one.
fn is_proxies_in_disguise(name: &str) -> bool {
    name.contains('_') && is_proxies(&with_dashes(name))
}

/// The spelling without underscores, which nearly every name has already.
fn with_dashes(name: &str) -> Cow<'_, str> {
    if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) }
}

fn remove_all(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether the name is one by which proxies in front of a gateway tell something, however it is written. To
/// `x-forwarded-for` the gateway appends.
fn is_told_in_front(name: &str) -> bool {
    let name = with_dashes(name);
    let begins_so = TOLD_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    TOLD_NAMES.contains(&name.as_ref()) || (begins_so && name != "x-forwarded-for")
}

/// Removes what only proxies may say: whatever a caller sent under these names is not true. At a gateway that trusts nobody in
/// front that goes for everything that such proxies say.
pub(crate) fn remove_untrusted(headers: &mut HeaderMap, edge: Option<Edge>) {
    let is_untrue = |name: &str| match edge {
        Some(Edge { trusted_hops }) => is_told_in_front(name) && (trusted_hops == 0 || name.contains('_')),
        None => false,
    };
    remove_all(headers, |name| {
        name.starts_with("x-envoy-")
            || name == FORWARDED_CLIENT_CERT.as_str()
            || is_proxies_in_disguise(name)
            || is_untrue(name)
    });
}

/// Removes from the trailers of a request what only proxies may say, and what may not come after a body. No proxy sends
/// such trailers.
pub(crate) fn remove_from_trailers(trailers: &mut HeaderMap) {
    remove_all(trailers, |name| {
        is_proxies(name)
            || is_proxies_in_disguise(name)
            || is_told_in_front(name)
            || NO_TRAILERS.contains(&name)
    });
}

/// Whether a header is about one connection, or says more of these.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    let is_standard = matches!(
        *name,
        header::CONNECTION | header::TE | header::TRANSFER_ENCODING | header::UPGRADE | header::EXPECT
    );
    is_standard || *name == KEEP_ALIVE || *name == PROXY_CONNECTION
}

/// Removes headers that belong to one connection (RFC 9110 section 7.6.1). `te: trailers` survives, gRPC needs it.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Most requests and many answers have none.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    // A name is found among whatever else is listed: what is no name does not hide those that are.
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    // Of two statements about a body's length only the one that was acted on may travel on: a second hop that believed
    // the other would see another request in the body (RFC 9112 section 6.3).
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let codings = headers.get_all(header::TE).iter().map(HeaderValue::as_bytes);
    let trailers = codings
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii() == b"trailers");
    for name in listed {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Puts cookies that HTTP/2 let travel apart into the one line that HTTP/1.1 wants (RFC 9113 section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, cookie);
    }
}

/// Tells the application who called: `By=<us>;Hash=<leaf>;URI=<caller>`, Envoy's format with `uri` set.
/// Before it stands what the caller says of its own client, if that is to be believed.
pub(crate) fn tell_caller(
    headers: &mut HeaderMap,
    own: &SpiffeId,
    peer: &Peer,
    vouched: Option<&HeaderValue>,
) {
    let value = format!("By={own};Hash={};URI={}", peer.hash, peer.name());
    let line: Vec<&[u8]> = vouched.map(HeaderValue::as_bytes).into_iter().chain([value.as_bytes()]).collect();
    if let Ok(value) = HeaderValue::from_bytes(&line.join(&b","[..])) {
        headers.insert(FORWARDED_CLIENT_CERT, value);
    }
}

/// The same of a client outside the mesh, by whose certificate the gateway knows it: `Hash=<leaf>;URI=<uri>;DNS=<name>`.
pub(crate) fn tell_client(headers: &mut HeaderMap, client: &ClientCertificate) {
    let ClientCertificate { hash, uris, names } = client;
    let mut value = format!("Hash={hash}");
    let said = uris.iter().map(|uri| ("URI", uri)).chain(names.iter().map(|name| ("DNS", name)));
    for (key, name) in said {
        value.push_str(&format!(";{key}={name}"));
    }
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(FORWARDED_CLIENT_CERT, value);
    }
}

/// How a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The other end of the connection.
    pub(crate) remote: IpAddr,
    /// Whether it came over TLS.
    pub(crate) tls: bool,
    /// Present on an ingress.
    pub(crate) edge: Option<Edge>,
}

/// Sets what later hops and applications rely on: the request's id, the client's address and the scheme.
pub(crate) fn tell_arrival(headers: &mut HeaderMap, arrival: Arrival) {
    let scheme = HeaderValue::from_static(if arrival.tls { "https" } else { "http" });
    let believed = match arrival.edge {
        // Inside the mesh, the hop before this one has said it.
        None => true,
        Some(Edge { trusted_hops }) => {
            let remote = arrival.remote.to_string();
            let said = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
            let line: Vec<&[u8]> = said.filter(|said| !said.is_empty()).chain([remote.as_bytes()]).collect();
            if let Ok(value) = HeaderValue::from_bytes(&line.join(&b", "[..])) {
                headers.insert(FORWARDED_FOR, value);
            }
            trusted_hops > 0
        }
    };
    if !believed || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, scheme);
    }
    if !believed || headers.get(REQUEST_ID).is_none_or(HeaderValue::is_empty) {
        headers.insert(REQUEST_ID, request_id());
    }
}

/// Takes away what is said of the hop from the application, on the way to a server outside over TLS that begins here: one that
/// wants HTTPS would send clients there again and again.
pub(crate) fn leave(headers: &mut HeaderMap) {
    headers.remove(FORWARDED_PROTO);
}

/// The scheme that a request was sent with: what it says itself, then what the hop before this one said, then whether its
/// connection is TLS.
pub(crate) fn scheme(parts: &Parts, tls: bool) -> &str {
    let told = parts.headers.get(FORWARDED_PROTO).and_then(|told| told.to_str().ok());
    let told = told.filter(|told| matches!(*told, "http" | "https"));
    parts.uri.scheme_str().or(told).unwrap_or(if tls { "https" } else { "http" })
}

/// What a header says: its lines in one, as Envoy keeps those that it knows itself.
pub(crate) fn told(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    lines.join(&b","[..])
}

/// What is known of a request that was told how it came in.
pub(crate) fn known(
    parts: &Parts,
    arrival: Arrival,
    client: Option<&ClientCertificate>,
    authority: &str,
    path: &PathAndQuery,
) -> Known {
    Known {
        method: parts.method.to_string(),
        path: path.path().to_owned(),
        path_and_query: path.to_string(),
        host: authority.to_owned(),
        scheme: told(&parts.headers, &FORWARDED_PROTO),
        protocol: match parts.version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        id: told(&parts.headers, &REQUEST_ID),
        client_address: client_address(&parts.headers, arrival).to_string(),
        client_uris: client.map(|client| client.uris.join(",")).unwrap_or_default(),
    }
}

/// The address of the client: what those in front of an ingress say whom it trusts, and inside the mesh the hop before this
/// one; otherwise that of the connection.
pub(crate) fn client_address(headers: &HeaderMap, arrival: Arrival) -> IpAddr {
    let Arrival { remote, tls: _, edge } = arrival;
    let passed = match edge {
        None => Some(0),
        Some(Edge { trusted_hops: 0 }) => None,
        // The last one is this connection's.
        Some(Edge { trusted_hops }) => usize::try_from(trusted_hops).ok(),
    };
    let line = told(headers, &FORWARDED_FOR);
    let said = passed.and_then(|passed| line.rsplit(|byte| *byte == b',').nth(passed));
    let said = said.and_then(|said| std::str::from_utf8(said.trim_ascii()).ok()?.parse().ok());
    said.unwrap_or(remote)
}

/// A random UUID (RFC 9562 section 5.4).
fn request_id() -> HeaderValue {
    const NONE: HeaderValue = HeaderValue::from_static("00000000-0000-4000-8000-000000000000");
    let Some(bytes) = random::bytes::<16>() else { return NONE };
    let mut text = [b'-'; 36];
    let mut places = text.iter_mut();
    for (number, byte) in bytes.into_iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            places.next();
        }
        let byte = match number {
            6 => (byte & 0x0f) | 0x40,
            8 => (byte & 0x3f) | 0x80,
            _ => byte,
        };
        for digit in [byte >> 4, byte & 0xf] {
            if let Some(place) = places.next() {
                *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            }
        }
    }
    HeaderValue::from_bytes(&text).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    const REMOTE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn config_edge(hops: u32) -> Edge {
        let text = format!(
            r#"{{"version":1,"node":{{"name":"n","cluster":"c"}},"listeners":[{{"name":"l","bind":"127.0.0.1:1",
               "kind":{{"http":{{"edge":{{"trusted_hops":{hops}}},"virtual_hosts":[]}}}}}}]}}"#
        );
        let config = meshd_config::Config::read(&text).unwrap();
        let meshd_config::Kind::Http { edge, .. } = &config.listeners[0].kind else { panic!("HTTP") };
        edge.unwrap()
    }

    #[test]
    fn what_only_proxies_may_say_is_removed() {
        let mut map = headers(&[
            ("x-forwarded-client-cert", "URI=spiffe://forged/x"),
            ("x-envoy-upstream-rq-timeout-ms", "1"),
            ("x-envoy-anything", "2"),
            ("x-loyalty", "gold"),
        ]);
        map.append(FORWARDED_CLIENT_CERT, HeaderValue::from_static("URI=spiffe://again/x"));
        remove_untrusted(&mut map, None);
        assert_eq!(map, headers(&[("x-loyalty", "gold")]));
    }

    #[test]
    fn connection_headers_and_those_they_name_stay_behind() {
        let mut map = headers(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("te", "trailers"), ("accept", "*/*")]));
    }

    #[test]
    fn what_is_no_name_hides_no_name() {
        let mut map = headers(&[("x-private", "1"), ("accept", "*/*")]);
        map.insert(header::CONNECTION, HeaderValue::from_bytes(b"x-private, \xff\xe4, ,(").unwrap());
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn an_underscore_makes_no_other_name_of_it() {
        let mut map = headers(&[
            ("x_forwarded_client_cert", "URI=spiffe://forged/x"),
            ("x-forwarded_client-cert", "URI=spiffe://forged/x"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded_proto", "https"),
            ("x_request_id", "1"),
            ("x_envoy_internal", "true"),
            ("x-envoy_internal", "true"),
            ("transfer_encoding", "chunked"),
            ("content_length", "1"),
            ("x_api_key", "mine"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-request-id", "1"),
        ]);
        remove_untrusted(&mut map, None);
        let kept = [("x_api_key", "mine"), ("x-forwarded-for", "10.0.0.1"), ("x-request-id", "1")];
        assert_eq!(map, headers(&kept));
    }

    #[test]
    fn what_proxies_in_front_say_is_true_only_where_one_is_trusted() {
        let lines = [
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "1"),
            ("x-original-url", "/admin"),
            ("x_original_url", "/admin"),
            ("true_client-ip", "10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-of-mine", "1"),
            ("x-original", "1"),
        ];
        let kept = |edge| {
            let mut map = headers(&lines);
            remove_untrusted(&mut map, edge);
            let kept = lines.map(|(name, _)| name).into_iter().filter(|name| map.contains_key(*name));
            kept.collect::<Vec<_>>()
        };
        assert_eq!(kept(Some(config_edge(0))), ["x-forwarded-for", "x-original"]);
        let plain = lines.map(|(name, _)| name).into_iter().filter(|name| !name.contains('_'));
        assert_eq!(kept(Some(config_edge(1))), plain.collect::<Vec<_>>());
        assert_eq!(kept(None).len(), lines.len(), "inside the mesh they are the caller's");
    }

    #[test]
    fn trailers_say_nothing_about_proxies_and_bodies() {
        let mut map = headers(&[
            ("x-forwarded-client-cert", "URI=spiffe://forged/x"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-envoy-internal", "true"),
            ("content-length", "1"),
            ("host", "other"),
            ("grpc-status", "0"),
            ("x_checksum", "1"),
        ]);
        remove_from_trailers(&mut map);
        assert_eq!(map, headers(&[("grpc-status", "0"), ("x_checksum", "1")]));
    }

    #[test]
    fn trailers_are_found_among_other_codings() {
        let mut map = headers(&[("te", "gzip, trailers")]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("te", "trailers")]));
    }

    #[test]
    fn cookies_travel_in_one_line() {
        let mut map = headers(&[("cookie", "a=1"), ("x", "y")]);
        map.append(header::COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut map);
        assert_eq!(map, headers(&[("cookie", "a=1; b=2"), ("x", "y")]));
    }

    #[test]
    fn only_one_statement_about_the_length_travels_on() {
        let mut map = headers(&[("transfer-encoding", "chunked"), ("content-length", "5")]);
        remove_hop_by_hop(&mut map);
        assert!(map.is_empty(), "{map:?}");
    }

    #[test]
    fn an_ingress_believes_nothing_without_trusted_hops() {
        let lines =
            [("x-request-id", "mine"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "10.0.0.1")];
        let mut map = headers(&lines);
        tell_arrival(&mut map, Arrival { remote: REMOTE, tls: false, edge: Some(config_edge(0)) });
        assert_eq!(map[FORWARDED_FOR], "10.0.0.1, 192.0.2.7");
        assert_eq!(map[FORWARDED_PROTO], "http");
        assert_ne!(map[REQUEST_ID], "mine");

        let mut map = headers(&lines);
        tell_arrival(&mut map, Arrival { remote: REMOTE, tls: false, edge: Some(config_edge(1)) });
        assert_eq!(
            (&map[FORWARDED_PROTO], &map[REQUEST_ID]),
            (&HeaderValue::from_static("https"), &HeaderValue::from_static("mine"))
        );
    }

    #[test]
    fn a_client_is_who_those_say_that_are_trusted() {
        let map = headers(&[("x-forwarded-for", "198.51.100.1, 10.0.0.1,192.0.2.7")]);
        let address = |map: &HeaderMap, edge| {
            client_address(map, Arrival { remote: REMOTE, tls: false, edge }).to_string()
        };
        assert_eq!(address(&map, Some(config_edge(0))), "192.0.2.7");
        assert_eq!(address(&map, Some(config_edge(1))), "10.0.0.1");
        assert_eq!(address(&map, Some(config_edge(2))), "198.51.100.1");
        assert_eq!(address(&map, Some(config_edge(3))), "192.0.2.7", "nobody said it");
        assert_eq!(address(&map, None), "192.0.2.7");
        assert_eq!(address(&headers(&[("x-forwarded-for", "10.0.0.1, 10.0.0.2")]), None), "10.0.0.2");
        assert_eq!(address(&headers(&[("x-forwarded-for", "unknown")]), None), "192.0.2.7");
        assert_eq!(address(&HeaderMap::new(), None), "192.0.2.7");
    }

    #[test]
    fn request_ids_are_random_uuids() {
        let (one, two) = (request_id(), request_id());
        assert_ne!(one, two);
        let text = one.to_str().unwrap();
        assert_eq!(text.len(), 36);
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert!(
            text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        );
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&text.as_bytes()[19]));
    }
}
