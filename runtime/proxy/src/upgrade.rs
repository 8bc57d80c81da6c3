//! Requests for another protocol: how they are written over HTTP/1.1 and over HTTP/2, and the answers that agree.
//!
//! Inside, such a request is a GET that wants an upgrade, whatever the client's hop made of it; Envoy does the same, and so
//! rules decide alike. Over HTTP/2 it is a CONNECT with a `:protocol` (RFC 8441), and the answer 200 instead of 101.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use meshd_config::Upgrade;
use meshd_http::h2::Protocol;

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;

/// What is hashed with a key to agree to a WebSocket (RFC 6455, section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const UPGRADES: [Upgrade; 1] = [Upgrade::WebSocket];

const fn token(upgrade: Upgrade) -> &'static str {
    match upgrade {
        Upgrade::WebSocket => "websocket",
    }
}

/// Which protocol a request asks for; what is not known here is an error.
pub(crate) fn asked(parts: &Parts) -> Result<Option<Upgrade>, ()> {
    let known =
        |asked: &[u8]| UPGRADES.into_iter().find(|it| asked.eq_ignore_ascii_case(token(*it).as_bytes()));
    if parts.version == Version::HTTP_2 {
        let Some(protocol) = parts.extensions.get::<Protocol>() else { return Ok(None) };
        return known(protocol.as_str().as_bytes()).map(Some).ok_or(());
    }
    if !lists(&parts.headers, &header::CONNECTION, |token| token.eq_ignore_ascii_case(b"upgrade")) {
        return Ok(None);
    }
    let mut lines = parts.headers.get_all(header::UPGRADE).iter();
    match (lines.next().map(HeaderValue::as_bytes), lines.next()) {
        (None, _) => Ok(None),
        // HTTP/2 without TLS: whoever offers it goes on in HTTP/1.1 if it is not taken up.
        (Some(b""), None) => Ok(None),
        (Some(only), None) if only.eq_ignore_ascii_case(b"h2c") => Ok(None),
        (Some(only), None) => known(only).map(Some).ok_or(()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Whether a header lists something of that kind.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, is_it: impl Fn(&[u8]) -> bool) -> bool {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b',')).any(|token| is_it(token.trim_ascii()))
}

/// Asks for the protocol over HTTP/1.1. Whoever came over HTTP/2 has sent no key, and applications want one.
pub(crate) fn ask1(request: &mut HeaderMap, upgrade: Upgrade) {
    request.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    request.insert(header::UPGRADE, HeaderValue::from_static(token(upgrade)));
    match upgrade {
        Upgrade::WebSocket => {
            request.entry(KEY).or_insert_with(random_key);
        }
    }
}

/// Asks for it over HTTP/2.
pub(crate) fn ask2<B>(request: &mut Request<B>, upgrade: Upgrade) {
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static(token(upgrade)));
}

/// Whether an answer agrees.
pub(crate) fn is_agreed<B>(response: &Response<B>) -> bool {
    match response.version() {
        Version::HTTP_2 => response.status() == StatusCode::OK,
        _ => response.status() == StatusCode::SWITCHING_PROTOCOLS,
    }
}

/// What a client has to be told in order to agree, after whatever the upstream said. `key` is the client's.
pub(crate) fn agree(
    version: Version,
    headers: &mut HeaderMap,
    upgrade: Upgrade,
    key: Option<&HeaderValue>,
) -> StatusCode {
    headers.remove(header::CONTENT_LENGTH);
    match key {
        // The application has answered a key that was made up on the way.
        None => drop(headers.remove(ACCEPT)),
        Some(key) => {
            headers.entry(ACCEPT).or_insert_with(|| accept(key));
        }
    }
    if version == Version::HTTP_2 {
        return StatusCode::OK;
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(token(upgrade)));
    StatusCode::SWITCHING_PROTOCOLS
}

/// The key that the client sent.
pub(crate) fn key(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(KEY).cloned()
}

/// What agrees to a key (RFC 6455, section 4.2.2).
fn accept(key: &HeaderValue) -> HeaderValue {
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), MAGIC].concat());
    in_base64(hashed.as_ref())
}

/// A key for a request that had none. Without randomness it is a fixed one: it only keeps caches apart (section 10.3).
fn random_key() -> HeaderValue {
    let mut bytes = [0u8; 16];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    in_base64(&bytes)
}

/// RFC 4648, section 4.
fn in_base64(bytes: &[u8]) -> HeaderValue {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let index = (number >> (18 - 6 * digit)) as usize & 63;
            let is_there = digit <= three.len();
            text.push(DIGITS.get(index).filter(|_| is_there).map_or('=', |digit| char::from(*digit)));
        }
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lines: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_protocol_is_asked_for_by_two_headers() {
        let upgrade = ("connection", "keep-alive, Upgrade");
        for (lines, expected) in [
            (&[upgrade, ("upgrade", "WebSocket")][..], Ok(Some(Upgrade::WebSocket))),
            (&[("upgrade", "websocket")], Ok(None)),
            (&[upgrade], Ok(None)),
            (&[upgrade, ("upgrade", "h2c")], Ok(None)),
            (&[upgrade, ("upgrade", "")], Ok(None)),
            (&[upgrade, ("upgrade", "other")], Err(())),
            (&[upgrade, ("upgrade", "websocket, other")], Err(())),
            (&[upgrade, ("upgrade", "websocket"), ("upgrade", "websocket")], Err(())),
        ] {
            assert_eq!(asked(&parts(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn over_http2_it_is_a_connect_with_a_name() {
        let mut request = Request::get("https://a.example/").body(()).unwrap();
        ask2(&mut request, Upgrade::WebSocket);
        *request.version_mut() = Version::HTTP_2;
        assert_eq!(request.method(), Method::CONNECT);
        let mut parts = request.into_parts().0;
        assert_eq!(asked(&parts), Ok(Some(Upgrade::WebSocket)));
        parts.extensions.insert(Protocol::from_static("connect-udp"));
        assert_eq!(asked(&parts), Err(()));
    }

    #[test]
    fn keys_are_answered_as_the_specification_shows() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        let mut headers = HeaderMap::new();
        let status = agree(Version::HTTP_11, &mut headers, Upgrade::WebSocket, Some(&key));
        assert_eq!(
            (status, headers[ACCEPT].to_str().unwrap()),
            (StatusCode::SWITCHING_PROTOCOLS, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert_eq!(agree(Version::HTTP_2, &mut headers, Upgrade::WebSocket, None), StatusCode::OK);
        assert!(!headers.contains_key(ACCEPT), "it answers no key of the client's");
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")]
        {
            assert_eq!(in_base64(bytes), text);
        }
        assert_eq!(random_key().len(), 24);
    }
}
