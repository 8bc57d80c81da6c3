//! What a stand-in application answers over HTTP; what is gRPC or a WebSocket is handed on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Serialize;
use tonic::body::Body;

use super::{Behaviour, Instance, Shaken, Told, attempts, awake, grpc, websocket, xfcc};

/// The longest delay that a request may ask for with `?delay=`.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(60);

/// The longest answer that a request may ask for with `?bytes=`, and the longest text that is echoed.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    service: &'a str,
    cluster: &'a str,
    /// Who called, as the sidecar proved it; `null` without a sidecar.
    caller: Option<String>,
    method: &'a str,
    path: &'a str,
    /// How many bytes its body had.
    received: u64,
    /// Which attempt it is at the service, by the id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    headers: BTreeMap<&'a str, String>,
    /// What was said in the TLS handshake, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a Shaken>,
}

/// Answers one request as the application is told to behave, once all of it has been read: an application that answers
/// and leaves the body unread ends the connection. A request whose query says `delay=<milliseconds>` is answered that
/// much later; one whose query says `bytes=<number>` gets so many bytes instead of JSON.
pub(super) async fn answer(
    mut request: Request<Incoming>,
    tls: Option<&Shaken>,
    mut told: Told,
) -> Result<Response<Body>, Infallible> {
    awake(&mut told.behaviour).await;
    if let Some(delay) = delay(request.uri().query().unwrap_or_default()) {
        tokio::time::sleep(delay).await;
    }
    let failing = *told.behaviour.borrow() != Behaviour::Well;
    let attempt = attempts::count(&told.instance, request.headers());
    if grpc::is_asked(&request) {
        return Ok(if failing { grpc::failure() } else { grpc::answer(request, attempt, told).await });
    }
    if websocket::is_asked(&request) && !failing {
        return Ok(websocket::agree(request, attempt, told));
    }
    let received = read(request.body_mut()).await;
    let instance = &told.instance;
    let failing = *told.behaviour.borrow() != Behaviour::Well;
    if failing && grpc::has_content_of(request.headers()) {
        return Ok(grpc::failure());
    }
    let (status, body) = if failing {
        (StatusCode::INTERNAL_SERVER_ERROR, told_to_fail(instance, attempt))
    } else if let Some(count) = bytes(request.uri().query().unwrap_or_default()) {
        let mut response = Response::new(Body::new(Full::new(filling(count))));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        return Ok(response);
    } else {
        (StatusCode::OK, describe(&request, received, attempt, instance, tls))
    };
    // Over HTTP/2, hyper would send the body of an answer that has none.
    let (body, header) =
        if request.method() == Method::HEAD { (Vec::new(), in_header(&body)) } else { (body, None) };
    let mut response = Response::new(Body::new(Full::new(Bytes::from(body))));
    if let Some(header) = header {
        response.headers_mut().insert(ANSWER, header);
    }
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Reads a body to its end; how many bytes it had.
pub(super) async fn read(body: &mut Incoming) -> u64 {
    let mut received = 0;
    while let Some(Ok(frame)) = body.frame().await {
        received += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    received
}

/// What an answer says.
pub(super) fn describe(
    request: &Request<Incoming>,
    received: u64,
    attempt: Option<u32>,
    instance: &Instance,
    tls: Option<&Shaken>,
) -> Vec<u8> {
    let headers = request.headers();
    let certificate = headers.get("x-forwarded-client-cert").and_then(|value| value.to_str().ok());
    let answer = Answer {
        service: &instance.service,
        cluster: &instance.cluster,
        caller: certificate.and_then(xfcc::uri),
        method: request.method().as_str(),
        path: request.uri().path_and_query().map_or("/", |path| path.as_str()),
        received,
        attempt,
        headers: joined(headers),
        tls,
    };
    line(&answer)
}

fn told_to_fail(instance: &Instance, attempt: Option<u32>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Failure<'a> {
        service: &'a str,
        cluster: &'a str,
        error: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    }
    let (service, cluster) = (&instance.service, &instance.cluster);
    line(&Failure { service, cluster, error: "told to fail", attempt })
}

/// JSON and a newline, for people with curl.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    body
}

/// Which header, or trailer, has what an answer says where there is no body for it.
pub(super) const ANSWER: &str = "x-answer";
/// The longest that it may be: many clients take no more than 8 KiB of metadata.
const MAX_ANSWER: usize = 4096;

/// JSON as a header's value, with everything beyond ASCII escaped; none if it is too long.
pub(super) fn in_header(json: &[u8]) -> Option<HeaderValue> {
    let text = std::str::from_utf8(json).ok()?.trim_end();
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    HeaderValue::from_str(&escaped).ok().filter(|value| value.len() <= MAX_ANSWER)
}

/// Headers by name; repeated ones are joined with `, `.
pub(super) fn joined(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|old| *old = format!("{old}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    joined
}

fn delay(query: &str) -> Option<Duration> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("delay="))?;
    Some(Duration::from_millis(value.parse().ok()?).min(MAX_DELAY))
}

fn bytes(query: &str) -> Option<usize> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("bytes="))?;
    Some(value.parse::<usize>().ok()?.min(MAX_BYTES))
}

/// So many bytes. All answers share them.
fn filling(count: usize) -> Bytes {
    static ALL: OnceLock<Bytes> = OnceLock::new();
    let all = ALL.get_or_init(|| Bytes::from(vec![b'x'; MAX_BYTES]));
    all.slice(..count.min(all.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_fits_into_a_header() {
        let value = in_header("{\"a\":\"\u{e4}\u{1f600}\"}\n".as_bytes()).unwrap();
        assert_eq!(value, r#"{"a":"\u00e4\ud83d\ude00"}"#);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(value.as_bytes()).unwrap()["a"],
            "\u{e4}\u{1f600}"
        );
        assert_eq!(in_header(&[b'a'; MAX_ANSWER + 1]), None);
    }

    #[test]
    fn a_length_is_bounded() {
        assert_eq!(bytes("a=1&bytes=100"), Some(100));
        assert_eq!(bytes("bytes=999999999"), Some(MAX_BYTES));
        assert_eq!(bytes("bytes=many"), None);
        assert_eq!(filling(100), [b'x'; 100].as_slice());
        assert_eq!(filling(usize::MAX).len(), MAX_BYTES);
    }

    #[test]
    fn a_delay_is_bounded() {
        assert_eq!(delay("a=1&delay=1500"), Some(Duration::from_millis(1500)));
        assert_eq!(delay("delay=999999999"), Some(MAX_DELAY));
        assert_eq!(delay("delay=soon"), None);
        assert_eq!(delay(""), None);
    }
}
