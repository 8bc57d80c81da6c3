//! Meshes of every shape, and what their proxies see of each other.

use crate::support::{
    Sketch, build, cluster_id, exports, gateway_id, gateway_reaches, reaches, service_id, unreachable,
};
use meshc_topology::{BrokenHop, Nearness};
use meshc_vocabulary::model::policy::FailoverBy;
use meshc_vocabulary::model::{ClusterState, GatewayRole};

const NOTHING: [&str; 0] = [];

/// Two clusters on two networks; `web` runs in west and calls `shop`, which runs in both.
fn two_networks() -> Sketch {
    Sketch::default()
        .cluster("west", "west-net", "westus", "0")
        .cluster("east", "east-net", "eastus", "0")
        .service("web", &["west"], &["shop"])
        .service("shop", &["west", "east"], &[])
}

#[test]
fn two_networks_meet_at_gateways() {
    let model = two_networks().model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "west", "web"), ["shop = west, east via east.ew"]);
    assert_eq!(exports(&model, &topology, "east.ew"), ["shop = east"]);
    assert_eq!(exports(&model, &topology, "west.ew"), NOTHING, "nobody outside west calls into it");
    assert!(topology.unreachable.is_empty());
}

#[test]
fn every_proxy_has_an_entry() {
    let model = two_networks().model();
    let topology = build(&model);
    assert_eq!(topology.reaches.len(), 3 + 2, "three sidecars and two gateways");
    assert_eq!(gateway_reaches(&model, &topology, "east.ew"), NOTHING);
    assert_eq!(reaches(&model, &topology, "east", "shop"), NOTHING);
}

#[test]
fn an_ingress_gateway_calls_what_its_routes_name() {
    let sketch = two_networks().gateway("west", "in", GatewayRole::Ingress, true).route("west.in", "shop");
    let model = sketch.model();
    let topology = build(&model);
    assert_eq!(gateway_reaches(&model, &topology, "west.in"), ["shop = west, east via east.ew"]);
}

#[test]
fn several_gateways_of_a_cluster_are_one_hop_and_export_alike() {
    let model = two_networks().gateway("east", "ew2", GatewayRole::EastWest, true).model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "west", "web"), ["shop = west, east via east.ew+east.ew2"]);
    assert_eq!(exports(&model, &topology, "east.ew2"), ["shop = east"]);
}

#[test]
fn a_network_shared_without_domains_needs_the_gateway() {
    let sketch = Sketch::default().cluster("a", "net", "eu", "1").cluster("b", "net", "eu", "2");
    let sketch = sketch.service("web", &["a"], &["shop"]).service("shop", &["b"], &[]);
    let model = sketch.model();
    assert_eq!(reaches(&model, &build(&model), "a", "web"), ["shop = b via b.ew"]);

    let named = sketch.clone().domain("b", "b.example").without_gateway("b").model();
    assert_eq!(reaches(&named, &build(&named), "a", "web"), ["shop = b"], "its pods have names of their own");

    let clash = sketch.domain("a", "same.example").domain("b", "same.example").model();
    assert_eq!(reaches(&clash, &build(&clash), "a", "web"), ["shop = b via b.ew"], "the names say nothing");
}

#[test]
fn a_hub_passes_on_between_its_spokes() {
    let sketch = Sketch::default()
        .cluster("hub", "hub-net", "eu", "")
        .cluster("a", "a-net", "eu", "")
        .cluster("b", "b-net", "us", "")
        .cluster("c", "c-net", "eu", "")
        .link("a-net", "hub-net")
        .link("hub-net", "b-net")
        .link("hub-net", "c-net")
        .service("web", &["a"], &["shop"]);
    let model = sketch.clone().service("shop", &["b"], &[]).model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "a", "web"), ["shop = b via hub.ew (hub > b)"]);
    assert_eq!(exports(&model, &topology, "hub.ew"), ["shop = b via b.ew"]);
    assert_eq!(exports(&model, &topology, "b.ew"), ["shop = b"]);

    let model = sketch.clone().service("shop", &["b", "c"], &[]).model();
    let topology = build(&model);
    let expected = ["shop = c via hub.ew (hub > c)"];
    assert_eq!(reaches(&model, &topology, "a", "web"), expected, "one SNI at one gateway is one group");
    assert_eq!(exports(&model, &topology, "hub.ew"), ["shop = c via c.ew, b via b.ew"], "the hub fails over");

    let model = sketch.service("shop", &["b", "hub"], &[]).model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "a", "web"), ["shop = hub via hub.ew"]);
    assert_eq!(exports(&model, &topology, "hub.ew"), ["shop = hub"], "a circle would be possible otherwise");
}

