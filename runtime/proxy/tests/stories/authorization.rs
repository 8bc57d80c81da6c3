//! Who may do what: by identity, by path, with `deny` before `allow`, however the path is spelled.

use crate::support::client::{Answer, handshake, mtls};
use crate::support::world::{address, inbound_listener};
use crate::support::{App, World, group, sni, spiffe, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn backend(authorization: Value) -> (World, App, SocketAddr) {
    let mut world = World::new();
    let app = App::start("backend", address()).await;
    let inbound = address();
    let config = json!({
        "identity": world.identity(&spiffe("backend")),
        "listeners": [inbound_listener(inbound, &sni("backend"), "app", json!({ "filters": [{ "authorize": authorization }] }))],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("backend", config);
    (world, app, inbound)
}

async fn ask(world: &World, inbound: SocketAddr, who: &str, path: &str) -> Answer {
    mtls(inbound, &sni("backend"), &world.leaf(&spiffe(who))).await.get(path).await
}

#[tokio::test]
async fn only_the_ingress_may_call() {
    let allow = json!({ "allow": [{ "name": "only-ingress", "principals": [spiffe("ingress")] }] });
    let (world, app, inbound) = backend(allow).await;
    let denied = ask(&world, inbound, "webapp", "/").await;
    assert_eq!((denied.status.as_u16(), denied.body.as_str()), (403, "RBAC: access denied"));
    assert_eq!(app.requests(), 0);
    assert_eq!(ask(&world, inbound, "ingress", "/").await.status, 200);
}

#[tokio::test]
async fn an_empty_list_admits_nobody_and_no_list_admits_everybody() {
    let (world, _app, inbound) = backend(json!({ "allow": [] })).await;
    assert_eq!(ask(&world, inbound, "webapp", "/").await.status, 403);
    let (world, _app, inbound) = backend(json!({})).await;
    assert_eq!(ask(&world, inbound, "webapp", "/").await.status, 200);
}

#[tokio::test]
async fn deny_wins_however_the_path_is_spelled() {
    let rules = json!({
        "allow": [{ "name": "all", "principals": ["spiffe://cluster.local/ns/shop/*"] }],
        "deny": [{ "name": "admin", "principals": ["*"], "matches": [{ "path": { "prefix": "/admin" } }] }],
    });
    let (world, app, inbound) = backend(rules).await;
    for path in [
        "/admin",
        "/admin/users",
        "//admin",
        "/x/../admin",
        "/%61dmin",
        "/./admin?x",
        "/x/%2e%2e/admin",
        "/x\\..\\admin",
    ] {
        assert_eq!(ask(&world, inbound, "webapp", path).await.status, 403, "{path}");
    }
    assert_eq!(
        ask(&world, inbound, "webapp", "/x/..%2fadmin").await.status,
        400,
        "nobody can say what this means"
    );
    assert_eq!(app.requests(), 0);
    assert_eq!(ask(&world, inbound, "webapp", "/administration").await.status, 200);
}

#[tokio::test]
async fn methods_and_headers_count_too() {
    let rules = json!({ "allow": [{ "name": "read", "principals": [spiffe("webapp")],
        "matches": [{ "methods": ["GET"], "headers": [{ "name": "X-Team", "value": { "regex": "a|b" } }] }] }] });
    let (world, _app, inbound) = backend(rules).await;
    let mut client = mtls(inbound, &sni("backend"), &world.leaf(&spiffe("webapp"))).await;
    assert_eq!(client.get_with("/", &[("x-team", "b")]).await.status, 200);
    assert_eq!(client.get_with("/", &[("x-team", "ab")]).await.status, 403, "a pattern matches whole values");
    assert_eq!(client.get("/").await.status, 403);
    let delete = client.send(http::Method::DELETE, "/", &[("x-team", "a")], "").await.unwrap();
    assert_eq!(delete.status, 403);
}

#[tokio::test]
async fn a_server_that_speaks_first_says_nothing_to_strangers() {
    let mut world = World::new();
    let server = TcpListener::bind(address()).await.unwrap();
    let app = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            stream.write_all(b"220 secret banner").await.unwrap();
        }
    });
    let inbound = address();
    let config = json!({
        "identity": world.identity(&spiffe("mail")),
        "listeners": [{ "name": "inbound", "bind": inbound.to_string(), "kind": { "inbound": { "chains": [
            { "sni": [sni("mail")], "peers": [spiffe("webapp")], "app": { "tcp": { "upstream": "app" } } } ] } } }],
        "upstreams": { "app": upstream(&[group("app", &[app])]) },
    });
    world.start("mail", config);

    let mut heard = Vec::new();
    if let Ok(mut stream) =
        handshake(inbound, &sni("mail"), Some(&world.leaf(&spiffe("intruder"))), &[]).await
    {
        let _ = stream.read_to_end(&mut heard).await;
    }
    assert!(heard.is_empty(), "{heard:?}");

    let mut stream =
        handshake(inbound, &sni("mail"), Some(&world.leaf(&spiffe("webapp"))), &[]).await.unwrap();
    let mut heard = [0u8; 17];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"220 secret banner");
}
