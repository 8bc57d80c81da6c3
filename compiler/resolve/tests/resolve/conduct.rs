//! How a call is handled: the rule of a route, then the route's policy, then the callee's policies.

use std::time::Duration;

use meshc_resolve::{Conduct, Provenance, Resolved, resolve};
use meshc_vocabulary::model::Callee;

use crate::support::{edges, is_routed, mesh};

const MESH: &str = r#"
namespace shop {
  service web {
    clusters = [west]
    port http { number = 80 }
    calls = [orders, stream, database]
  }
  service orders { clusters = [west], port http { number = 80 } }
  service stream { clusters = [west], port grpc { number = 80, protocol = grpc } }
  service database { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service quiet { clusters = [west], port http { number = 80 } }
  policy all { timeout { request = 5s }, retry { attempts = 1, when = [5xx] } }
  policy of-orders { targets = [orders], timeout { idle = 20s } }

  route shop {
    gateway = west.ingress
    hosts   = ["shop.example"]
    rule {
      match { path = "/own" }
      timeout = 1s
      retry { attempts = 3, when = [5xx] }
      to = orders
    }
    rule { to = orders }
  }
  policy of-shop { routes = [shop], timeout { request = 2s }, retry { attempts = 2, when = [5xx] } }

  route idle { gateway = west.ingress, hosts = ["idle.example"], to = quiet }
  policy of-idle { routes = [idle], timeout { idle = 1h } }
}
"#;

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn conducts<'m>(resolved: &Resolved<'m>, caller: &str, callee: &str) -> Vec<Conduct<'m>> {
    edges(resolved, caller, callee).into_iter().flat_map(|edge| resolved.conducts(edge)).collect()
}

#[test]
fn a_rule_comes_before_its_route_and_a_route_before_the_callee() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let routed = conducts(&resolved, "west.ingress", "shop.orders");
    let [own, other] = routed.as_slice() else { panic!("{routed:?}") };
    assert_eq!((own.timeout.value, own.retry.value.unwrap().attempts), (seconds(1), 3));
    assert!(matches!(own.timeout.from, Provenance::Rule { rule: 0, .. }), "{own:?}");
    assert!(matches!(own.retry.from, Provenance::Rule { rule: 0, .. }), "{own:?}");
    assert_eq!((other.timeout.value, other.retry.value.unwrap().attempts), (seconds(2), 2));
    assert!(matches!(other.timeout.from, Provenance::Declared { .. }), "{other:?}");
    let called = conducts(&resolved, "shop.web", "shop.orders");
    let [called] = called.as_slice() else { panic!("{called:?}") };
    assert_eq!(called.retry.value.unwrap().attempts, 1, "a route decides nothing about calls");
    assert!(edges(&resolved, "west.ingress", "shop.orders").into_iter().all(is_routed));
}

/// The nearest policy wins as a whole: what it leaves out is the default, and nobody declared that.
#[test]
fn a_policy_that_bounds_only_silence_declares_no_timeout_of_requests() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let default = model.defaults.timeout.request.value;
    for (caller, callee) in [("shop.web", "shop.orders"), ("west.ingress", "shop.quiet")] {
        let found = conducts(&resolved, caller, callee);
        let [conduct] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((conduct.timeout.value, conduct.timeout.from), (default, Provenance::Default), "{callee}");
        assert!(conduct.idle.from.place().is_some(), "{callee}");
    }
}

#[test]
fn defaults_bound_requests_and_answers_only() {
    let model = mesh(&MESH.replace("policy all { timeout { request = 5s }, ", "policy all { "));
    let resolved = resolve(&model);
    let called = |callee| conducts(&resolved, "shop.web", callee)[0];
    assert_eq!(called("shop.stream").timeout.value, None);
    assert_eq!(called("shop.stream").idle.value, None);
    assert_eq!(called("shop.database").idle.value, None);
    assert_eq!(called("shop.orders").timeout.value, model.defaults.timeout.request.value);
}

#[test]
fn what_is_declared_bounds_streams_too_and_connections_have_no_requests() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let called = |callee| conducts(&resolved, "shop.web", callee)[0];
    assert_eq!(called("shop.stream").timeout.value, seconds(5));
    let database = called("shop.database");
    assert_eq!((database.timeout.value, database.retry.value), (None, None));
    let silence = mesh(&MESH.replace("timeout { request = 5s }", "timeout { request = 5s, idle = 30s }"));
    let resolved = resolve(&silence);
    assert_eq!(conducts(&resolved, "shop.web", "shop.database")[0].idle.value, seconds(30));
}

#[test]
fn the_default_for_silence_never_cuts_a_request_that_has_more_time() {
    let conduct = |timeout: &str| {
        let model = mesh(&MESH.replace("timeout { request = 5s }", &format!("timeout {{ {timeout} }}")));
        let resolved = resolve(&model);
        let edge = edges(&resolved, "west.ingress", "shop.quiet")[0].clone();
        // The route says nothing here: a call of the same port.
        let through = meshc_resolve::Through::Call;
        let port = &model.services.at(edge.callee).ports[0];
        let conduct = resolved.conduct(through, Callee::Service(edge.callee), port);
        (conduct.timeout.value, conduct.idle.value, model.defaults.timeout.idle.value)
    };
    let (_, idle, default) = conduct("request = 1s");
    assert_eq!(idle, default);
    let (request, idle, default) = conduct("request = 10h");
    assert!(request > default && idle == request, "{idle:?}");
    let (_, idle, default) = conduct("request = none");
    assert_eq!(idle, default, "a request without a bound is bounded by silence");
    let (_, idle, _) = conduct("request = 10h, idle = 20s");
    assert_eq!(idle, seconds(20), "what is declared holds");
}
