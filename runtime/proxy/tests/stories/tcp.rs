//! Bytes: through one proxy, through two with mutual TLS between them, half-closed, and to whoever is alive.

use crate::support::world::address;
use crate::support::{World, group, sni, spiffe, upstream};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers with everything it received, once the client is done.
async fn echo_at_the_end() -> SocketAddr {
    let server = TcpListener::bind(address()).await.unwrap();
    let at = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            });
        }
    });
    at
}

async fn echo(through: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(through).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn bytes_cross_two_proxies_and_a_half_closed_connection_stays_usable() {
    let mut world = World::new();
    let server = echo_at_the_end().await;
    let (inbound, outbound) = (address(), address());
    let callee = json!({
        "identity": world.identity(&spiffe("db")),
        "listeners": [{ "name": "inbound", "bind": inbound.to_string(), "kind": { "inbound": { "chains": [
            { "sni": [sni("db")], "peers": [spiffe("webapp")], "app": { "tcp": { "upstream": "app" } } } ] } } }],
        "upstreams": { "app": upstream(&[group("app", &[server])]) },
    });
    world.start("db", callee);
    let mut west = group("west", &[inbound]);
    west["tls"] = json!({ "sni": sni("db"), "peers": [spiffe("db")] });
    let caller = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [{ "name": "db", "bind": outbound.to_string(), "kind": { "tcp": { "to": [{ "upstream": "db" }] } } }],
        "upstreams": { "db": upstream(&[west]) },
    });
    world.start("webapp", caller);

    let large: Vec<u8> = (0..2_000_000u32).map(|number| number as u8).collect();
    assert_eq!(echo(outbound, b"hello").await, b"hello");
    assert!(echo(outbound, &large).await == large, "two megabytes arrive as they were");
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_and_then_left_alone() {
    let mut world = World::new();
    let server = echo_at_the_end().await;
    let bind = address();
    let mut all = group("all", &[address(), server]);
    all["outlier"] = json!({ "consecutive_connections": 1, "interval": "1s", "ejection": "1h" });
    let config = json!({
        "listeners": [{ "name": "tcp", "bind": bind.to_string(), "kind": { "tcp": { "to": [{ "upstream": "all" }] } } }],
        "upstreams": { "all": upstream(&[all]) },
        "admin": { "unix": world.path("admin.sock").to_str().unwrap() },
    });
    world.start("proxy", config);
    for _ in 0..6 {
        assert_eq!(echo(bind, b"x").await, b"x");
    }
    let mut admin = tokio::net::UnixStream::connect(world.path("admin.sock")).await.unwrap();
    admin.write_all(b"GET /endpoints HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut state = String::new();
    admin.read_to_string(&mut state).await.unwrap();
    assert_eq!(state.matches("\"state\": \"ejected\"").count(), 1, "{state}");
    assert_eq!(state.matches("\"state\": \"healthy\"").count(), 1, "{state}");
}

#[tokio::test]
async fn a_connection_that_stays_silent_is_closed() {
    let mut world = World::new();
    let server = echo_at_the_end().await;
    let bind = address();
    let config = json!({
        "listeners": [{ "name": "tcp", "bind": bind.to_string(), "kind": { "tcp": { "to": [{ "upstream": "all" }], "idle_timeout": "100ms" } } }],
        "upstreams": { "all": upstream(&[group("all", &[server])]) },
    });
    world.start("proxy", config);
    let mut stream = TcpStream::connect(bind).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0u8; 1])).await;
    assert!(matches!(read.expect("it is closed"), Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_connection_that_nobody_redirected_meant_nothing() {
    let mut world = World::new();
    let server = echo_at_the_end().await;
    let (redirected, meant) = (address(), address());
    let config = json!({
        "listeners": [
            { "name": "outbound", "bind": redirected.to_string(), "kind": { "redirected": {} } },
            { "name": "db", "bind": meant.to_string(), "redirected": true, "kind": { "tcp": { "to": [{ "upstream": "all" }] } } },
        ],
        "upstreams": { "all": upstream(&[group("all", &[server])]) },
    });
    world.start("proxy", config);
    let mut stream = TcpStream::connect(redirected).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0u8; 1])).await;
    assert!(matches!(read.expect("it is closed"), Ok(0) | Err(_)));
    assert!(TcpStream::connect(meant).await.is_err(), "the address that is meant has no socket");
}
