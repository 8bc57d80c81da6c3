//! Heads and the frame around bodies, as bytes.

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Version, header};

/// How the body of a message that is being sent is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// So many bytes are still to be sent.
    Length(u64),
    /// Chunks.
    Chunked,
    /// It ends with the connection.
    UntilEnd,
}

impl Sending {
    /// Nothing is sent.
    pub const NOTHING: Sending = Sending::Length(0);

    /// Frames `data`: writes what goes before it into `out`, and says how much of it is sent and what goes behind it. What is
    /// more than was announced is not sent, since the other end would take it for the next message.
    #[must_use]
    pub fn frame(&mut self, length: usize, out: &mut Vec<u8>) -> (usize, &'static [u8]) {
        match self {
            _ if length == 0 => (0, b""),
            Sending::Length(left) => {
                let sent = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
                *left -= sent as u64;
                (sent, b"")
            }
            Sending::UntilEnd => (length, b""),
            Sending::Chunked => {
                hexadecimal(length, out);
                out.extend_from_slice(b"\r\n");
                (length, b"\r\n")
            }
        }
    }

    /// Ends the body; whether the other end can tell that it is complete, and its connection can carry more.
    #[must_use]
    pub fn end(self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) -> bool {
        match self {
            Sending::Length(left) => left == 0,
            Sending::UntilEnd => false,
            Sending::Chunked => {
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten().filter(|(name, _)| is_trailer(name)) {
                    line(name.as_str(), value.as_bytes(), out);
                }
                out.extend_from_slice(b"\r\n");
                true
            }
        }
    }

    /// Whether everything that was announced has been sent.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Sending::NOTHING
    }
}

/// Whether a field may come behind a body: not one about the length or the meaning of what was read by then, which a reader that
/// merges trailers with headers would believe too late. Source: RFC 9110, section 6.5.1.
fn is_trailer(name: &HeaderName) -> bool {
    const NEVER: [HeaderName; 14] = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::HOST,
        header::MAX_FORWARDS,
        header::SET_COOKIE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    !NEVER.contains(name)
}

/// What is known about the length of a body that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Its exact length.
    pub(super) exact: Option<u64>,
}

/// A request's head whose parts are somebody else's.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as it is sent: mostly a path with its query.
    pub target: &'a str,
    /// The host; what the headers say of it is not sent then.
    pub host: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Writes such a head.
pub(super) fn request_head(head: &RequestHead<'_>, size: Size, out: &mut Vec<u8>) -> Sending {
    let RequestHead { method, target, host, headers } = head;
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(host) = host {
        line("host", host.as_bytes(), out);
    }
    request_headers(method, headers, host.is_some(), size, out)
}

