//! Connections to endpoints: kept, bounded, replaced after so many requests, and never waited for in vain.

use crate::support::client::{get, many};
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

async fn proxy(app: &App, pool: Value, per_connection: Option<u32>) -> (World, SocketAddr) {
    let mut world = World::new();
    let bind = address();
    let mut here = group("here", &[app.address]);
    if let Some(most) = per_connection {
        here["requests_per_connection"] = json!(most);
    }
    let mut up = upstream(&[here]);
    up["pool"] = pool;
    let config = json!({ "listeners": [http_listener(bind, "app", json!({}))], "upstreams": { "app": up } });
    let path = world.write("proxy", config);
    // With one worker there is one pool to look at.
    let options = meshd_proxy::Options { workers: 1, ..world.options(path) };
    world.start_with(options);
    (world, bind)
}

fn pool(connections: u32, pending: u32) -> Value {
    json!({ "max_connections": connections, "max_pending": pending, "max_requests": 1024 })
}

#[tokio::test]
async fn one_connection_carries_one_request_after_the_other() {
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, pool(10, 10), None).await;
    for _ in 0..20 {
        get(bind, "app", "/").await;
    }
    assert_eq!((app.requests(), app.connections()), (20, 1));
}

#[tokio::test]
async fn a_connection_is_replaced_after_so_many_requests() {
    for http2 in [false, true] {
        let app = App::start("app", address()).await;
        let (_world, bind) = proxy(&app, pool(10, 10), Some(5)).await;
        let mut client =
            if http2 { Client::http2(bind, "app").await } else { Client::http1(bind, "app").await };
        for _ in 0..20 {
            assert_eq!(client.get("/").await.status, 200);
        }
        assert_eq!((app.requests(), app.connections()), (20, 4), "HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn requests_wait_for_a_connection_and_no_more_than_allowed() {
    let app = App::start("app", address()).await;
    app.takes(Duration::from_millis(200));
    let (_world, bind) = proxy(&app, pool(1, 2), None).await;
    let requests: Vec<_> =
        (0..5).map(|_| tokio::spawn(async move { get(bind, "app", "/").await.status.as_u16() })).collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    assert_eq!((app.requests(), app.connections()), (3, 1));
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_costs_nothing() {
    let mut app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, pool(10, 10), None).await;
    for _ in 0..5 {
        assert_eq!(get(bind, "app", "/").await.status, 200);
        app.die().await;
        app.resume().await;
    }
    assert_eq!(get(bind, "app", "/").await.status, 200);
}

#[tokio::test]
async fn concurrent_requests_outlive_every_replacement_of_their_connection() {
    for at_a_time in [2, 10] {
        let app = App::start("app", address()).await;
        let (_world, bind) = proxy(&app, pool(10, 100), Some(5)).await;
        let statuses = many(bind, "app", 60, at_a_time).await;
        assert_eq!(statuses, [200; 60], "{at_a_time} at a time");
        assert_eq!(app.requests(), 60);
    }
}
