//! What a stand-in application says over a WebSocket (RFC 6455): every message back.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_websockets::{CloseCode, Error, Limits, Message, ServerBuilder, WebSocketStream};
use tonic::body::Body;

use super::http::{ANSWER, MAX_BYTES, describe, in_header};
use super::{Behaviour, Told, awake};

/// What is hashed after the client's key (section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The only version that there is (section 4.4).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Whether a request asks for a WebSocket.
pub(super) fn is_asked<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET
        && has(request.headers(), &CONNECTION, "upgrade")
        && has(request.headers(), &UPGRADE, "websocket")
}

/// Whether a list has a word, in any case.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word))
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Agrees, and converses from then on. Of subprotocols the first that is offered is taken, since some clients end a
/// connection without one. A header says what an answer over HTTP does.
pub(super) fn agree(mut request: Request<Incoming>, attempt: Option<u32>, told: Told) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if request.headers().get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
        return response;
    }
    let accepted = request.headers().get(SEC_WEBSOCKET_KEY).and_then(accept);
    let Some(accepted) = accepted else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accepted);
    if let Some(answer) = in_header(&describe(&request, 0, attempt, &told.instance, None)) {
        headers.insert(ANSWER, answer);
    }
    let first = words(request.headers(), &SEC_WEBSOCKET_PROTOCOL).next();
    if let Some(first) = first.and_then(|word| HeaderValue::from_str(word).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let upgraded = hyper::upgrade::on(&mut request);
    // It ends with its client, or when the application goes. A conversation that breaks concerns nobody but the client.
    drop(tokio::spawn(async move {
        if let Ok(stream) = upgraded.await {
            let _ = converse(TokioIo::new(stream), told).await;
        }
    }));
    response
}

/// What proves that a server has read the key (section 4.2.2).
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), MAGIC].concat());
    HeaderValue::from_str(&STANDARD.encode(hashed)).ok()
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, told: Told) -> Result<(), Error> {
    let limits = Limits::default().max_payload_len(Some(MAX_BYTES));
    let mut socket = ServerBuilder::new().limits(limits).serve(stream);
    let (mut behaviour, mut until_gone) = (told.behaviour.clone(), told.behaviour);
    tokio::select! {
        ended = echo(&mut socket, &mut behaviour) => ended,
        _ = until_gone.wait_for(|behaviour| *behaviour == Behaviour::Gone) => Ok(()),
    }
}

/// Until the client ends it. Pings, and the end, are answered by the library.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    behaviour: &mut watch::Receiver<Behaviour>,
) -> Result<(), Error> {
    while let Some(message) = socket.next().await.transpose()? {
        match awake(behaviour).await {
            Behaviour::Well => {}
            Behaviour::Error | Behaviour::Hang | Behaviour::Gone => {
                let close = Message::close(Some(CloseCode::INTERNAL_SERVER_ERROR), "told to fail");
                socket.send(close).await?;
                continue;
            }
        }
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_specification_is_accepted_as_it_says() {
        let accepted = accept(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accepted.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_asks_in_any_case_and_in_lists() {
        let asks = |connection: &str, upgrade: &str| {
            let request = Request::get("/").header(CONNECTION, connection).header(UPGRADE, upgrade);
            is_asked(&request.body(()).unwrap())
        };
        assert!(asks("Upgrade", "websocket") && asks("keep-alive, upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket") && !asks("upgrade", "h2c"));
    }
}
