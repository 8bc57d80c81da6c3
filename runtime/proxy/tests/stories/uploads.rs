//! Requests with bodies: of unknown length, answered before they were read, and cut off.

use crate::support::world::{address, endpoint, http_listener, inbound_listener};
use crate::support::{App, Client, World, sni, spiffe, upstream};
use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An upstream that is ejected for an hour by its first failure.
fn fragile(to: SocketAddr, protocol: &str) -> Value {
    let mut group = json!({ "name": "all", "endpoints": [endpoint(to)] });
    group["outlier"] = json!({ "consecutive_connections": 1, "failing_share": { "percent": 1, "attempts": 1 }, "interval": "10ms", "ejection": "1h" });
    let mut upstream = upstream(&[group]);
    upstream["protocol"] = json!(protocol);
    upstream
}

/// A proxy in front of `to`, to which it speaks `protocol`.
fn proxy(world: &mut World, to: SocketAddr, protocol: &str) -> SocketAddr {
    let bind = address();
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({}))],
        "upstreams": { "app": fragile(to, protocol) },
    });
    world.start(&format!("to-{protocol}"), config);
    bind
}

/// Two sidecars with mutual TLS between them in front of `to`.
fn sidecars(world: &mut World, to: SocketAddr) -> SocketAddr {
    let (inbound, outbound) = (address(), address());
    let callee = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({}))],
        "upstreams": { "app": fragile(to, "downstream") },
    });
    world.start("catalog", callee);
    let mut west = fragile(inbound, "downstream");
    west["groups"][0]["tls"] = json!({ "sni": sni("catalog"), "peers": [spiffe("catalog")] });
    let caller = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [http_listener(outbound, "catalog", json!({}))],
        "upstreams": { "catalog": west },
    });
    world.start("webapp", caller);
    outbound
}

/// What the application received of a request whose length is not told: how many bytes, and as which version.
async fn stream(
    through: SocketAddr,
    is_http2: bool,
    method: &Method,
    parts: &[&'static str],
) -> (String, String) {
    let frames: Vec<_> = parts
        .iter()
        .map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from_static(part.as_bytes()))))
        .collect();
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let mut request = Request::builder().method(method).uri("/");
    let io = TokioIo::new(TcpStream::connect(through).await.unwrap());
    let response = if is_http2 {
        request = request.uri("http://app/");
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
            .send_request(request.body(body).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{method}: {error:?}"))
    } else {
        request = request.header("host", "app").header("transfer-encoding", "chunked");
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request.body(body).unwrap()).await.unwrap()
    };
    let said = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    (said("x-received"), said("x-version"))
}

#[tokio::test]
async fn a_body_of_unknown_length_passes_with_every_method() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    for (protocol, version) in [("http1", "HTTP/1.1"), ("http2", "HTTP/2.0")] {
        let through = proxy(&mut world, app.address, protocol);
        for is_http2 in [false, true] {
            for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "REPORT"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let (received, spoken) = stream(through, is_http2, &method, &["abc", "defg"]).await;
                let of = format!("{method} from {} to {protocol}", if is_http2 { "http2" } else { "http1" });
                assert_eq!((received.as_str(), spoken.as_str()), ("7", version), "{of}");
            }
            let (received, _) = stream(through, is_http2, &Method::GET, &[]).await;
            assert_eq!(received, "0", "a body that turns out to be empty");
        }
    }
}

/// The head of the request that an application gets for these bytes of a client.
async fn forwarded(through: SocketAddr, server: &TcpListener, request: &str) -> String {
    let mut client = TcpStream::connect(through).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(upstream.read_u8().await.unwrap());
    }
    upstream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_ne!(client.read(&mut [0; 8]).await.unwrap(), 0);
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn no_body_is_none_and_an_empty_one_stays_empty() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let through = proxy(&mut world, server.local_addr().unwrap(), "http1");
    let bare = forwarded(through, &server, "GET / HTTP/1.1\r\nhost: app\r\n\r\n").await;
    assert!(!bare.contains("content-length") && !bare.contains("transfer-encoding"), "{bare}");
    let empty = forwarded(through, &server, "GET / HTTP/1.1\r\nhost: app\r\ncontent-length: 0\r\n\r\n").await;
    assert!(empty.contains("content-length: 0\r\n") && !empty.contains("transfer-encoding"), "{empty}");
}

