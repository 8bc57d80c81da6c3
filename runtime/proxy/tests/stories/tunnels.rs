//! What follows a change of the protocol: counted until its end, and left alone by reloads and drains.

use crate::support::client::{eventually, get};
use crate::support::world::{address, http_listener, metrics_listener, pool};
use crate::support::{World, group};
use meshd_proxy::{Options, Proxy};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An application that agrees to whatever it is asked, and repeats what comes.
async fn repeats(address: SocketAddr) {
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                head(&mut stream).await?;
                // What is said at once must not be lost.
                stream
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nhello")
                    .await
                    .ok()?;
                let (mut reads, mut writes) = stream.split();
                tokio::io::copy(&mut reads, &mut writes).await.ok()
            });
        }
    });
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Asks, and has said `more` with it; the status of the answer.
async fn ask(address: SocketAddr, more: &str) -> (TcpStream, u16) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all([request, more].concat().as_bytes()).await.unwrap();
    let head = head(&mut stream).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (stream, status)
}

async fn hears(stream: &mut TcpStream, expected: &str) {
    let mut heard = vec![0; expected.len()];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
}

fn config(bind: SocketAddr, app: SocketAddr, metrics: SocketAddr, most: u32) -> Value {
    let mut pool = pool();
    pool["max_requests"] = json!(most);
    json!({
        "listeners": [
            http_listener(bind, "app", json!({ "upgrades": ["websocket"], "timeout": "1s" })),
            metrics_listener(metrics),
        ],
        "upstreams": { "app": { "connect_timeout": "1s", "pool": pool, "groups": [group("app", &[app])] } },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_counts_as_a_request_until_it_ends() {
    let mut world = World::new();
    let [bind, app, metrics] = [address(), address(), address()];
    repeats(app).await;
    world.start("proxy", config(bind, app, metrics, 1));
    let (mut tunnel, status) = ask(bind, "what came early").await;
    assert_eq!(status, 101);
    hears(&mut tunnel, "hellowhat came early").await;
    assert_eq!(ask(bind, "").await.1, 503, "the only request there may be is the tunnel");
    let requests = || async { get(metrics, "m", "/metrics").await.body };
    assert!(!requests().await.contains(r#"code="101""#), "it is told at its end");

    // A new configuration leaves it alone, also one without its listener.
    world.write("proxy", json!({ "listeners": [metrics_listener(metrics)] }));
    eventually("the listener is gone", || async { TcpStream::connect(bind).await.is_err() }).await;
    tunnel.write_all(b"still").await.unwrap();
    hears(&mut tunnel, "still").await;
    tunnel.shutdown().await.unwrap();
    hears(&mut tunnel, "").await;
    eventually("it is told", || async { requests().await.contains(r#"code="101""#) }).await;
    world.write("proxy", config(bind, app, metrics, 1));
    eventually("another", || async {
        TcpStream::connect(bind).await.is_ok() && ask(bind, "").await.1 == 101
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_outlives_a_drain_for_as_long_as_anything_may() {
    let world = World::new();
    let [bind, app, metrics] = [address(), address(), address()];
    repeats(app).await;
    for ends in [true, false] {
        let config = world.write("proxy", config(bind, app, metrics, 10));
        let finish = Duration::from_millis(if ends { 20_000 } else { 500 });
        let proxy = Proxy::start(Options { finish, ..world.options(config) }).unwrap();
        let (mut tunnel, status) = ask(bind, "").await;
        assert_eq!(status, 101);
        hears(&mut tunnel, "hello").await;
        proxy.drain();
        eventually("nobody new", || async { TcpStream::connect(bind).await.is_err() }).await;
        tunnel.write_all(b"still").await.unwrap();
        hears(&mut tunnel, "still").await;
        let gone = tokio::task::spawn_blocking(move || proxy.wait());
        if ends {
            drop(tunnel);
        }
        tokio::time::timeout(Duration::from_secs(15), gone).await.expect("it has ended").unwrap();
    }
}
