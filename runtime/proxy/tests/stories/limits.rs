//! Rate limits: per tier, per path, counted here or by the service, and what happens when the service is down.

use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The policy of the scenario: 10 gold, 5 silver, 3 bronze, 1 other per hour on `/items`.
fn tiers(scope: Value) -> Value {
    let tier = |name: &str, requests: u64| {
        json!({ "name": format!("{name}_request"), "when": { "is": { "header": "x-loyalty", "value": name } },
                "rate": { "requests": requests, "per": "1h" } })
    };
    json!([{ "name": "loyalty", "match": { "path": { "prefix": "/items" } }, "scope": scope, "buckets": [
        tier("gold", 10), tier("silver", 5), tier("bronze", 3),
        { "name": "otherwise", "when": { "none_of": { "header": "x-loyalty", "values": ["gold", "silver", "bronze"] } },
          "rate": { "requests": 1, "per": "1h" } } ] }])
}

async fn proxy(limits: Value, service: Option<SocketAddr>) -> (World, App, SocketAddr, SocketAddr) {
    let mut world = World::new();
    let app = App::start("catalog", address()).await;
    let filters: Vec<Value> =
        limits.as_array().unwrap().iter().map(|limit| json!({ "limit": limit })).collect();
    let (bind, metrics) = (address(), address());
    let mut config = json!({
        "listeners": [
            http_listener(bind, "app", json!({ "filters": filters })),
            { "name": "metrics", "bind": metrics.to_string(), "kind": { "metrics": {} } },
        ],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    if let Some(service) = service {
        config["rate_limit_service"] = json!({ "address": service.to_string() });
    }
    world.start("catalog", config);
    (world, app, bind, metrics)
}

/// How many of twenty requests pass; every other one must be a proper 429.
async fn admitted(client: &mut Client, path: &str, headers: &[(&str, &str)]) -> usize {
    let mut passed = 0;
    for _ in 0..20 {
        let answer = client.get_with(path, headers).await;
        if answer.status == 200 {
            passed += 1;
        } else {
            assert_eq!(answer.status, 429);
            assert_eq!(answer.headers["x-envoy-ratelimited"], "true");
        }
    }
    passed
}

#[tokio::test]
async fn each_tier_has_its_own_number() {
    let (_world, app, bind, _) = proxy(tiers(json!({ "proxy": {} })), None).await;
    let mut client = Client::http1(bind, "catalog").await;
    assert_eq!(admitted(&mut client, "/items", &[("x-loyalty", "gold")]).await, 10);
    assert_eq!(admitted(&mut client, "/items/1", &[("x-loyalty", "silver")]).await, 5);
    assert_eq!(admitted(&mut client, "/items", &[("x-loyalty", "bronze")]).await, 3);
    assert_eq!(
        admitted(&mut client, "/items", &[("x-loyalty", "Gold")]).await,
        1,
        "an unknown tier is otherwise"
    );
    assert_eq!(admitted(&mut client, "/items", &[]).await, 0, "and so is none; they share one number");
    assert_eq!(app.requests(), 19);
    assert_eq!(admitted(&mut client, "/other", &[]).await, 20);
    assert_eq!(admitted(&mut client, "/itemsfoo", &[]).await, 20);
}

/// What an answer tells about the limit: its size, what is left, and when that changes.
fn told(answer: &crate::support::client::Answer) -> [Option<&str>; 3] {
    ["limit", "remaining", "reset"]
        .map(|name| answer.headers.get(format!("x-ratelimit-{name}")).map(|value| value.to_str().unwrap()))
}

#[tokio::test]
async fn answers_tell_what_is_left() {
    let (_world, _app, bind, _) = proxy(tiers(json!({ "proxy": {} })), None).await;
    let mut client = Client::http1(bind, "catalog").await;
    let bronze = [("x-loyalty", "bronze")];
    for (status, remaining, reset) in
        [(200, "2", "0"), (200, "1", "0"), (200, "0", "1200"), (429, "0", "1200")]
    {
        let answer = client.get_with("/items", &bronze).await;
        assert_eq!(answer.status, status);
        assert_eq!(told(&answer), [Some("3"), Some(remaining), Some(reset)]);
    }
    assert_eq!(told(&client.get("/other").await), [None; 3]);
}

#[tokio::test]
async fn other_spellings_of_the_path_do_not_slip_by() {
    let (_world, app, bind, _) = proxy(tiers(json!({ "proxy": {} })), None).await;
    let mut client = Client::http1(bind, "catalog").await;
    assert_eq!(admitted(&mut client, "/items", &[]).await, 1);
    for path in ["//items", "/%69tems", "/x/../items", "/items/"] {
        assert_eq!(client.get(path).await.status, 429, "{path}");
    }
    assert_eq!(client.get("/items%2f").await.status, 400);
    assert_eq!(app.requests(), 1);
}

fn service_scope(on_error: &str) -> Value {
    json!({ "service": { "domain": "loyalty", "descriptor_key": "header_match", "timeout": "200ms", "on_error": on_error } })
}

async fn count(metrics: SocketAddr, outcome: &str) -> usize {
    let page = crate::support::client::get(metrics, "metrics", "/metrics").await.body;
    let line = format!("meshd_rate_limit_total{{policy=\"loyalty\",outcome=\"{outcome}\"}} ");
    page.lines().find_map(|text| text.strip_prefix(&line)).map_or(0, |number| number.parse().unwrap())
}

#[tokio::test]
async fn without_the_service_requests_pass_and_are_counted() {
    let (_world, _app, bind, metrics) = proxy(tiers(service_scope("allow")), Some(address())).await;
    let mut client = Client::http1(bind, "catalog").await;
    assert_eq!(admitted(&mut client, "/items", &[]).await, 20);
    assert_eq!(count(metrics, "allowed_on_error").await, 20);
}

#[tokio::test]
async fn without_the_service_requests_are_refused_if_the_policy_says_so() {
    let (_world, app, bind, metrics) = proxy(tiers(service_scope("deny")), Some(address())).await;
    let mut client = Client::http1(bind, "catalog").await;
    assert_eq!(
        admitted(&mut client, "/items", &[]).await,
        0,
        "with 429, since a 5xx would eject whoever answers it"
    );
    assert_eq!(count(metrics, "denied_on_error").await, 20);
    assert_eq!(admitted(&mut client, "/other", &[]).await, 20);
    assert_eq!(app.requests(), 20);
}

/// The rate-limit service with the policy's numbers, in memory.
async fn rate_limit_service(world_folder: &tempfile::TempDir) -> SocketAddr {
    let file = world_folder.path().join("loyalty.yaml");
    let descriptor = |value: &str, requests: u32| {
        format!(
            "  - key: header_match\n    value: {value}\n    rate_limit: {{ unit: hour, requests_per_unit: {requests} }}\n"
        )
    };
    let text = format!(
        "domain: loyalty\ndescriptors:\n{}{}{}{}",
        descriptor("gold_request", 10),
        descriptor("silver_request", 5),
        descriptor("bronze_request", 3),
        descriptor("otherwise", 1)
    );
    std::fs::write(&file, text).unwrap();
    let options = meshd_rate_limit::Options {
        config: vec![file],
        redis: None,
        redis_patience: meshd_rate_limit::REDIS_PATIENCE,
        listen: address(),
        http_listen: address(),
        debug_listen: address(),
        reload_every: std::time::Duration::from_secs(60),
        clock: std::sync::Arc::new(meshd_rate_limit::ClockSinceStart::new()),
    };
    let server = meshd_rate_limit::Server::bind(options).await.unwrap();
    let at = server.addresses().grpc;
    tokio::spawn(server.serve(std::future::pending()));
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_counts_for_everybody_who_asks_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = rate_limit_service(&folder).await;
    let (_one, first, bind_1, metrics) = proxy(tiers(service_scope("deny")), Some(service)).await;
    let (_two, second, bind_2, _) = proxy(tiers(service_scope("deny")), Some(service)).await;
    let mut clients = [Client::http1(bind_1, "catalog").await, Client::http1(bind_2, "catalog").await];
    let mut passed = 0;
    for round in 0..20 {
        let answer = clients[round % 2].get_with("/items", &[("x-loyalty", "gold")]).await;
        passed += usize::from(answer.status == 200);
    }
    assert_eq!(passed, 10, "ten in all, not ten each");
    assert_eq!((first.requests(), second.requests()), (5, 5));
    assert_eq!(admitted(&mut clients[0], "/items", &[]).await, 1);
    assert_eq!(admitted(&mut clients[1], "/items", &[]).await, 0);
    assert_eq!(count(metrics, "over").await, 24);
}
