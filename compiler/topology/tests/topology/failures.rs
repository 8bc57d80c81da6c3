//! Who takes over when services, clusters and gateways fail.

use crate::support::{Sketch, build, cluster_id, gateway_id, service_id};
use meshc_topology::{Failure, Failures, Outcome, ProxyKey, simulate};
use meshc_vocabulary::model::{Callee, Model};

fn three() -> Sketch {
    Sketch::default()
        .cluster("west", "west-net", "us", "")
        .cluster("east", "east-net", "us", "")
        .cluster("asia", "asia-net", "asia", "")
        .service("web", &["west"], &["shop"])
        .service("shop", &["west", "east", "asia"], &[])
}

/// What happens to `web` in `cluster` when it calls `shop`: `east (1)` is east's answer from the second group.
fn outcome(model: &Model, cluster: &str, failures: &Failures) -> String {
    let topology = build(model);
    let proxy = ProxyKey::Sidecar { cluster: cluster_id(model, cluster), service: service_id(model, "web") };
    match simulate(model, &topology, failures)[&(proxy, Callee::Service(service_id(model, "shop")), 0)] {
        Outcome::Answered { group, cluster } => format!("{} ({group})", model.clusters.at(cluster).name),
        Outcome::Errors { group, cluster } => {
            format!("errors of {} ({group})", model.clusters.at(cluster).name)
        }
        Outcome::Nobody => String::from("nobody"),
        Outcome::CallerFailed => String::from("caller failed"),
    }
}

fn services(model: &Model, failed: &[(&str, &str, Failure)]) -> Failures {
    let entry = |(service, cluster, how): &(&str, &str, Failure)| {
        ((service_id(model, service), cluster_id(model, cluster)), *how)
    };
    Failures { services: failed.iter().map(entry).collect(), ..Failures::default() }
}

#[test]
fn nothing_failed_means_the_nearest_answers() {
    let model = three().model();
    assert_eq!(outcome(&model, "west", &Failures::default()), "west (0)");
}

#[test]
fn the_next_group_takes_over_from_failing_pods() {
    let model = three().model();
    for how in [Failure::Errors, Failure::Gone] {
        assert_eq!(outcome(&model, "west", &services(&model, &[("shop", "west", how)])), "east (1)");
    }
}

#[test]
fn errors_behind_a_gateway_stay_errors_and_dead_pods_do_not() {
    let model = three().model();
    let west = ("shop", "west", Failure::Gone);
    let failures = services(&model, &[west, ("shop", "east", Failure::Errors)]);
    assert_eq!(outcome(&model, "west", &failures), "errors of east (1)");
    let failures = services(&model, &[west, ("shop", "east", Failure::Gone)]);
    assert_eq!(outcome(&model, "west", &failures), "asia (2)");
}

#[test]
fn a_dead_gateway_or_cluster_is_passed_over() {
    let model = three().model();
    let mut failures = services(&model, &[("shop", "west", Failure::Gone)]);
    failures.gateways.insert(gateway_id(&model, "east.ew"));
    assert_eq!(outcome(&model, "west", &failures), "asia (2)");
    failures.clusters.insert(cluster_id(&model, "asia"));
    assert_eq!(outcome(&model, "west", &failures), "nobody");
    failures.clusters.insert(cluster_id(&model, "west"));
    assert_eq!(outcome(&model, "west", &failures), "caller failed");
}

#[test]
fn a_cut_way_is_passed_over_in_both_directions() {
    let model = three().model();
    let network = |cluster| model.clusters.at(cluster_id(&model, cluster)).network;
    let west = ("shop", "west", Failure::Gone);
    for (one, other) in [("west", "east"), ("east", "west")] {
        let mut failures = services(&model, &[west]);
        failures.cut(network(one), network(other));
        assert_eq!(outcome(&model, "west", &failures), "asia (2)");
    }
    let mut failures = services(&model, &[west]);
    failures.cut(network("east"), network("asia"));
    assert_eq!(outcome(&model, "west", &failures), "east (1)", "no way from the west");
}

#[test]
fn a_failed_service_calls_nobody() {
    let model = three().model();
    assert_eq!(
        outcome(&model, "west", &services(&model, &[("web", "west", Failure::Gone)])),
        "caller failed"
    );
}

#[test]
fn a_hub_passes_on_to_the_next_spoke_when_it_cannot_connect() {
    let sketch = Sketch::default()
        .cluster("hub", "hub-net", "eu", "")
        .cluster("a", "a-net", "eu", "")
        .cluster("b", "b-net", "eu", "")
        .cluster("c", "c-net", "eu", "")
        .link("a-net", "hub-net")
        .link("b-net", "hub-net")
        .link("c-net", "hub-net")
        .service("web", &["a"], &["shop"])
        .service("shop", &["b", "c"], &[]);
    let model = sketch.model();
    assert_eq!(outcome(&model, "a", &Failures::default()), "b (0)");
    // b's gateway takes the connection before it finds nobody behind it, and the hub cannot take that back.
    assert_eq!(outcome(&model, "a", &services(&model, &[("shop", "b", Failure::Gone)])), "nobody");
    let mut failures = Failures::default();
    failures.clusters.insert(cluster_id(&model, "b"));
    assert_eq!(outcome(&model, "a", &failures), "c (0)");
    let failures = services(&model, &[("shop", "b", Failure::Errors)]);
    assert_eq!(outcome(&model, "a", &failures), "errors of b (0)");
    let mut failures = Failures::default();
    failures.gateways.insert(gateway_id(&model, "hub.ew"));
    assert_eq!(outcome(&model, "a", &failures), "nobody");
}
