//! The server behind both proxies: it reads strictly, answers everything, and keeps what it saw.

use bytes::Bytes;
use http::{Request, Response};
use meshd_http::Limits;
use meshd_http::h1::{Part, Server};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What came, by the number of its case. Without one it is in the place of the last number.
pub(crate) type Log = Arc<Mutex<HashMap<u64, Vec<String>>>>;

/// Headers that a proxy adds, or that belong to one connection.
const OWN: &[&str] = &[
    "x-case",
    "connection",
    "transfer-encoding",
    "content-length",
    "host",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "via",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
    "te",
    "expect",
    "keep-alive",
    "upgrade",
    "proxy-connection",
    "trailer",
    "traceparent",
    "date",
    "x-forwarded-client-cert",
    "forwarded",
    "x-envoy-external-address",
];

fn described(head: &Request<()>, body: &[u8]) -> String {
    let mut lines: Vec<String> = head
        .headers()
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={}", value.as_bytes().escape_ascii()))
        .collect();
    lines.sort();
    format!("{} {} {lines:?} {}", head.method(), head.uri(), body.escape_ascii())
}

fn number(head: &Request<()>) -> u64 {
    let value = head.headers().get("x-case").and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).unwrap_or(u64::MAX)
}

async fn serve(mut stream: TcpStream, log: Log) -> Option<()> {
    // With room for what a proxy adds.
    let mut server = Server::new(Limits { headers: 200, ..Limits::default() });
    let mut buffer = vec![0; 16 * 1024];
    let mut out = Vec::new();
    loop {
        let Some((head, _)) = server.request().ok()? else {
            let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            server.received(&buffer[..count]);
            continue;
        };
        let mut body = Vec::new();
        server.wants_body(&mut out);
        loop {
            match server.body().ok()? {
                Some(Part::Data(data)) => body.extend_from_slice(&data),
                Some(Part::Trailers(_) | Part::End) => break,
                None => {
                    stream.write_all(&std::mem::take(&mut out)).await.ok()?;
                    let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
                    server.received(&buffer[..count]);
                }
            }
        }
        let what = described(&head, &body);
        log.lock().unwrap_or_else(PoisonError::into_inner).entry(number(&head)).or_default().push(what);
        let mut answer = Response::new(());
        if let Some(end) = head.headers().get("x-end") {
            answer.headers_mut().insert("x-end", end.clone());
        }
        server.answer(&answer, Some(2), b"now", &mut out);
        let (length, _) = server.data(2, &mut out);
        out.extend_from_slice(&Bytes::from_static(b"ok")[..length]);
        server.answered(None, &mut out);
        stream.write_all(&std::mem::take(&mut out)).await.ok()?;
        if !server.finish() {
            return None;
        }
    }
}

/// Starts it; where it listens.
pub(crate) async fn start(log: Log) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream, Arc::clone(&log)));
        }
    });
    address
}
