//! Leaving: unready at once, served a little longer, nothing in flight lost.

use crate::support::client::{eventually, get};
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use hyper::Method;
use meshd_proxy::{Options, Proxy};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_finish_and_readiness_is_off_at_once() {
    let world = World::new();
    let app = App::start("app", address()).await;
    app.takes(Duration::from_millis(1_500));
    let (bind, ready) = (address(), address());
    let config = json!({
        "listeners": [
            http_listener(bind, "app", json!({})),
            { "name": "ready", "bind": ready.to_string(), "kind": { "readiness": {} } },
        ],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    let path = world.write("proxy", config);
    let options = Options {
        config: path,
        workers: 2,
        drain: Duration::from_millis(700),
        finish: Duration::from_secs(10),
        stuck_after: Duration::from_secs(10),
    };
    let proxy = Proxy::start(options).unwrap();
    assert_eq!(get(ready, "ready", "/healthz/ready").await.status, 200);

    let in_flight = tokio::spawn(async move { Client::http1(bind, "app").await.get("/in-flight").await });
    let in_flight_2 = tokio::spawn(async move { Client::http2(bind, "app").await.get("/in-flight").await });
    eventually("both requests", || async { app.requests() == 2 }).await;
    proxy.drain();
    eventually("unreadiness", || async { get(ready, "ready", "/healthz/ready").await.status == 503 }).await;

    let late = get(bind, "app", "/late").await;
    assert_eq!(late.status, 200, "whoever still comes is served");
    assert_eq!(late.headers["connection"], "close", "and asked to leave");
    assert_eq!(in_flight.await.unwrap().status, 200);
    assert_eq!(in_flight_2.await.unwrap().status, 200);

    tokio::task::spawn_blocking(move || proxy.wait()).await.unwrap();
    assert!(tokio::net::TcpStream::connect(bind).await.is_err(), "nothing listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_finishes_holds_nobody_for_ever() {
    let world = World::new();
    let app = App::start("app", address()).await;
    app.takes(Duration::from_secs(3_600));
    let bind = address();
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({}))],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    let path = world.write("proxy", config);
    let finish = Duration::from_millis(300);
    let options = Options { finish, ..world.options(path) };
    let proxy = Proxy::start(options).unwrap();
    let in_flight = tokio::spawn(async move {
        Client::http1(bind, "app").await.send(Method::GET, "/for-ever", &[], "").await
    });
    eventually("the request", || async { app.requests() == 1 }).await;
    proxy.drain();
    // Without a bound this would wait for the application's hour.
    let ended = tokio::task::spawn_blocking(move || proxy.wait());
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the drain has a bound").unwrap();
    assert!(in_flight.await.unwrap().is_err(), "the request is cut off");
}
