//! The two-cluster example on one machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../plan/tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use meshc_local::{Layout, layout, place};
use meshc_plan::{EndpointAddress, Placement, Plan};
use support::compile;

const ACME: &str = include_str!("../../../tests/golden/plan/acme/mesh.mesh");
/// A mesh with hosts outside, whose addresses are real ones.
const OUTSIDE: &str = include_str!("../../../tests/golden/plan/outside/mesh.mesh");

fn placed() -> (Plan, Placement, Layout) {
    placed_from(ACME)
}

fn placed_from(mesh: &str) -> (Plan, Placement, Layout) {
    let plan = compile(mesh).unwrap();
    let mut next = 20_000;
    let mut ports = |_: &str| {
        next += 1;
        next
    };
    let placement = place(&plan, &mut ports, "/run/mesh/");
    let layout = layout(&plan, &placement);
    (plan, placement, layout)
}

#[test]
fn nothing_is_ever_sent_to_an_address_that_the_mesh_declares() {
    [ACME, OUTSIDE].into_iter().for_each(every_address_is_on_loopback);
}

#[test]
fn every_address_of_a_host_outside_has_a_place_of_its_own() {
    let (_, _, layout) = placed_from(OUTSIDE);
    let listed: Vec<_> =
        layout.externals.iter().map(|it| format!("{}:{} {}", it.external, it.number, it.declared)).collect();
    let expected = [
        "shop.cdn:443 203.0.113.20",
        "shop.pay:80 edge.pay.example",
        "shop.pay:80 203.0.113.10",
        "shop.pay:80 spare.pay.example",
        "shop.pay:5432 edge.pay.example",
        "shop.pay:5432 203.0.113.10",
        "shop.pay:5432 spare.pay.example",
    ];
    assert_eq!(listed, expected);
    let places: BTreeSet<_> = layout.externals.iter().map(|it| it.address).collect();
    assert_eq!(places.len(), expected.len());
    let (_, _, acme) = placed();
    assert!(acme.externals.is_empty());
}

fn every_address_is_on_loopback(mesh: &str) {
    let (plan, placement, _) = placed_from(mesh);
    let mut used = BTreeSet::new();
    for proxy in &plan.proxies {
        for listener in &proxy.listeners {
            let address = placement.listener(&proxy.name, &listener.name, listener.address);
            assert!(address.ip().is_loopback() && used.insert(address), "{} {}", proxy.name, listener.name);
        }
        for endpoint in proxy.upstreams.iter().flat_map(|it| &it.groups).flat_map(|it| &it.endpoints) {
            let (address, port) = placement.endpoint(&proxy.name, endpoint);
            assert_eq!(address, EndpointAddress::Ip("127.0.0.1".parse().unwrap()));
            assert!(port > 20_000, "{} leads nowhere", proxy.name);
        }
    }
}

#[test]
fn gateways_calls_and_applications_are_listed_with_their_addresses() {
    let (_, _, layout) = placed();
    let gateways: Vec<_> = layout
        .gateways
        .iter()
        .map(|it| {
            format!(
                "{}.{}:{} {} {}",
                it.cluster,
                it.gateway,
                it.number,
                it.tls,
                it.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    let expected = [
        "east.eastwest:15443 true ",
        "west.eastwest:15443 true ",
        "west.ingress:80 false simple-backend.istioinaction.io webapp.istioinaction.io",
    ];
    assert_eq!(gateways, expected);
    let [call] = &layout.calls[..] else { unreachable!("one call") };
    assert_eq!(
        (call.caller.as_str(), call.callee.as_str()),
        ("istioinaction.webapp", "istioinaction.catalog")
    );
    assert_eq!(call.host.as_deref(), Some("catalog.istioinaction.svc.cluster.local"));
    let applications: Vec<_> = layout.applications.iter().map(|it| it.proxy.to_string()).collect();
    let expected = [
        "east/sidecars/istioinaction/catalog",
        "east/sidecars/istioinaction/simple-backend",
        "west/sidecars/istioinaction/simple-backend",
        "west/sidecars/istioinaction/webapp",
    ];
    assert_eq!(applications, expected);
    assert_eq!(layout.applications[0].ports[0].target, 3000);
}

#[test]
fn proxies_have_short_directories_of_their_own() {
    let (plan, placement, layout) = placed();
    let roots: BTreeSet<_> = layout.proxies.iter().map(|it| it.root.clone()).collect();
    assert_eq!(roots.len(), plan.proxies.len());
    assert!(roots.iter().all(|root| root.len() < 60));
    let socket = placement.path(&plan.proxies[1].name, meshc_plan::paths::ADMIN_SOCKET);
    assert_eq!(socket, "/run/mesh/1-catalog/var/run/mesh/admin.sock");
}