#[test]
fn gateways_of_two_hubs_never_send_each_other_in_a_circle() {
    let sketch = Sketch::default()
        .cluster("hub1", "hub1-net", "eu", "")
        .cluster("hub2", "hub2-net", "eu", "")
        .cluster("leaf1", "leaf1-net", "eu", "")
        .cluster("leaf2", "leaf2-net", "eu", "")
        .cluster("a", "a-net", "eu", "")
        .cluster("b", "b-net", "eu", "")
        .link("hub1-net", "hub2-net")
        .link("leaf1-net", "hub1-net")
        .link("leaf2-net", "hub2-net")
        .link("a-net", "hub1-net")
        .link("b-net", "hub2-net")
        .service("web", &["a", "b"], &["shop"])
        .service("shop", &["leaf1", "leaf2"], &[]);
    let model = sketch.model();
    let topology = build(&model);
    assert_eq!(exports(&model, &topology, "hub1.ew"), ["shop = leaf1 via leaf1.ew"]);
    assert_eq!(exports(&model, &topology, "hub2.ew"), ["shop = leaf2 via leaf2.ew"]);
    assert_eq!(reaches(&model, &topology, "b", "web"), ["shop = leaf2 via hub2.ew (hub2 > leaf2)"]);
}

#[test]
fn a_missing_link_is_named() {
    let sketch = two_networks().cluster("far", "far-net", "asia", "").link("west-net", "far-net");
    let model = sketch.model();
    let topology = build(&model);
    let net = |name: &str| model.networks.iter().find(|(_, it)| it.name == name).unwrap().0;
    let [broken] = topology.unreachable.as_slice() else { panic!("one call, one cluster without a way") };
    assert_eq!(broken.reason, BrokenHop::NoLink(net("west-net"), net("east-net")));
    assert!(broken.partly, "west's own pods answer");
    assert_eq!(broken.callee, service_id(&model, "shop"));
}

#[test]
fn a_network_that_passes_nothing_on_is_named() {
    let sketch = two_networks()
        .cluster("mid", "mid-net", "eu", "")
        .without_gateway("mid")
        .link("west-net", "mid-net")
        .link("mid-net", "east-net");
    let model = sketch.model();
    let topology = build(&model);
    let mid = model.networks.iter().find(|(_, it)| it.name == "mid-net").unwrap().0;
    assert_eq!(topology.unreachable[0].reason, BrokenHop::NoTransit(mid));
}

#[test]
fn a_detour_is_taken_around_a_network_that_passes_nothing_on() {
    let sketch = two_networks()
        .cluster("mid", "mid-net", "eu", "")
        .without_gateway("mid")
        .cluster("alt1", "alt1-net", "eu", "")
        .cluster("alt2", "alt2-net", "eu", "")
        .link("west-net", "mid-net")
        .link("mid-net", "east-net")
        .link("west-net", "alt1-net")
        .link("alt1-net", "alt2-net")
        .link("alt2-net", "east-net")
        .service("far", &["east"], &[])
        .service("caller", &["west"], &["far"]);
    let model = sketch.model();
    let expected = ["far = east via alt1.ew (alt1 > alt2 > east)"];
    assert_eq!(reaches(&model, &build(&model), "west", "caller"), expected);
}

