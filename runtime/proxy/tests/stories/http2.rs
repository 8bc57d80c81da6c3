//! HTTP/2: spoken upstream when the client speaks it, multiplexed, with trailers, beside HTTP/1.1 on the same ports.

use crate::support::world::{address, http_listener, inbound_listener};
use crate::support::{App, Client, World, group, sni, spiffe, upstream};
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::{TcpListener, TcpStream};

/// webapp's and catalog's sidecars in front of an application.
fn sidecars(world: &mut World, app: SocketAddr) -> SocketAddr {
    let (inbound, outbound) = (address(), address());
    let callee = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({}))],
        "upstreams": { "app": upstream(&[group("app", &[app])]) },
    });
    world.start("catalog", callee);
    let mut west = group("west", &[inbound]);
    west["tls"] = json!({ "sni": sni("catalog"), "peers": [spiffe("catalog")] });
    let caller = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [http_listener(outbound, "catalog", json!({}))],
        "upstreams": { "catalog": upstream(&[west]) },
    });
    world.start("webapp", caller);
    outbound
}

#[tokio::test]
async fn each_client_keeps_its_own_version_all_the_way() {
    let mut world = World::new();
    let app = App::start("catalog", address()).await;
    let outbound = sidecars(&mut world, app.address);
    let two = Client::http2(outbound, "catalog.shop:80").await.get("/two?x=1").await;
    assert_eq!(two.said()["version"], "HTTP/2.0");
    assert_eq!(two.said()["authority"], "catalog.shop:80");
    assert_eq!(two.said()["path"], "/two?x=1");
    let one = Client::http1(outbound, "catalog.shop:80").await.get("/one").await;
    assert_eq!(one.said()["version"], "HTTP/1.1");
    assert_eq!(one.seen("host").unwrap(), "catalog.shop:80");
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let mut world = World::new();
    let app = App::start("catalog", address()).await;
    app.takes(std::time::Duration::from_millis(50));
    let outbound = sidecars(&mut world, app.address);
    // One connection stays on one worker, whose pool holds one connection.
    let stream = TcpStream::connect(outbound).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let requests: Vec<_> = (0..50)
        .map(|number| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let request =
                    Request::get(format!("http://catalog/{number}")).body(Full::<Bytes>::default()).unwrap();
                sender.send_request(request).await.unwrap().status()
            })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!((app.requests(), app.connections()), (50, 1));
}

#[tokio::test]
async fn trailers_pass_as_grpc_needs_them() {
    let server = TcpListener::bind(address()).await.unwrap();
    let at = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
                let te = request.headers().get("te").map(|te| te.to_str().unwrap().to_owned());
                assert_eq!(te.as_deref(), Some("trailers"));
                let body = request.into_body().collect().await.unwrap();
                let said = body.trailers().and_then(|trailers| trailers.get("x-said").cloned()).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                trailers.insert("x-heard", said);
                let frames =
                    [Ok::<_, Infallible>(Frame::data(Bytes::from("answer"))), Ok(Frame::trailers(trailers))];
                Ok::<_, Infallible>(http::Response::new(StreamBody::new(futures_stream(frames))))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    let mut world = World::new();
    let outbound = sidecars(&mut world, at);
    let stream = TcpStream::connect(outbound).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-said", "hello".parse().unwrap());
    let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from("question"))), Ok(Frame::trailers(trailers))];
    let request = Request::post("http://catalog/Service/Method")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(StreamBody::new(futures_stream(frames)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap().clone();
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["x-heard"], "hello");
    assert_eq!(answer.to_bytes(), "answer");
}

/// A stream of these items.
fn futures_stream<T: Unpin, const N: usize>(items: [T; N]) -> impl futures_util::Stream<Item = T> + Unpin {
    futures_util::stream::iter(items)
}

#[tokio::test]
async fn whoever_is_allowed_no_request_does_not_wait_for_ever() {
    let mut world = World::new();
    let (app, outbound) = (address(), address());
    let listener = TcpListener::bind(app).await.unwrap();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The third connection is one that allows requests.
            let allowed = if counted.fetch_add(1, Ordering::Relaxed) < 2 { 0 } else { 100 };
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let mut connection =
                    builder.max_concurrent_streams(allowed).handshake::<_, Bytes>(stream).await?;
                while let Some(request) = connection.accept().await {
                    request?.1.send_response(http::Response::new(()), true)?;
                }
                Ok::<_, h2::Error>(())
            });
        }
    });
    let mut upstreams = upstream(&[group("app", &[app])]);
    (upstreams["connect_timeout"], upstreams["protocol"]) = (json!("1s"), json!("http2"));
    world.start(
        "proxy",
        json!({
            "listeners": [http_listener(outbound, "app", json!({}))],
            "upstreams": { "app": upstreams },
        }),
    );
    let get = async || Client::http1(outbound, "a").await.get("/").await.status;
    // What could not be sent is tried once more, on another connection.
    for (status, connection) in [(503, 2), (200, 3)] {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), get());
        assert_eq!(waited.await.expect("it is answered").as_u16(), status);
        assert_eq!(
            connections.load(Ordering::Relaxed),
            connection,
            "one that allows nothing is used no more"
        );
    }
}
