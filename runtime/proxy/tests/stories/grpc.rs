//! What a gRPC client is told by the proxy itself: a status of its own protocol, in headers alone.

use crate::support::client::Answer;
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc+proto"), ("te", "trailers")];

async fn call(client: &mut Client) -> Answer {
    client.send(Method::POST, "/shop.Catalog/List", &GRPC, "").await.unwrap()
}

/// `grpc-status` and `grpc-message`.
fn said(answer: &Answer) -> (&str, &str) {
    let header = |name| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{answer:?}");
    assert_eq!(header("content-type"), "application/grpc");
    (header("grpc-status"), header("grpc-message"))
}

async fn client(world: &mut World, name: &str, route: Value, to: Value) -> Client {
    let bind = address();
    let config = json!({ "listeners": [http_listener(bind, "app", route)], "upstreams": { "app": to } });
    world.start(name, config);
    Client::http2(bind, "catalog").await
}

#[tokio::test]
async fn failures_of_the_upstream_are_told_in_grpc() {
    let mut world = World::new();
    let mut app = App::start("app", address()).await;
    let to = upstream(&[group("all", &[app.address])]);
    let mut one = client(&mut world, "timeout", json!({ "timeout": "100ms" }), to.clone()).await;
    assert_eq!(call(&mut one).await.app(), "app", "an answer of the application passes as it is");
    app.takes(Duration::from_secs(5));
    assert_eq!(said(&call(&mut one).await), ("14", "upstream request timeout"));
    app.die().await;
    let mut one = client(&mut world, "refused", json!({}), to).await;
    let text =
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
    assert_eq!(said(&call(&mut one).await), ("14", text));
}

#[tokio::test]
async fn refusals_are_told_in_grpc_and_a_limit_is_no_failure() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let to = upstream(&[group("all", &[app.address])]);
    let limits = json!({ "filters": [{ "limit": { "name": "l", "scope": { "proxy": {} }, "buckets": [
        { "name": "all", "rate": { "requests": 1, "per": "1h" } } ] } }] });
    let mut one = client(&mut world, "limited", limits, to.clone()).await;
    assert_eq!(call(&mut one).await.app(), "app");
    let over = call(&mut one).await;
    assert_eq!(
        (said(&over), over.headers["x-envoy-ratelimited"].to_str().unwrap()),
        (("8", "local_rate_limited"), "true")
    );
    let path = json!({ "match": { "path": { "exact": "/other" } } });
    let mut one = client(&mut world, "elsewhere", path, to).await;
    assert_eq!(said(&call(&mut one).await), ("12", ""));
    let plain = one.get("/nowhere").await;
    assert_eq!((plain.status.as_u16(), plain.headers.get("grpc-status")), (404, None));
}