#[test]
fn a_cluster_behind_a_gateway_that_sends_elsewhere_is_hidden() {
    let sketch = Sketch::default()
        .cluster("hub", "hub-net", "eu", "")
        .cluster("a", "a-net", "eu", "")
        .cluster("b", "b-net", "eu", "")
        .link("a-net", "hub-net")
        .link("b-net", "hub-net")
        .service("web", &["a", "b"], &["shop"])
        .service("shop", &["a", "b", "hub"], &[]);
    let model = sketch.model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "a", "web"), ["shop = a, hub via hub.ew"]);
    let hidden = |at: &str, answers: &str| BrokenHop::Hidden {
        at: cluster_id(&model, at),
        answers: cluster_id(&model, answers),
    };
    let found: Vec<_> = topology.unreachable.iter().map(|it| (it.cluster, it.reason, it.partly)).collect();
    let expected = [
        (cluster_id(&model, "b"), hidden("hub", "hub"), true),
        (cluster_id(&model, "a"), hidden("hub", "hub"), true),
    ];
    assert_eq!(found, expected, "from a, b is hidden, and from b, a is");
}

#[test]
fn a_cluster_without_gateway_or_address_cannot_be_entered() {
    let model = two_networks().without_gateway("east").model();
    let topology = build(&model);
    assert_eq!(topology.unreachable[0].reason, BrokenHop::NoGateway(cluster_id(&model, "east")));
    assert_eq!(reaches(&model, &topology, "west", "web"), ["shop = west"]);

    let sketch = two_networks().without_gateway("east").gateway("east", "ew", GatewayRole::EastWest, false);
    let model = sketch.model();
    let topology = build(&model);
    assert_eq!(topology.unreachable[0].reason, BrokenHop::NoAddress(gateway_id(&model, "east.ew")));
    assert_eq!(exports(&model, &topology, "east.ew"), NOTHING);
}

#[test]
fn without_failover_only_the_nearest_group_remains() {
    let sketch = two_networks().failover(false, &[]).service("late", &["west"], &["far"]);
    let model = sketch.service("far", &["east"], &[]).model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "west", "web"), ["shop = west"]);
    assert_eq!(reaches(&model, &topology, "west", "late"), ["far = east via east.ew"]);
    assert_eq!(
        exports(&model, &topology, "east.ew"),
        ["far = east"],
        "shop is no longer called from outside"
    );
}

#[test]
fn zones_come_before_regions_and_regions_before_the_rest() {
    let names = ["d-far", "c-region", "b-zone", "a-own"];
    let sketch = Sketch::default()
        .cluster("a-own", "n1", "eu", "1")
        .cluster("b-zone", "n2", "eu", "1")
        .cluster("c-region", "n3", "eu", "2")
        .cluster("d-far", "n4", "us", "1")
        .service("web", &["a-own"], &["shop"])
        .service("shop", &names, &[]);
    let model = sketch.model();
    let topology = build(&model);
    let expected = "shop = a-own, b-zone via b-zone.ew, c-region via c-region.ew, d-far via d-far.ew";
    assert_eq!(reaches(&model, &topology, "a-own", "web"), [expected]);
    let nearness: Vec<_> = topology.reaches.values().flatten().flat_map(|it| it.groups.iter()).collect();
    let nearness: Vec<_> = nearness.iter().map(|it| it.nearness).collect();
    let all = [Nearness::SameCluster, Nearness::SameZone, Nearness::SameRegion, Nearness::OtherRegion];
    assert_eq!(nearness, all);
}

#[test]
fn three_regions_order_the_same_from_every_side() {
    let clusters = ["us1", "us2", "eu1"];
    let sketch = Sketch::default()
        .cluster("us1", "n1", "us", "")
        .cluster("us2", "n2", "us", "")
        .cluster("eu1", "n3", "eu", "")
        .service("web", &clusters, &["shop"])
        .service("shop", &clusters, &[]);
    let model = sketch.model();
    let topology = build(&model);
    assert_eq!(reaches(&model, &topology, "us2", "web"), ["shop = us2, us1 via us1.ew, eu1 via eu1.ew"]);
    assert_eq!(reaches(&model, &topology, "eu1", "web"), ["shop = eu1, us1 via us1.ew, us2 via us2.ew"]);
}