/// Writes a request's head.
pub(super) fn request(head: &Request<()>, size: Size, out: &mut Vec<u8>) -> Sending {
    let method = head.method();
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let uri = head.uri();
    if *method == Method::CONNECT {
        out.extend_from_slice(uri.authority().map_or("", |authority| authority.as_str()).as_bytes());
    } else {
        if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
            out.extend_from_slice(scheme.as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(authority.as_str().as_bytes());
        }
        out.extend_from_slice(uri.path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    request_headers(method, head.headers(), false, size, out)
}

/// Writes the rest of a request's head.
fn request_headers(
    method: &Method,
    lines: &HeaderMap,
    has_host: bool,
    size: Size,
    out: &mut Vec<u8>,
) -> Sending {
    let said = headers(lines, Codings::Kept, has_host, out);
    let sending = match (said.length, size.exact) {
        _ if said.chunked.is_some() => {
            chunked(said, out);
            Sending::Chunked
        }
        (Some(length), _) => Sending::Length(length),
        (None, Some(0)) => {
            // A method that is about a body says that there is none.
            let methods = [Method::GET, Method::HEAD, Method::CONNECT];
            if !methods.contains(method) {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            Sending::NOTHING
        }
        (None, Some(length)) => {
            content_length(length, out);
            Sending::Length(length)
        }
        (None, None) => {
            chunked(said, out);
            Sending::Chunked
        }
    };
    out.extend_from_slice(b"\r\n");
    sending
}

/// What an answer is an answer to, and on what connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) is_connect: bool,
    /// Whether the client speaks HTTP/1.0.
    pub(super) is_old: bool,
    /// Whether the connection stays open afterwards.
    pub(super) stays: bool,
}

/// Writes an answer's head; how its body is sent, and whether the connection stays.
pub(super) fn answer(
    head: &Response<()>,
    asked: Asked,
    size: Size,
    date: &[u8],
    out: &mut Vec<u8>,
) -> (Sending, bool) {
    let status = head.status();
    let is_old = asked.is_old || head.version() == Version::HTTP_10;
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let is_tunnel = asked.is_connect && status.is_success();
    let is_bare = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || is_tunnel;
    // Without a body they would say nothing, and HTTP/1.0 has none.
    let has_codings = !is_old && (!is_bare || status == StatusCode::NOT_MODIFIED);
    let codings = if has_codings { Codings::Kept } else { Codings::Dropped };
    let said = headers(head.headers(), codings, false, out);
    if !said.date {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    let is_switched = status == StatusCode::SWITCHING_PROTOCOLS;
    let sending = match (said.length, size.exact) {
        (None, Some(length @ 1..)) if asked.is_head && !is_bare && said.chunked.is_none() => {
            content_length(length, out);
            Sending::NOTHING
        }
        _ if is_bare || asked.is_head => Sending::NOTHING,
        _ if said.chunked.is_some() => {
            chunked(said, out);
            Sending::Chunked
        }
        (Some(length), _) => Sending::Length(length),
        (None, Some(length)) => {
            content_length(length, out);
            Sending::Length(length)
        }
        (None, None) if is_old => Sending::UntilEnd,
        (None, None) => {
            chunked(said, out);
            Sending::Chunked
        }
    };
    let is_last = sending == Sending::UntilEnd || is_switched || is_tunnel;
    let stays = asked.stays && !said.close && !is_last;
    if !stays && !is_switched && !said.close && !is_old {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if stays && is_old && !said.keep_alive {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    (sending, stays)
}

/// What becomes of transfer codings that headers name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codings {
    Kept,
    Dropped,
}

/// What headers that were written say.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    length: Option<u64>,
    /// Whether transfer codings were named; if so, whether the last one is `chunked`.
    chunked: Option<bool>,
    date: bool,
    close: bool,
    keep_alive: bool,
}

/// Says that chunks follow, unless that was said.
fn chunked(said: Said, out: &mut Vec<u8>) {
    if said.chunked != Some(true) {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
}

/// Writes headers. Only one statement about the length is written, and a transfer coding is the stronger one.
fn headers(headers: &HeaderMap, codings: Codings, has_host: bool, out: &mut Vec<u8>) -> Said {
    let is_coded = codings == Codings::Kept && headers.contains_key(header::TRANSFER_ENCODING);
    let mut said = Said { chunked: is_coded.then_some(false), ..Said::default() };
    for (name, value) in headers {
        match *name {
            header::TRANSFER_ENCODING if codings == Codings::Dropped => continue,
            header::TRANSFER_ENCODING => {
                let mut fields = super::fields::Fields::default();
                fields.coding(value);
                said.chunked = fields.coding;
            }
            header::CONTENT_LENGTH => {
                let length = super::fields::number(value.as_bytes());
                if is_coded || said.length.is_some() || length.is_none() {
                    continue;
                }
                said.length = length;
            }
            header::DATE => said.date = true,
            header::HOST if has_host => continue,
            header::CONNECTION => {
                let mut fields = super::fields::Fields::default();
                fields.connection(value);
                said.close |= fields.close;
                said.keep_alive |= fields.keep_alive;
            }
            _ => {}
        }
        line(name.as_str(), value.as_bytes(), out);
    }
    said
}

fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn content_length(length: u64, out: &mut Vec<u8>) {
    line("content-length", itoa::Buffer::new().format(length).as_bytes(), out);
}

fn hexadecimal(number: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let digit = (number >> (digit * 4)) & 0xf;
        out.push(b"0123456789abcdef".get(digit).copied().unwrap_or(b'0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked { is_head: false, is_connect: false, is_old: false, stays: true };

    fn answered(
        response: http::response::Builder,
        asked: Asked,
        exact: Option<u64>,
    ) -> (String, Sending, bool) {
        let mut out = Vec::new();
        let (sending, stays) = answer(&response.body(()).unwrap(), asked, Size { exact }, b"now", &mut out);
        let text = String::from_utf8(out).unwrap();
        let text = text.strip_suffix("\r\n\r\n").unwrap().replace("\r\n", "|").replace("|date: now", "");
        (text, sending, stays)
    }

    #[test]
    fn an_answer_says_where_it_ends() {
        let ok = || Response::builder();
        let length = || ok().header("content-length", "3");
        let until = (String::from("HTTP/1.0 200 OK"), Sending::UntilEnd, false);
        let head = Asked { is_head: true, ..ASKED };
        let old = Asked { is_old: true, ..ASKED };
        for (response, asked, exact, expected) in [
            (ok(), ASKED, Some(2), ("HTTP/1.1 200 OK|content-length: 2", Sending::Length(2), true)),
            (length(), ASKED, None, ("HTTP/1.1 200 OK|content-length: 3", Sending::Length(3), true)),
            (length(), head, Some(0), ("HTTP/1.1 200 OK|content-length: 3", Sending::NOTHING, true)),
            (ok(), head, Some(7), ("HTTP/1.1 200 OK|content-length: 7", Sending::NOTHING, true)),
            (ok(), head, None, ("HTTP/1.1 200 OK", Sending::NOTHING, true)),
            (ok(), ASKED, None, ("HTTP/1.1 200 OK|transfer-encoding: chunked", Sending::Chunked, true)),
            (
                length().header("transfer-encoding", "chunked"),
                ASKED,
                None,
                ("HTTP/1.1 200 OK|transfer-encoding: chunked", Sending::Chunked, true),
            ),
            (ok().status(204), ASKED, Some(0), ("HTTP/1.1 204 No Content", Sending::NOTHING, true)),
            (ok().status(304), ASKED, None, ("HTTP/1.1 304 Not Modified", Sending::NOTHING, true)),
            (
                ok(),
                Asked { stays: false, ..ASKED },
                Some(0),
                ("HTTP/1.1 200 OK|content-length: 0|connection: close", Sending::NOTHING, false),
            ),
            (
                ok().header("connection", "close"),
                ASKED,
                Some(0),
                ("HTTP/1.1 200 OK|connection: close|content-length: 0", Sending::NOTHING, false),
            ),
            (
                ok(),
                old,
                Some(0),
                ("HTTP/1.0 200 OK|content-length: 0|connection: keep-alive", Sending::NOTHING, true),
            ),
            (ok(), old, None, (until.0.as_str(), until.1, until.2)),
            (
                ok().status(101).header("connection", "upgrade"),
                ASKED,
                Some(0),
                ("HTTP/1.1 101 Switching Protocols|connection: upgrade", Sending::NOTHING, false),
            ),
            (
                length().header("transfer-encoding", "chunked"),
                old,
                None,
                ("HTTP/1.0 200 OK|content-length: 3|connection: keep-alive", Sending::Length(3), true),
            ),
            (
                ok().header("transfer-encoding", "chunked"),
                ASKED,
                Some(3),
                ("HTTP/1.1 200 OK|transfer-encoding: chunked", Sending::Chunked, true),
            ),
            (
                ok().header("transfer-encoding", "gzip"),
                ASKED,
                None,
                (
                    "HTTP/1.1 200 OK|transfer-encoding: gzip|transfer-encoding: chunked",
                    Sending::Chunked,
                    true,
                ),
            ),
            (
                ok().status(204).header("transfer-encoding", "chunked"),
                ASKED,
                None,
                ("HTTP/1.1 204 No Content", Sending::NOTHING, true),
            ),
            (
                ok(),
                Asked { is_connect: true, ..ASKED },
                Some(0),
                ("HTTP/1.1 200 OK|connection: close", Sending::NOTHING, false),
            ),
            (ok().status(299), ASKED, Some(0), ("HTTP/1.1 299 |content-length: 0", Sending::NOTHING, true)),
        ] {
            let (text, sending, stays) = answered(response, asked, exact);
            assert_eq!((text.as_str(), sending, stays), expected);
        }
    }

    #[test]
    fn a_request_says_where_it_ends() {
        let asked = |request: http::request::Builder, exact| {
            let mut out = Vec::new();
            let sending = request_text(&request.body(()).unwrap(), exact, &mut out);
            (out, sending)
        };
        fn request_text(head: &Request<()>, exact: Option<u64>, out: &mut Vec<u8>) -> Sending {
            super::request(head, Size { exact }, out)
        }
        let (get, post) = (|| Request::get("/p?q"), || Request::post("http://a.test/p"));
        for (request, exact, text, sending) in [
            (get(), Some(0), "GET /p?q HTTP/1.1\r\n\r\n", Sending::NOTHING),
            (get(), Some(2), "GET /p?q HTTP/1.1\r\ncontent-length: 2\r\n\r\n", Sending::Length(2)),
            (get(), None, "GET /p?q HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", Sending::Chunked),
            (
                get().header("transfer-encoding", "gzip").header("content-length", "1"),
                None,
                "GET /p?q HTTP/1.1\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
                Sending::Chunked,
            ),
            (post(), Some(0), "POST http://a.test/p HTTP/1.1\r\ncontent-length: 0\r\n\r\n", Sending::NOTHING),
            (
                post().header("content-length", "7"),
                None,
                "POST http://a.test/p HTTP/1.1\r\ncontent-length: 7\r\n\r\n",
                Sending::Length(7),
            ),
        ] {
            assert_eq!(asked(request, exact), (text.as_bytes().to_vec(), sending), "{text}");
        }
    }

    #[test]
    fn a_head_of_somebody_elses_parts_has_one_host() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, http::HeaderValue::from_static("said.test"));
        headers.insert(header::ACCEPT, http::HeaderValue::from_static("*/*"));
        for (host, expected) in [
            (Some("known.test"), "GET /p HTTP/1.1\r\nhost: known.test\r\naccept: */*\r\n\r\n"),
            (None, "GET /p HTTP/1.1\r\nhost: said.test\r\naccept: */*\r\n\r\n"),
        ] {
            let (mut out, head) =
                (Vec::new(), RequestHead { method: &Method::GET, target: "/p", host, headers: &headers });
            assert_eq!(request_head(&head, Size { exact: Some(0) }, &mut out), Sending::NOTHING);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn bodies_are_framed_and_never_longer_than_announced() {
        let mut out = Vec::new();
        let mut sending = Sending::Length(5);
        assert_eq!(sending.frame(3, &mut out), (3, &b""[..]));
        assert!(!sending.end(None, &mut out), "two bytes are missing");
        assert_eq!(sending.frame(3, &mut out), (2, &b""[..]));
        assert!(sending.end(None, &mut out) && out.is_empty());
        let mut sending = Sending::Chunked;
        assert_eq!(sending.frame(0, &mut out), (0, &b""[..]));
        assert_eq!(sending.frame(0x1_0af, &mut out), (0x1_0af, &b"\r\n"[..]));
        let one = http::HeaderValue::from_static("1");
        let trailers = [(header::CONTENT_LENGTH, one.clone()), (header::ETAG, one)];
        let trailers = HeaderMap::from_iter(trailers);
        assert!(sending.end(Some(&trailers), &mut out));
        assert_eq!(out, b"10af\r\n0\r\netag: 1\r\n\r\n");
    }
}
