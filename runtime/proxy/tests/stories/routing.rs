//! Routes: by host, path, method and header, with shares, and what an ingress makes of strangers.

use crate::support::client::{eventually, get, handshake};
use crate::support::world::address;
use crate::support::{App, Client, World, group, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn proxy(virtual_hosts: Value, edge: Option<Value>) -> (World, Vec<App>, SocketAddr) {
    let mut world = World::new();
    let apps = vec![App::start("a", address()).await, App::start("b", address()).await];
    let bind = address();
    let mut http = json!({ "virtual_hosts": virtual_hosts });
    if let Some(edge) = edge {
        http["edge"] = edge;
    }
    let config = json!({
        "listeners": [{ "name": "http", "bind": bind.to_string(), "kind": { "http": http } }],
        "upstreams": {
            "a": upstream(&[group("a", &[apps[0].address])]),
            "b": upstream(&[group("b", &[apps[1].address])]),
        },
    });
    world.start("proxy", config);
    (world, apps, bind)
}

fn to(upstream: &str) -> Value {
    json!([{ "upstream": upstream }])
}

#[tokio::test]
async fn the_host_decides_and_the_first_matching_route_wins() {
    let hosts = json!([
        { "name": "a", "hosts": ["a.example"], "routes": [{ "to": to("a") }] },
        { "name": "wild", "hosts": ["*.shop.example"], "routes": [
            { "match": { "path": { "exact": "/only" } }, "to": to("b") },
            { "match": { "path": { "regex": "/v[0-9]+/.*" } }, "to": to("b") },
            { "match": { "path": { "prefix": "/b" }, "methods": ["GET"] }, "to": to("b") },
            { "match": { "path": { "prefix": "/" } }, "to": to("a") } ] },
    ]);
    let (_world, _apps, bind) = proxy(hosts, None).await;
    for (host, path, app) in [
        ("a.example", "/", "a"),
        ("A.EXAMPLE:8080", "/", "a"),
        ("www.shop.example", "/only", "b"),
        ("www.shop.example", "/only/not", "a"),
        ("www.shop.example", "/v1/x", "b"),
        ("www.shop.example", "/b/c", "b"),
        ("www.shop.example", "/bc", "a"),
    ] {
        assert_eq!(get(bind, host, path).await.app(), app, "{host}{path}");
    }
    assert_eq!(get(bind, "shop.example", "/").await.status, 404);
    assert_eq!(get(bind, "unknown", "/").await.status, 404);
}

#[tokio::test]
async fn shares_are_met() {
    let routes = json!([{ "to": [{ "upstream": "a", "weight": 3 }, { "upstream": "b", "weight": 1 }] }]);
    let (_world, apps, bind) =
        proxy(json!([{ "name": "all", "hosts": ["*"], "routes": routes }]), None).await;
    let mut client = Client::http1(bind, "x").await;
    for _ in 0..400 {
        client.get("/").await;
    }
    assert_eq!(apps[0].requests() + apps[1].requests(), 400);
    assert!((250..350).contains(&apps[0].requests()), "{} of 400", apps[0].requests());
}

#[tokio::test]
async fn an_ingress_says_who_the_client_is() {
    let hosts = json!([{ "name": "all", "hosts": ["*"], "routes": [{ "to": to("a") }] }]);
    let (_world, _apps, bind) = proxy(hosts, Some(json!({}))).await;
    let forged = [
        ("x-request-id", "mine"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-client-cert", "URI=spiffe://x/y"),
    ];
    let answer = Client::http1(bind, "shop").await.get_with("/", &forged).await;
    assert_eq!(answer.seen("x-forwarded-for").unwrap(), "127.0.0.1");
    assert_eq!(answer.seen("x-forwarded-proto").unwrap(), "http");
    assert_ne!(answer.seen("x-request-id").unwrap(), "mine");
    assert_eq!(answer.seen("x-forwarded-client-cert"), None);
}

#[tokio::test]
async fn connection_headers_stop_here() {
    let hosts = json!([{ "name": "all", "hosts": ["*"], "routes": [{ "to": to("a") }] }]);
    let (_world, _apps, bind) = proxy(hosts, None).await;
    let headers = [("connection", "x-private"), ("x-private", "1"), ("keep-alive", "5"), ("x-public", "2")];
    let answer = Client::http1(bind, "shop").await.get_with("/", &headers).await;
    assert_eq!((answer.seen("x-private"), answer.seen("keep-alive")), (None, None));
    assert_eq!(answer.seen("x-public").unwrap(), "2");
}

#[tokio::test]
async fn limits_of_an_upstream_answer_at_once() {
    let mut world = World::new();
    let app = App::start("slow", address()).await;
    app.takes(std::time::Duration::from_millis(500));
    let bind = address();
    let mut slow = upstream(&[group("slow", &[app.address])]);
    slow["pool"] = json!({ "max_connections": 100, "max_pending": 100, "max_requests": 2 });
    let config = json!({
        "listeners": [crate::support::world::http_listener(bind, "slow", json!({}))],
        "upstreams": { "slow": slow },
    });
    world.start("proxy", config);
    let requests: Vec<_> =
        (0..6).map(|_| tokio::spawn(async move { get(bind, "slow", "/").await.status.as_u16() })).collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    assert_eq!(app.requests(), 2);
}

#[tokio::test]
async fn an_ingress_can_end_tls_and_takes_its_new_certificate() {
    let mut world = World::new();
    let app = App::start("a", address()).await;
    let bind = address();
    let folder = world.path("server");
    let write = |world: &World| world.leaf("https://shop.example").write(&folder, &world.root.pem);
    write(&world);
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let hosts = json!([{ "name": "all", "hosts": ["*"], "routes": [{ "to": to("a") }] }]);
    let config = json!({
        "listeners": [{ "name": "https", "bind": bind.to_string(), "kind": { "http": { "edge": {}, "virtual_hosts": hosts,
            "tls": { "certificates": [{ "hosts": ["*"], "certificate": file("tls.crt"), "private_key": file("tls.key") }] } } } }],
        "upstreams": { "a": upstream(&[group("a", &[app.address])]) },
    });
    world.start("proxy", config);
    let ask = |alpn: &'static str| async move {
        let stream = handshake(bind, "shop.example", None, &[alpn]).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let answer = Client::over(stream, "shop.example", alpn == "h2").await.unwrap().get("/").await;
        (shown, answer)
    };
    let (old, answer) = ask("http/1.1").await;
    assert_eq!((answer.seen("x-forwarded-proto").unwrap().as_str(), answer.app().as_str()), ("https", "a"));
    assert_eq!(ask("h2").await.1.said()["version"], "HTTP/2.0");
    write(&world);
    eventually("the new certificate", || async { ask("http/1.1").await.0 != old }).await;
}
