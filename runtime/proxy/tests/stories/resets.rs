//! Connections of bytes that are cut: what was cut must not look complete at the other end, in either direction.

use crate::support::client::handshake;
use crate::support::world::address;
use crate::support::{World, group, sni, spiffe, upstream};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A TCP listener's kind with this much patience.
fn tcp(idle: &str) -> Value {
    json!({ "tcp": { "to": [{ "upstream": "db" }], "idle_timeout": idle } })
}

fn listener(bind: SocketAddr, kind: Value) -> Value {
    json!({ "name": "db", "bind": bind.to_string(), "kind": kind })
}

/// One proxy in front of `server`.
fn one(world: &mut World, server: SocketAddr, idle: &str) -> SocketAddr {
    let bind = address();
    let config = json!({
        "listeners": [listener(bind, tcp(idle))],
        "upstreams": { "db": upstream(&[group("all", &[server])]) },
    });
    world.start("proxy", config);
    bind
}

/// Two sidecars with mutual TLS between them, and a gateway that passes it through.
fn through_everything(world: &mut World, server: SocketAddr) -> SocketAddr {
    let (inbound, gateway, outbound) = (address(), address(), address());
    let callee = json!({
        "identity": world.identity(&spiffe("db")),
        "listeners": [listener(inbound, json!({ "inbound": { "chains": [
            { "sni": [sni("db")], "peers": [spiffe("webapp")], "app": { "tcp": { "upstream": "db" } } } ] } }))],
        "upstreams": { "db": upstream(&[group("all", &[server])]) },
    });
    world.start("db", callee);
    let east_west = json!({
        "listeners": [listener(gateway, json!({ "pass_through": { "chains": [{ "sni": [sni("db")], "to": [{ "upstream": "db" }] }] } }))],
        "upstreams": { "db": upstream(&[group("all", &[inbound])]) },
    });
    world.start("gateway", east_west);
    let mut group = group("east", &[gateway]);
    group["tls"] = json!({ "sni": sni("db"), "peers": [spiffe("db")] });
    let caller = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [listener(outbound, tcp("1h"))],
        "upstreams": { "db": upstream(&[group]) },
    });
    world.start("webapp", caller);
    outbound
}

/// Both ends of a connection over which both have said something.
async fn connected(through: SocketAddr, server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(through).await.unwrap();
    client.write_all(b"question").await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    hears(&mut upstream, b"question").await;
    upstream.write_all(b"half").await.unwrap();
    hears(&mut client, b"half").await;
    (client, upstream)
}

async fn hears(stream: &mut TcpStream, expected: &[u8]) {
    let mut said = vec![0; expected.len()];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, expected);
}

/// How a stream ends for its reader.
async fn end(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Vec<u8>, ErrorKind> {
    let mut rest = Vec::new();
    match tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await {
        Ok(Ok(_)) => Ok(rest),
        Ok(Err(error)) => Err(error.kind()),
        Err(_) => panic!("the connection stays open"),
    }
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

async fn a_cut_is_felt_at_the_other_end(through: SocketAddr, server: &TcpListener) {
    let (client, upstream) = connected(through, server).await;
    reset(upstream);
    assert_eq!(end(client).await, Err(ErrorKind::ConnectionReset), "the server has cut the stream");

    let (client, upstream) = connected(through, server).await;
    reset(client);
    assert_eq!(end(upstream).await, Err(ErrorKind::ConnectionReset), "the client has cut the stream");

    let (mut client, mut upstream) = connected(through, server).await;
    client.shutdown().await.unwrap();
    assert_eq!(upstream.read(&mut [0; 1]).await.unwrap(), 0, "the client has finished, and listens on");
    upstream.write_all(b"whole").await.unwrap();
    drop(upstream);
    assert_eq!(end(client).await.unwrap(), b"whole", "an orderly end stays one");
}

#[tokio::test]
async fn a_reset_goes_on_as_a_reset() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let at = server.local_addr().unwrap();
    let plain = one(&mut world, at, "1h");
    a_cut_is_felt_at_the_other_end(plain, &server).await;
    let through = through_everything(&mut world, at);
    a_cut_is_felt_at_the_other_end(through, &server).await;
}

#[tokio::test]
async fn silence_is_no_end_of_a_stream() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let through = one(&mut world, server.local_addr().unwrap(), "200ms");
    let (client, upstream) = connected(through, &server).await;
    assert_eq!(end(client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(end(upstream).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn nobody_to_talk_to_is_no_end_of_a_stream() {
    let mut world = World::new();
    let through = one(&mut world, address(), "1h");
    // The reset may be faster than the client.
    let ended = match TcpStream::connect(through).await {
        Ok(client) => end(client).await,
        Err(error) => Err(error.kind()),
    };
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
}

/// TLS has an end of its own, `close_notify`: without it, its reader knows that something is missing.
#[tokio::test]
async fn a_cut_stream_has_no_end_under_tls_either() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let inbound = address();
    let config = json!({
        "identity": world.identity(&spiffe("db")),
        "listeners": [listener(inbound, json!({ "inbound": { "chains": [
            { "sni": [sni("db")], "peers": [spiffe("webapp")], "app": { "tcp": { "upstream": "db" } } } ] } }))],
        "upstreams": { "db": upstream(&[group("all", &[server.local_addr().unwrap()])]) },
    });
    world.start("db", config);
    let leaf = world.leaf(&spiffe("webapp"));
    for is_cut in [true, false] {
        let client = handshake(inbound, &sni("db"), Some(&leaf), &[]).await.unwrap();
        let (mut upstream, _) = server.accept().await.unwrap();
        upstream.write_all(b"half").await.unwrap();
        if is_cut {
            // What was written before is not held back by the reset.
            let mut client = client;
            let mut said = [0; 4];
            client.read_exact(&mut said).await.unwrap();
            reset(upstream);
            assert_eq!(end(client).await, Err(ErrorKind::ConnectionReset));
        } else {
            drop(upstream);
            assert_eq!(end(client).await.unwrap(), b"half");
        }
    }
}
