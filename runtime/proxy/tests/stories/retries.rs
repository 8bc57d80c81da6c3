//! Trying again: after which failures, for which requests, how often.

use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

async fn proxy(apps: &[SocketAddr], route: Value) -> (World, Client) {
    let mut world = World::new();
    let bind = address();
    let config = json!({
        "listeners": [http_listener(bind, "backend", route)],
        "upstreams": { "backend": upstream(&[group("all", apps)]) },
    });
    world.start("proxy", config);
    (world, Client::http1(bind, "backend").await)
}

fn on_5xx(attempts: u32) -> Value {
    json!({ "retry": { "attempts": attempts, "on": ["5xx"], "methods": ["GET"] } })
}

#[tokio::test]
async fn a_failure_is_tried_again_as_often_as_allowed() {
    let app = App::start("app", address()).await;
    let (_world, mut client) = proxy(&[app.address], on_5xx(2)).await;
    app.fails_times(503, 2);
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(app.requests(), 3);
    app.fails_times(503, 3);
    assert_eq!(client.get("/").await.status, 503, "the last answer reaches the client");
    assert_eq!(app.requests(), 6);
}

#[tokio::test]
async fn nothing_is_tried_again_unless_asked() {
    let app = App::start("app", address()).await;
    let (_world, mut client) = proxy(&[app.address], json!({})).await;
    app.fails_times(503, 1);
    assert_eq!(client.get("/").await.status, 503);
    assert_eq!(app.requests(), 1);
}

#[tokio::test]
async fn only_methods_that_are_named_are_repeated() {
    let app = App::start("app", address()).await;
    let (_world, mut client) = proxy(&[app.address], on_5xx(2)).await;
    app.fails_times(503, 1);
    assert_eq!(client.send(Method::POST, "/", &[], "order").await.unwrap().status, 503);
    assert_eq!(app.requests(), 1);

    let route = json!({ "retry": { "attempts": 2, "on": ["5xx"], "methods": ["POST"] } });
    let (_world, mut client) = proxy(&[app.address], route).await;
    app.fails_times(503, 1);
    let answer = client.send(Method::POST, "/", &[], "order").await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.said()["body"].as_str().unwrap()),
        (200, "order"),
        "with its body"
    );
}

/// What is kept of a body for another attempt.
const KEPT: usize = 64 * 1024;

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_sent_once() {
    let app = App::start("app", address()).await;
    let (_world, mut client) =
        proxy(&[app.address], json!({ "retry": { "attempts": 2, "on": ["5xx"], "methods": ["*"] } })).await;
    let (kept, large) = ("x".repeat(KEPT), "x".repeat(KEPT + 1));
    app.fails_times(503, 1);
    let answer = client.send(Method::PUT, "/", &[], &kept).await.unwrap();
    assert_eq!((answer.status.as_u16(), app.requests()), (200, 2));
    assert_eq!(answer.headers["x-received"], KEPT.to_string());

    app.fails_times(503, 1);
    assert_eq!(client.send(Method::PUT, "/", &[], &large).await.unwrap().status, 503);
    assert_eq!(app.requests(), 3);
    let answer = client.send(Method::PUT, "/", &[], &large).await.unwrap();
    assert_eq!(answer.headers["x-received"], (KEPT + 1).to_string(), "and arrives whole");
}

#[tokio::test]
async fn a_body_that_nobody_was_sent_goes_on_however_large_it_is() {
    let app = App::start("app", address()).await;
    for size in [KEPT, KEPT + 1, 16 * KEPT] {
        let mut world = World::new();
        let bind = address();
        let config = json!({
            "listeners": [http_listener(bind, "backend", json!({}))],
            "upstreams": { "backend": upstream(&[group("all", &[address(), app.address])]) },
        });
        world.start("proxy", config);
        let body = "x".repeat(size);
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let mut client = Client::http1(bind, "backend").await;
            let answer = client.send(Method::PUT, "/", &[], &body).await.unwrap();
            assert_eq!(answer.headers["x-received"], size.to_string(), "it arrives whole");
            statuses.push(answer.status.as_u16());
        }
        assert_eq!(statuses, [200; 4], "{size} bytes");
    }
}

#[tokio::test]
async fn a_status_can_be_named() {
    let app = App::start("app", address()).await;
    let route = json!({ "retry": { "attempts": 1, "on": [{ "status": [409] }], "methods": ["GET"] } });
    let (_world, mut client) = proxy(&[app.address], route).await;
    app.fails_times(409, 1);
    assert_eq!(client.get("/").await.status, 200);
    app.fails_times(503, 1);
    assert_eq!(client.get("/").await.status, 503);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_tried_once_elsewhere_for_every_method() {
    let app = App::start("app", address()).await;
    let (_world, mut client) = proxy(&[address(), app.address], json!({})).await;
    for _ in 0..6 {
        assert_eq!(client.send(Method::POST, "/", &[], "order").await.unwrap().status, 200);
    }
    assert_eq!(app.requests(), 6);
}

#[tokio::test]
async fn the_time_limit_covers_all_attempts() {
    let app = App::start("app", address()).await;
    app.takes(Duration::from_millis(400));
    let route = json!({ "timeout": "150ms", "retry": { "attempts": 5, "on": ["5xx"], "methods": ["GET"] } });
    let (_world, mut client) = proxy(&[app.address], route).await;
    let answer = client.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (504, "upstream request timeout"));
    assert_eq!(app.requests(), 1);
}

#[tokio::test]
async fn one_attempt_can_be_bounded_by_itself() {
    let slow = App::start("slow", address()).await;
    slow.takes(Duration::from_secs(5));
    let quick = App::start("quick", address()).await;
    let route = json!({ "timeout": "4s", "retry": { "attempts": 1, "on": ["5xx"], "methods": ["GET"], "per_try_timeout": "100ms" } });
    let (_world, mut client) = proxy(&[slow.address, quick.address], route).await;
    assert_eq!(client.get("/").await.app(), "quick");
}
