//! What operators and Kubernetes ask: readiness, the application's probes, metrics of both, and the state of endpoints.

use crate::support::client::{eventually, get};
use crate::support::world::{address, metrics_listener};
use crate::support::{App, Client, World, group, upstream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn probes_and_metrics_of_the_application_are_asked_of_it() {
    let mut world = World::new();
    let mut app = App::start("app", address()).await;
    let (ready, metrics) = (address(), address());
    let config = json!({
        "listeners": [
            { "name": "readiness", "bind": ready.to_string(), "kind": { "readiness": { "probes": [
                { "path": "/app/liveness", "upstream": "app", "app_path": "/live?x", "timeout": "300ms" } ] } } },
            { "name": "metrics", "bind": metrics.to_string(), "kind": { "metrics": {
                "app": { "upstream": "app", "path": "/stats" } } } },
        ],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("proxy", config);
    assert_eq!(get(ready, "x", "/healthz/ready").await.status, 200);
    assert_eq!(get(ready, "x", "/app/liveness").await.status, 200);
    assert_eq!(get(ready, "x", "/app/other").await.status, 404);
    // Probes and collectors may be declared with headers that the application wants to see.
    let mut client = Client::http1(metrics, "own.example").await;
    let asked = client.send(http::Method::GET, "/app/metrics", &[("x-probe", "1")], "").await.unwrap();
    let told = &asked.said()["headers"];
    assert_eq!((told["x-probe"].as_str(), told["host"].as_str()), (Some("1"), Some("own.example")), "{told}");
    let stats = get(metrics, "x", "/app/metrics").await;
    assert_eq!(stats.said()["path"], "/stats");
    assert!(get(metrics, "x", "/metrics").await.body.contains("\nmeshd_ready 1\n"));

    app.answers_with(500);
    assert_eq!(get(ready, "x", "/app/liveness").await.status, 500);
    app.answers_with(200);
    app.takes(std::time::Duration::from_secs(2));
    assert_eq!(get(ready, "x", "/app/liveness").await.status, 504);
    app.die().await;
    assert_eq!(get(ready, "x", "/app/liveness").await.status, 503);
    assert_eq!(get(ready, "x", "/healthz/ready").await.status, 200, "the proxy itself is well");
}

#[tokio::test]
async fn a_stuck_worker_fails_the_liveness_probe() {
    let mut world = World::new();
    let (status, metrics) = (address(), address());
    let config = json!({
        "listeners": [
            { "name": "readiness", "bind": status.to_string(), "kind": { "readiness": {} } },
            metrics_listener(metrics),
        ],
    });
    let path = world.write("proxy", config);
    let stuck_after = std::time::Duration::from_secs(2);
    world.start_with(meshd_proxy::Options { stuck_after, ..world.options(path) });
    assert_eq!(get(status, "x", "/healthz/live").await.status, 200);
    let (free, held) = std::sync::mpsc::channel::<()>();
    world.proxy().occupy(1, move || {
        // An error says that it is free.
        let _ = held.recv();
    });
    eventually("the probe fails", || async { get(status, "x", "/healthz/live").await.status == 503 }).await;
    let said = get(status, "x", "/healthz/live").await.body;
    assert!(said.starts_with("worker-1 has been stuck for "), "{said}");
    // It is no matter of luck who is asked: probes and metrics have a thread of their own.
    for _ in 0..20 {
        assert_eq!(get(status, "x", "/healthz/live").await.status, 503);
        assert_eq!(get(metrics, "x", "/metrics").await.status, 200);
    }
    drop(free);
    eventually("it runs again", || async { get(status, "x", "/healthz/live").await.status == 200 }).await;
}

#[tokio::test]
async fn the_configuration_in_force_can_be_read_and_nothing_can_be_changed() {
    let mut world = World::new();
    let (ready, admin) = (address(), address());
    let config = json!({
        "listeners": [{ "name": "the-one", "bind": ready.to_string(), "kind": { "readiness": {} } }],
        "admin": { "tcp": admin.to_string() },
    });
    world.start("proxy", config);
    let dump = get(admin, "x", "/config_dump").await;
    assert!(dump.body.contains("the-one"));
    let mut client = Client::http1(admin, "x").await;
    let post = client.send(http::Method::POST, "/config_dump", &[], "").await.unwrap();
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn one_line_of_json_tells_of_each_request() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let bind = address();
    let log = world.path("access.log");
    let config = json!({
        "listeners": [crate::support::world::http_listener(bind, "app", json!({ "name": "everything" }))],
        "upstreams": { "app": upstream(&[group("here", &[app.address])]) },
        "access_log": { "file": log.to_str().unwrap() },
    });
    world.start("proxy", config);
    let mut client = TcpStream::connect(bind).await.unwrap();
    client.write_all(b"GET //a?b HTTP/1.1\r\nhost: shop\r\nuser-agent: \xfcber/1\r\nx-request-id: \xe2\x98\x83\r\nconnection: close\r\n\r\n").await.unwrap();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    crate::support::client::eventually("the line", || async {
        std::fs::read_to_string(&log).unwrap().ends_with('\n')
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&log).unwrap()).unwrap();
    for (name, value) in [
        ("listener", json!("http")),
        ("route", json!("everything")),
        ("method", json!("GET")),
        ("protocol", json!("HTTP/1.1")),
        ("host", json!("shop")),
        ("user_agent", json!("\u{fc}ber/1")),
        ("request_id", json!("\u{2603}")),
        ("path", json!("/a?b")),
        ("status", json!(200)),
        ("upstream", json!("app")),
        ("group", json!("here")),
        ("endpoint", json!(app.address.to_string())),
        ("attempts", json!(1)),
        ("flags", json!("-")),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_lines_are_written_before_it_leaves() {
    let world = World::new();
    let bind = address();
    let log = world.path("access.log");
    let config = json!({
        "listeners": [{ "name": "http", "bind": bind.to_string(), "kind": { "http": { "virtual_hosts": [] } } }],
        "access_log": { "file": log.to_str().unwrap() },
    });
    let proxy = meshd_proxy::Proxy::start(world.options(world.write("proxy", config))).unwrap();
    let mut client = Client::http1(bind, "nobody").await;
    for _ in 0..2_000 {
        client.get("/").await;
    }
    drop(client);
    proxy.drain();
    tokio::task::spawn_blocking(move || proxy.wait()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2_000);
}

#[tokio::test]
async fn a_request_that_breaks_off_half_way_does_not_harm_the_next() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let bind = address();
    let config = json!({
        "listeners": [crate::support::world::http_listener(bind, "app", json!({}))],
        "upstreams": { "app": upstream(&[group("here", &[app.address])]) },
    });
    world.start("proxy", config);
    let mut broken = TcpStream::connect(bind).await.unwrap();
    broken.write_all(b"POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
    drop(broken);
    let mut nonsense = TcpStream::connect(bind).await.unwrap();
    nonsense.write_all(b"NONSENSE\r\n\r\n").await.unwrap();
    let mut said = String::new();
    nonsense.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert_eq!(get(bind, "shop", "/").await.status, 200);
}