#[test]
fn latency_decides_order_and_path_when_asked() {
    let sketch = Sketch::default()
        .cluster("here", "here-net", "eu", "")
        .cluster("near", "near-net", "us", "")
        .cluster("far", "far-net", "eu", "")
        .slow_link("here-net", "near-net", 10)
        .slow_link("here-net", "far-net", 100)
        .slow_link("near-net", "far-net", 20)
        .service("web", &["here"], &["shop"])
        .service("shop", &["near", "far"], &[]);
    let model = sketch.model();
    let expected = ["shop = far via far.ew, near via near.ew"];
    assert_eq!(reaches(&model, &build(&model), "here", "web"), expected, "regions decide by default");

    let model = sketch.clone().failover(true, &[FailoverBy::Latency]).model();
    let topology = build(&model);
    // The quick way to far leads through near's gateways, where the same SNI already means near's own pods.
    assert_eq!(reaches(&model, &topology, "here", "web"), ["shop = near via near.ew"]);

    let sketch = sketch.service("only", &["far"], &[]).service("batch", &["here"], &["only"]);
    for by in [FailoverBy::Latency, FailoverBy::Cost] {
        let model = sketch.clone().failover(true, &[by]).model();
        let expected = ["only = far via near.ew (near > far)"];
        assert_eq!(reaches(&model, &build(&model), "here", "batch"), expected);
    }
}

#[test]
fn a_link_without_latency_is_longer_than_any_with_one() {
    let sketch = Sketch::default()
        .cluster("here", "here-net", "eu", "")
        .cluster("one", "one-net", "eu", "")
        .cluster("two", "two-net", "eu", "")
        .link("here-net", "one-net")
        .slow_link("here-net", "two-net", 900)
        .service("web", &["here"], &["shop"])
        .service("shop", &["one", "two"], &[])
        .failover(true, &[FailoverBy::Latency]);
    let model = sketch.model();
    assert_eq!(reaches(&model, &build(&model), "here", "web"), ["shop = two via two.ew, one via one.ew"]);
}

#[test]
fn joining_and_draining_clusters_get_no_traffic_but_keep_their_doors_open() {
    for state in [ClusterState::Joining, ClusterState::Draining] {
        let model = two_networks().state("east", state).model();
        let topology = build(&model);
        assert_eq!(reaches(&model, &topology, "west", "web"), ["shop = west"]);
        // The gateway is ready before the first caller comes, and until the last one has gone.
        assert_eq!(exports(&model, &topology, "east.ew"), ["shop = east"]);

        let model = two_networks().state("west", state).model();
        let own = ["shop = west, east via east.ew"];
        assert_eq!(reaches(&model, &build(&model), "west", "web"), own, "its own pods are near as ever");
    }
}

#[test]
fn a_callee_that_runs_in_a_joining_cluster_only_is_unreachable() {
    let sketch = two_networks().service("new", &["east"], &[]).service("early", &["west"], &["new"]);
    let model = sketch.state("east", ClusterState::Joining).model();
    let topology = build(&model);
    assert_eq!(
        unreachable(&model, &topology),
        ["early calls new: east NotActive(#0)", "web calls shop: east NotActive(#0) (partly)"]
    );
    assert_eq!(exports(&model, &topology, "east.ew"), ["new = east", "shop = east"]);
}

#[test]
fn weights_are_declared_replicas_and_never_zero() {
    let mut sketch = two_networks();
    for (replicas, weight) in [(0, 1), (1, 1), (7, 7)] {
        sketch.services[1].replicas = replicas;
        let topology = build(&sketch.model());
        let groups: Vec<_> = topology.reaches.values().flatten().flat_map(|it| it.groups.iter()).collect();
        assert_eq!(groups.iter().map(|it| it.weight).collect::<Vec<_>>(), [weight, weight]);
    }
}
