//! Answers of the proxy's own, in the form that the client reads.

use crate::body::{Body, text};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use std::borrow::Cow;
use std::fmt::Write as _;

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// gRPC's number for a client that is over a limit.
const RESOURCE_EXHAUSTED: u16 = 8;

/// gRPC's number for a call that took too long.
const DEADLINE_EXCEEDED: u16 = 4;

/// What a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A status and a text.
    Http,
    /// The status 200, and gRPC's own in a header.
    Grpc,
}

/// Why a proxy answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The client is over a limit.
    OverLimit,
    /// It took longer than the client said it would wait.
    Deadline,
    /// So that a gRPC client gets this status.
    Grpc(u16),
    /// Anything else.
    Other,
}

impl Form {
    /// What the client of this request reads. The content type is gRPC's own or names a codec after a `+`, as Envoy
    /// decides it; gRPC-Web is read by those who also read plain answers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let said = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        match said.strip_prefix(GRPC.as_bytes()) {
            Some([] | [b'+', ..]) => Form::Grpc,
            Some(_) | None => Form::Http,
        }
    }

    /// An answer.
    pub(crate) fn reply(
        self,
        status: StatusCode,
        message: impl Into<Cow<'static, str>>,
        why: Why,
    ) -> Response<Body> {
        let message = message.into();
        match self {
            Form::Http => plain(status, message),
            Form::Grpc => grpc(status, &message, why),
        }
    }
}

/// An answer with a text.
pub(crate) fn plain(status: StatusCode, body: impl Into<Cow<'static, str>>) -> Response<Body> {
    let body = match body.into() {
        Cow::Borrowed(body) => Bytes::from_static(body.as_bytes()),
        Cow::Owned(body) => Bytes::from(body),
    };
    let is_empty = body.is_empty();
    let mut response = Response::new(text(body));
    *response.status_mut() = status;
    if !is_empty {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    response
}

/// The answer to HEAD: without the body, whose length is still told. Over HTTP/2, whatever body there is would be sent, and a
/// client must take that for a broken stream (RFC 9113, section 8.1.1).
pub(crate) fn headers_only(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    *response.body_mut() = text("");
    response
}

/// An answer in headers alone ("Trailers-Only" in gRPC's protocol).
fn grpc(status: StatusCode, message: &str, why: Why) -> Response<Body> {
    let mut response = Response::new(text(""));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    let number = match why {
        Why::OverLimit => RESOURCE_EXHAUSTED,
        Why::Deadline => DEADLINE_EXCEEDED,
        Why::Grpc(status) => status,
        Why::Other => grpc_status(status),
    };
    headers.insert(GRPC_STATUS, HeaderValue::from(number));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message))
        && !message.is_empty()
    {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// gRPC's number for an HTTP status. Source: "HTTP to gRPC Status Code Mapping" of gRPC, which Envoy follows.
fn grpc_status(status: StatusCode) -> u16 {
    const UNKNOWN: u16 = 2;
    const PERMISSION_DENIED: u16 = 7;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status.as_u16() {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// A message as gRPC's protocol wants it: everything but printable ASCII is escaped, and so is the sign of an escape.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_itself_is_answered_in_its_form() {
        for (said, form) in [
            ("application/grpc", Form::Grpc),
            ("application/grpc+proto", Form::Grpc),
            ("application/grpc-web", Form::Http),
            ("application/grpc-web+proto", Form::Http),
            ("application/json", Form::Http),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(said))]);
            assert_eq!(Form::of(&headers), form, "{said}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), Form::Http);
    }

    #[test]
    fn statuses_have_their_numbers() {
        for (status, number) in [
            (400, "13"),
            (401, "16"),
            (403, "7"),
            (404, "12"),
            (408, "2"),
            (429, "14"),
            (431, "2"),
            (502, "14"),
            (503, "14"),
            (504, "14"),
        ] {
            let reply = Form::Grpc.reply(StatusCode::from_u16(status).unwrap(), "a text", Why::Other);
            assert_eq!(
                (reply.status().as_u16(), &reply.headers()[GRPC_STATUS]),
                (200, &number.parse().unwrap())
            );
            assert_eq!(reply.headers()[GRPC_MESSAGE], "a text");
        }
        let over = Form::Grpc.reply(StatusCode::TOO_MANY_REQUESTS, "", Why::OverLimit);
        assert_eq!(
            (&over.headers()[GRPC_STATUS], over.headers().get(GRPC_MESSAGE)),
            (&HeaderValue::from(8), None)
        );
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(percent_encoded("100 % of \n\u{fc}"), "100 %25 of %0A%C3%BC");
    }
}
