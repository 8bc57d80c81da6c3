//! An east-west gateway: it reads the server name, forwards the bytes, and has no certificate.

use crate::support::client::{get, mtls};
use crate::support::world::{address, http_listener, inbound_listener};
use crate::support::{App, Client, World, group, sni, spiffe, upstream};
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A pod of catalog: application and sidecar.
async fn pod(world: &mut World, name: &str) -> (App, SocketAddr) {
    let app = App::start(name, address()).await;
    let inbound = address();
    let config = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({}))],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start(name, config);
    (app, inbound)
}

/// A gateway in front of these pods. Note that its configuration has no identity.
fn gateway(world: &mut World, pods: &[SocketAddr]) -> SocketAddr {
    let bind = address();
    let config = json!({
        "listeners": [{ "name": "eastwest", "bind": bind.to_string(), "kind": { "pass_through": {
            "hello_timeout": "300ms", "chains": [{ "sni": [sni("catalog")], "to": [{ "upstream": "catalog" }] }] } } }],
        "upstreams": { "catalog": upstream(&[group("east", pods)]) },
        "access_log": { "file": world.path("gateway.log").to_str().unwrap() },
    });
    world.start("gateway", config);
    bind
}

/// webapp's sidecar in the other cluster; the gateway is listed that many times.
fn webapp(world: &mut World, gateway: SocketAddr, repeat: u32) -> SocketAddr {
    let outbound = address();
    let mut group = group("east", &[gateway]);
    group["endpoints"][0]["repeat"] = json!(repeat);
    group["tls"] = json!({ "sni": sni("catalog"), "peers": [spiffe("catalog")] });
    let config = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [http_listener(outbound, "catalog", json!({}))],
        "upstreams": { "catalog": upstream(&[group]) },
    });
    world.start("webapp", config);
    outbound
}

#[tokio::test]
async fn a_call_crosses_the_gateway_with_its_identity() {
    let mut world = World::new();
    let (_app, pod) = pod(&mut world, "east-1").await;
    let gateway = gateway(&mut world, &[pod]);
    let outbound = webapp(&mut world, gateway, 1);
    let answer = get(outbound, "catalog", "/").await;
    assert_eq!(answer.app(), "east-1");
    assert!(answer.seen("x-forwarded-client-cert").unwrap().ends_with(&spiffe("webapp")));
}

/// What a connection gets to read after it sent `bytes`, and how long that took.
async fn after(gateway: SocketAddr, bytes: &[u8]) -> (usize, Duration) {
    let start = Instant::now();
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
        .await
        .expect("it is closed");
    (answer.len(), start.elapsed())
}

#[tokio::test]
async fn whatever_is_not_exported_is_closed() {
    let mut world = World::new();
    let (app, pod) = pod(&mut world, "east-1").await;
    let gateway = gateway(&mut world, &[pod]);

    assert_eq!(after(gateway, b"GET / HTTP/1.1\r\nhost: catalog\r\n\r\n").await.0, 0, "plain HTTP");
    assert_eq!(after(gateway, &[0xde; 64]).await.0, 0, "garbage");
    let leaf = world.leaf(&spiffe("webapp"));
    let unknown = crate::support::client::handshake(gateway, &sni("payments"), Some(&leaf), &[]).await;
    assert!(unknown.is_err(), "an unknown server name");
    let (silent, took) = after(gateway, b"").await;
    assert_eq!(silent, 0);
    assert!(took >= Duration::from_millis(300), "a silent client has its time, and no more: {took:?}");
    let (half, _) = after(gateway, &[22, 3, 1, 1, 0, 1]).await;
    assert_eq!(half, 0, "half a ClientHello");
    assert_eq!(app.requests(), 0);

    let exported = mtls(gateway, &sni("catalog"), &leaf).await.get("/").await;
    assert_eq!(exported.app(), "east-1");
    crate::support::client::eventually("the refused names are in the access log", || async {
        let log = std::fs::read_to_string(world.path("gateway.log")).unwrap_or_default();
        log.contains(&sni("payments")) && log.contains("not TLS") && log.contains("no ClientHello in time")
    })
    .await;
}

#[tokio::test]
async fn dead_pods_behind_a_live_gateway_are_not_noticed() {
    let mut world = World::new();
    let (_app, pod) = pod(&mut world, "east-1").await;
    let (dead_1, dead_2) = (address(), address());
    let gateway = gateway(&mut world, &[dead_1, pod, dead_2]);
    let leaf = world.leaf(&spiffe("webapp"));
    for _ in 0..12 {
        assert_eq!(mtls(gateway, &sni("catalog"), &leaf).await.get("/").await.app(), "east-1");
    }
}

#[tokio::test]
async fn a_repeated_gateway_spreads_http2_over_its_pods() {
    let mut world = World::new();
    let mut pods = Vec::new();
    for number in 0..4 {
        pods.push(pod(&mut world, &format!("east-{number}")).await);
    }
    let addresses: Vec<SocketAddr> = pods.iter().map(|(_, address)| *address).collect();
    let gateway = gateway(&mut world, &addresses);
    let outbound = webapp(&mut world, gateway, 4);
    let mut client = Client::http2(outbound, "catalog").await;
    for _ in 0..40 {
        assert_eq!(client.get("/").await.status, 200);
    }
    let shares: Vec<usize> = pods.iter().map(|(app, _)| app.requests()).collect();
    assert_eq!(shares, [10, 10, 10, 10]);
}
