//! Groups in order: local first, elsewhere when everything local is ejected, back when it heals.

use crate::support::client::{eventually, get};
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Ejects after one failure for 300 ms.
fn pods() -> Value {
    json!({ "failing_answers": "5xx", "consecutive_answers": 1, "consecutive_connections": 1,
            "failing_share": { "percent": 85, "attempts": 3 }, "interval": "100ms", "ejection": "300ms" })
}

/// Ejects for 300 ms after one failed connection, or if nearly everything fails for 100 ms.
fn gateway() -> Value {
    json!({ "failing_answers": "gateway_errors", "consecutive_connections": 1,
            "failing_share": { "percent": 85, "attempts": 1, "answers": true }, "interval": "100ms", "ejection": "300ms" })
}

struct Story {
    world: World,
    west: App,
    east: App,
    ingress: SocketAddr,
}

/// An ingress with a local backend and a remote one that is ejected on local-origin failures only.
async fn story(route: Value) -> Story {
    let mut world = World::new();
    let west = App::start("west", address()).await;
    let east = App::start("east", address()).await;
    let ingress = address();
    let mut local = group("west", &[west.address]);
    local["outlier"] = pods();
    let mut remote = group("east", &[east.address]);
    remote["outlier"] = gateway();
    let config = json!({
        "listeners": [http_listener(ingress, "backend", route)],
        "upstreams": { "backend": upstream(&[local, remote]) },
    });
    world.start("ingress", config);
    Story { world, west, east, ingress }
}

fn other_localities() -> Value {
    json!({ "retry": { "attempts": 2, "on": ["5xx"], "methods": ["GET"], "other_localities": true } })
}

#[tokio::test]
async fn everything_stays_local_while_local_is_well() {
    let story = story(json!({})).await;
    for _ in 0..20 {
        assert_eq!(get(story.ingress, "backend", "/").await.app(), "west");
    }
    assert_eq!(story.east.requests(), 0);
    drop(story.world);
}

#[tokio::test]
async fn one_failure_moves_requests_and_healing_brings_them_back() {
    let story = story(json!({})).await;
    let mut client = Client::http1(story.ingress, "backend").await;
    story.west.answers_with(500);
    assert_eq!(client.get("/").await.status, 500, "the failure that ejects is seen without retries");
    for _ in 0..5 {
        assert_eq!(client.get("/").await.app(), "east");
    }
    story.west.answers_with(200);
    eventually("the return of west", || async { get(story.ingress, "backend", "/").await.app() == "west" })
        .await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.app(), "west");
    }
}

#[tokio::test]
async fn with_retries_elsewhere_no_client_sees_the_failure() {
    let story = story(other_localities()).await;
    story.west.answers_with(503);
    let mut client = Client::http1(story.ingress, "backend").await;
    for _ in 0..20 {
        let answer = client.get("/").await;
        assert_eq!((answer.status.as_u16(), answer.app().as_str()), (200, "east"));
    }
}

#[tokio::test]
async fn a_dead_backend_is_left_without_an_error() {
    let mut story = story(json!({})).await;
    story.west.die().await;
    let mut client = Client::http1(story.ingress, "backend").await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.app(), "east", "a failed connection is retried on another host");
    }
    story.west.resume().await;
    eventually("the return of west", || async { get(story.ingress, "backend", "/").await.app() == "west" })
        .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(address()).await.unwrap();
    let broken = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        }
    });
    let sound = App::start("sound", address()).await;
    let (mut world, bind) = (World::new(), address());
    let mut first = group("first", &[broken]);
    first["outlier"] = pods();
    first["outlier"]["failing_share"]["attempts"] = json!(1);
    first["outlier"]["ejection"] = json!("1h");
    let config = json!({
        "listeners": [http_listener(bind, "backend", json!({}))],
        "upstreams": { "backend": upstream(&[first, group("second", &[sound.address])]) },
    });
    world.start("ingress", config);
    assert!(Client::http1(bind, "backend").await.send(http::Method::GET, "/", &[], "").await.is_err());
    eventually("the ejection", || async {
        let mut client = Client::http1(bind, "backend").await;
        client.send(http::Method::GET, "/", &[], "").await.is_ok_and(|answer| answer.app() == "sound")
    })
    .await;
}

#[tokio::test]
async fn answers_of_the_remote_application_never_eject_its_gateway() {
    let story = story(json!({})).await;
    story.west.answers_with(500);
    story.east.answers_with(500);
    let mut client = Client::http1(story.ingress, "backend").await;
    let mut remote = 0;
    for _ in 0..40 {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 500, "the application's own failures, never the proxy's 503");
        remote += usize::from(answer.app() == "east");
    }
    assert!(remote >= 30, "{remote} of 40");
}

#[tokio::test]
async fn a_remote_service_that_is_down_hands_over_to_the_next_and_takes_back() {
    let mut world = World::new();
    let east = App::start("east", address()).await;
    let north = App::start("north", address()).await;
    let ingress = address();
    let mut nearest = group("east", &[east.address]);
    nearest["endpoints"][0]["repeat"] = json!(8);
    nearest["outlier"] = gateway();
    let config = json!({
        "listeners": [http_listener(ingress, "backend", json!({}))],
        "upstreams": { "backend": upstream(&[nearest, group("north", &[north.address])]) },
    });
    world.start("ingress", config);
    let mut client = Client::http1(ingress, "backend").await;
    for _ in 0..100 {
        east.fails_times(503, 1);
        client.get("/").await;
        for _ in 0..7 {
            assert_eq!(client.get("/").await.app(), "east", "one pod of eight is down");
        }
    }
    east.answers_with(503);
    eventually("the takeover", || async { get(ingress, "backend", "/").await.app() == "north" }).await;
    east.answers_with(200);
    eventually("the return of east", || async { get(ingress, "backend", "/").await.app() == "east" }).await;
}

#[tokio::test]
async fn when_everything_is_ejected_everything_is_tried() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let bind = address();
    let mut only = group("only", &[app.address]);
    only["outlier"] = pods();
    only["outlier"]["ejection"] = json!("1h");
    let config = json!({
        "listeners": [http_listener(bind, "backend", json!({}))],
        "upstreams": { "backend": upstream(&[only]) },
    });
    world.start("ingress", config);
    app.answers_with(500);
    for _ in 0..5 {
        let answer = get(bind, "backend", "/").await;
        assert_eq!((answer.status.as_u16(), answer.app().as_str()), (500, "app"), "its own answer");
    }
    app.answers_with(200);
    assert_eq!(get(bind, "backend", "/").await.app(), "app", "ejection never refuses a request by itself");
}

#[tokio::test]
async fn with_everything_dead_there_is_an_answer_and_a_return() {
    let mut story = story(json!({})).await;
    story.west.die().await;
    story.east.die().await;
    for _ in 0..3 {
        let answer = get(story.ingress, "backend", "/").await;
        assert!(answer.body.ends_with("remote connection failure"), "{answer:?}");
    }
    story.east.resume().await;
    eventually("the return of east", || async { get(story.ingress, "backend", "/").await.app() == "east" })
        .await;
}
