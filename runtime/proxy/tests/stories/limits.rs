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
    let (bind, metrics) = (address(), address());
    let mut config = json!({
        "listeners": [
            http_listener(bind, "app", json!({ "limits": limits })),
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

#[tokio::test]
async fn other_spellings_of_the_path_do_not_slip_by() {
    let (_world, app, bind, _) = proxy(tiers(json!({ "proxy": {} })), None).await;
    let mut client = Client::http1(bind, "catalog").await;
    assert_eq!(admitted(&mut client, "/items", &[]).await, 1);
    for path in ["//items", "/%69tems", "/x/../items", "/items/"] {
        assert_eq!(client.get(path).await.status, 429, "{path}");
    }
    assert_eq!(client.get("/items%2f").await.status, 307);
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
    assert_eq!(count(metrics, "error_allowed").await, 20);
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
    assert_eq!(count(metrics, "error_denied").await, 20);
    assert_eq!(admitted(&mut client, "/other", &[]).await, 20);
    assert_eq!(app.requests(), 20);
}
