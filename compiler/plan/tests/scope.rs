//! A proxy is told only about what it calls: whatever else is in the mesh leaves its plan unchanged.

mod support;

use std::fmt::Write;

use meshc_plan::{Plan, ProxyPlan, dump};
use proptest::prelude::*;
use support::compile;

const ACME: &str = include_str!("../../../tests/golden/plan/acme/mesh.mesh");

/// A service that has nothing to do with the example: where it runs and which of the others it calls.
#[derive(Clone, Debug)]
struct Stranger {
    clusters: &'static str,
    protocol: &'static str,
    calls: Vec<prop::sample::Index>,
    limited: bool,
}

fn stranger() -> impl Strategy<Value = Stranger> {
    let clusters = prop::sample::select(vec!["west", "east", "west, east"]);
    let protocol = prop::sample::select(vec!["http", "http2", "grpc"]);
    let calls = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (clusters, protocol, calls, any::<bool>()).prop_map(|(clusters, protocol, calls, limited)| Stranger {
        clusters,
        protocol,
        calls,
        limited,
    })
}

/// The example with strangers in a namespace before and in one behind the example's own.
fn crowded(strangers: &[Stranger], namespace: &str) -> String {
    let mut text = format!("{ACME}\nnamespace {namespace} {{\n");
    for (index, stranger) in strangers.iter().enumerate() {
        let mut calls: Vec<_> =
            stranger.calls.iter().map(|call| call.index(strangers.len())).filter(|it| *it != index).collect();
        calls.sort_unstable();
        calls.dedup();
        let calls: Vec<_> = calls.iter().map(|call| format!("s{call}")).collect();
        let Stranger { clusters, protocol, limited, .. } = stranger;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "service s{index} {{ clusters = [{clusters}], port p {{ number = {}, protocol = {protocol} }}, calls = [{}] }}",
            8080 + index,
            calls.join(", "),
        );
        if *limited {
            let _ = writeln!(
                text,
                "policy p{index} {{ targets = [s{index}], rate_limit {{ scope = cluster, otherwise = 9/s }} }}"
            );
        }
    }
    text.push_str("}\n");
    text
}

/// What one proxy must do. Ids are positions in the whole mesh and are not part of it.
fn alone(proxy: &ProxyPlan) -> String {
    dump(&Plan { proxies: vec![proxy.clone()], ..Plan::default() })
}

/// The proxies of the example that serve applications: an east-west gateway serves everybody.
fn of_the_example(plan: &Plan) -> Vec<String> {
    let own = |proxy: &&ProxyPlan| {
        proxy.name.path.starts_with("sidecars/istioinaction/") || proxy.name.path == "gateways/ingress"
    };
    plan.proxies.iter().filter(own).map(alone).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn strangers_change_no_proxy_that_does_not_call_them(
        strangers in prop::collection::vec(stranger(), 1..12),
        namespace in prop::sample::select(vec!["aaa", "zzz"]),
    ) {
        let before = compile(ACME).map_err(TestCaseError::fail)?;
        let after = compile(&crowded(&strangers, namespace)).map_err(TestCaseError::fail)?;
        prop_assert_eq!(of_the_example(&before), of_the_example(&after));
        prop_assert!(after.proxies.len() > before.proxies.len());
    }

    #[test]
    fn the_same_mesh_has_the_same_plan(strangers in prop::collection::vec(stranger(), 1..12)) {
        let text = crowded(&strangers, "zzz");
        let first = compile(&text).map_err(TestCaseError::fail)?;
        let second = compile(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }
}
