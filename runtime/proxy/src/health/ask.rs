//! One check: over a connection that is kept for the next one, if the protocol can.

use crate::balance::Picked;
use crate::body::{Body, text};
use crate::connect::{Upward, connect_to_check};
use crate::on_this_thread::OnThisThread;
use crate::upstream::Spoken;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use meshd_config::Check;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What a check calls itself.
const USER_AGENT: HeaderValue = HeaderValue::from_static("mesh-health-check");

/// How much of an answer is read: what has more to say is not asked on the same connection again.
const LARGEST: usize = 64 * 1024;

/// `SERVING` of gRPC's health checking protocol.
const SERVING: u64 = 1;

/// A connection for the next check.
pub(super) enum Kept {
    Http(http1::SendRequest<Body>),
    Grpc(http2::SendRequest<Body>),
}

/// Asks once. Whatever is not the expected answer is a failure.
pub(super) async fn ask(picked: &Picked, check: &Check, sni: &str, kept: &mut Option<Kept>) -> bool {
    let passed = match check {
        Check::Http { host, path } => http(picked, sni, kept, host, path).await,
        Check::Grpc { host, service } => grpc(picked, sni, kept, host, service).await,
        Check::Tcp { send, receive } => tcp(picked, sni, send.as_deref(), receive.as_deref()).await,
    };
    passed.unwrap_or(false)
}

async fn connect(picked: &Picked, sni: &str, spoken: Spoken) -> Option<Upward> {
    connect_to_check(picked, spoken, sni).await.ok()
}

async fn http(picked: &Picked, sni: &str, kept: &mut Option<Kept>, host: &str, path: &str) -> Option<bool> {
    let open = match kept.take() {
        Some(Kept::Http(mut sender)) => sender.ready().await.is_ok().then_some(sender),
        Some(Kept::Grpc(_)) | None => None,
    };
    let mut sender = match open {
        Some(sender) => sender,
        None => {
            let stream = connect(picked, sni, Spoken::Http1).await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::task::spawn_local(connection);
            sender
        }
    };
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .body(text(""))
        .ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    if Limited::new(answer.into_body(), LARGEST).collect().await.is_ok() {
        *kept = Some(Kept::Http(sender));
    }
    Some((200..400).contains(&status))
}

async fn grpc(
    picked: &Picked,
    sni: &str,
    kept: &mut Option<Kept>,
    host: &str,
    service: &str,
) -> Option<bool> {
    let open = match kept.take() {
        Some(Kept::Grpc(mut sender)) => sender.ready().await.is_ok().then_some(sender),
        Some(Kept::Http(_)) | None => None,
    };
    let mut sender = match open {
        Some(sender) => sender,
        None => {
            let stream = connect(picked, sni, Spoken::Http2).await?;
            let (sender, connection) = http2::handshake(OnThisThread, TokioIo::new(stream)).await.ok()?;
            tokio::task::spawn_local(connection);
            sender
        }
    };
    let request = Request::post(format!("http://{host}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, USER_AGENT)
        .body(text(question(service)))
        .ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.ok()?;
    *kept = Some(Kept::Grpc(sender));
    let trailers: Option<HeaderMap> = Collected::trailers(&body).cloned();
    let is_ok = |headers: &HeaderMap| headers.get("grpc-status").map(|status| status == "0");
    // Where there is no message, the status is among the headers.
    let is_ok = trailers.as_ref().and_then(is_ok).or_else(|| is_ok(&head.headers)).unwrap_or(false);
    Some(head.status.is_success() && is_ok && serves(body.to_bytes()))
}

/// A message of gRPC: `HealthCheckRequest`, whose field 1 is the service.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(1 << 3 | 2);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        message.put_u8(u8::try_from(length).unwrap_or(0));
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(0));
    framed.put_slice(&message);
    framed.freeze()
}

/// Whether a message of gRPC is a `HealthCheckResponse` whose field 1, the status, is `SERVING`.
fn serves(framed: Bytes) -> bool {
    // Five bytes of a frame that is not compressed, the field's number and type, and a number below 128.
    let [0, _, _, _, length, message @ ..] = &*framed else { return false };
    let known = usize::from(*length) == message.len();
    matches!(message, [0x08, status] if known && u64::from(*status) == SERVING)
}

async fn tcp(picked: &Picked, sni: &str, send: Option<&str>, receive: Option<&str>) -> Option<bool> {
    let mut stream = connect(picked, sni, Spoken::Bytes).await?;
    if let Some(send) = send {
        stream.write_all(send.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
    let Some(expected) = receive.map(str::as_bytes) else { return Some(true) };
    let mut received = Vec::new();
    while received.len() < LARGEST {
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return Some(false);
        }
        if received.windows(expected.len().max(1)).any(|window| window == expected) {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_a_framed_message() {
        assert_eq!(&*question(""), [0, 0, 0, 0, 0]);
        assert_eq!(&*question("a.B"), [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = question(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
        assert_eq!(long.len(), 5 + 303);
    }

    #[test]
    fn only_serving_is_healthy() {
        let of = |status| Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
        assert!(serves(of(1)));
        for other in [of(0), of(2), of(3), Bytes::from_static(&[0, 0, 0, 0, 0]), Bytes::new()] {
            assert!(!serves(other));
        }
        assert!(!serves(Bytes::from_static(&[1, 0, 0, 0, 2, 8, 1])), "compressed, which was not asked for");
    }
}