/// How a server that has answered treats the rest of the request.
#[derive(Debug, Clone, Copy)]
enum Manners {
    /// It closes with the request unread, which resets the connection.
    Abrupt,
    /// It says that it has finished, and reads on for a while.
    Lingering,
}

/// A server that answers 413 as soon as it has seen a request's headers.
async fn refuses_uploads(manners: Manners) -> SocketAddr {
    let server = TcpListener::bind(address()).await.unwrap();
    let at = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                stream
                    .write_all(
                        b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large",
                    )
                    .await?;
                if let Manners::Lingering = manners {
                    stream.shutdown().await?;
                    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
                }
                Ok::<_, std::io::Error>(())
            });
        }
    });
    at
}

/// What a client reads that sends its whole request first, as many do.
async fn upload(through: SocketAddr, size: usize) -> String {
    let mut stream = TcpStream::connect(through).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: app\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let block = [b'x'; 16 * 1024];
    for _ in 0..size / block.len() {
        stream.write_all(&block).await.expect("the proxy reads what it has answered already");
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The same over HTTP/2.
async fn upload_http2(through: SocketAddr, size: usize) -> String {
    let block = Bytes::from(vec![b'x'; 16 * 1024]);
    let frames = (0..size / block.len()).map(move |_| Ok::<_, Infallible>(Frame::data(block.clone())));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let io = TokioIo::new(TcpStream::connect(through).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://app/").body(body).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    format!("{} {}", parts.status.as_u16(), String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn an_answer_is_delivered_whatever_became_of_the_upload() {
    for manners in [Manners::Lingering, Manners::Abrupt] {
        let mut world = World::new();
        let server = refuses_uploads(manners).await;
        let through = sidecars(&mut world, server);
        for round in 0..12 {
            let size = if round == 0 { 20 << 20 } else { 1 << 20 };
            let answer = upload(through, size).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{manners:?}, round {round}: {answer:?}");
            assert!(answer.ends_with("\r\n\r\ntoo large"), "{manners:?}, round {round}: {answer:?}");
        }
        let to_http1 = proxy(&mut world, server, "http1");
        for round in 0..12 {
            let answer = upload_http2(to_http1, 1 << 20).await;
            assert_eq!(answer, "413 too large", "{manners:?}, round {round}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_the_proxy_reaches_a_client_that_still_uploads() {
    let mut world = World::new();
    let bind = address();
    let config = json!({
        "listeners": [{ "name": "http", "bind": bind.to_string(), "kind": { "http": { "virtual_hosts": [] } } }],
    });
    world.start("proxy", config);
    for _ in 0..5 {
        let answer = upload(bind, 4 << 20).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("\r\n\r\n"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refusal_costs_the_connection_only_where_the_body_is_large() {
    let mut world = World::new();
    let bind = address();
    let config = json!({
        "listeners": [{ "name": "http", "bind": bind.to_string(), "kind": { "http": { "virtual_hosts": [] } } }],
    });
    world.start("proxy", config);
    for (size, is_kept) in [(100, true), (1 << 20, false)] {
        let mut client = Client::http1(bind, "app").await;
        let answer = client.send(Method::POST, "/", &[], &"x".repeat(size)).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.headers.get("connection").is_none()),
            (404, is_kept),
            "{size} bytes"
        );
    }
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A client may say in the middle of its request that it ends "without an error".
#[tokio::test]
async fn a_request_that_was_cut_off_never_looks_complete() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let through = proxy(&mut world, server.local_addr().unwrap(), "http1");
    let mut client = TcpStream::connect(through).await.unwrap();
    let headers = [&[0x83, 0x86, 0x84, 0x41, 3][..], b"app"].concat();
    let hello = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 4, 1, &headers),
        frame(0, 0, 1, b"half"),
    ];
    client.write_all(&hello.concat()).await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"4\r\nhalf\r\n") {
        assert_ne!(upstream.read_buf(&mut received).await.unwrap(), 0, "the first half arrives");
    }
    client.write_all(&frame(3, 0, 1, &[0; 4])).await.unwrap();
    // However the connection ends, the body does not.
    let _ = upstream.read_to_end(&mut received).await;
    assert!(received.ends_with(b"4\r\nhalf\r\n"), "{:?}", String::from_utf8_lossy(&received));
}
