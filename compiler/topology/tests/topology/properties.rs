//! What holds for every mesh: order of declaration, scope, preference, and chains of gateways that end.

use std::collections::BTreeSet;

use crate::support::{Sketch, build, exports, reaches};
use meshc_topology::{ProxyKey, Topology, Via};
use meshc_vocabulary::model::policy::FailoverBy;
use meshc_vocabulary::model::{Cluster, ClusterState, GatewayRole, Id, Model};
use proptest::prelude::*;

const CLUSTERS: usize = 6;
const SERVICES: usize = 6;

/// Any mesh of six clusters on four networks, some linked, some gateways missing, and six services.
fn sketches() -> impl Strategy<Value = Sketch> {
    let cluster = (0..4usize, 0..3usize, 0..3usize, 0..8u8, 0..6u8);
    let clusters = prop::collection::vec(cluster, CLUSTERS);
    let links = prop::collection::vec((0..4usize, 0..4usize, prop::option::of(0..50u64)), 0..6);
    let service = (1..(1u8 << CLUSTERS), 0..(1u8 << SERVICES), 0..4u32);
    let services = prop::collection::vec(service, SERVICES);
    let by = prop::sample::subsequence(
        vec![FailoverBy::Latency, FailoverBy::Zone, FailoverBy::Cost, FailoverBy::Region],
        0..=4,
    );
    (clusters, links, services, any::<bool>(), by).prop_map(|(clusters, links, services, enabled, by)| {
        let mut sketch = Sketch::default();
        for (index, (network, region, zone, kind, state)) in clusters.into_iter().enumerate() {
            let name = format!("c{index}");
            sketch =
                sketch.cluster(&name, &format!("n{network}"), &format!("r{region}"), &format!("z{zone}"));
            sketch = match kind {
                0 => sketch.without_gateway(&name),
                1 => sketch.without_gateway(&name).gateway(&name, "ew", GatewayRole::EastWest, false),
                2 => sketch.gateway(&name, "second", GatewayRole::EastWest, true),
                3 => sketch.domain(&name, &format!("{name}.example")),
                _ => sketch,
            };
            sketch = match state {
                0 => sketch.state(&name, ClusterState::Joining),
                1 => sketch.state(&name, ClusterState::Draining),
                _ => sketch,
            };
        }
        for (from, to, latency) in links {
            let (from, to) = (format!("n{from}"), format!("n{to}"));
            if from != to && [&from, &to].into_iter().all(|it| sketch.networks.contains(it)) {
                sketch.links.push((from, to, latency));
            }
        }
        for (index, (runs, calls, replicas)) in services.into_iter().enumerate() {
            let bits = |mask: u8, letter: &str, count: usize| {
                let set = (0..count).filter(|bit| mask & (1 << bit) != 0);
                set.map(|bit| format!("{letter}{bit}")).collect::<Vec<_>>()
            };
            sketch = sketch.service(&format!("s{index}"), &[], &[]);
            let service = sketch.services.last_mut().unwrap();
            service.clusters = bits(runs, "c", CLUSTERS);
            service.calls = bits(calls, "s", SERVICES);
            service.replicas = replicas;
        }
        sketch.failover(enabled, &by)
    })
}

/// The gateways that an export sends to next.
fn next_doors(model: &Model, topology: &Topology, cluster: Id<Cluster>, export: usize) -> Vec<Id<Cluster>> {
    let doors = topology.exports.iter().filter(|(id, _)| model.gateways.at(**id).cluster == cluster);
    let hops = doors.flat_map(|(_, list)| list.get(export)).flat_map(|export| export.hops.iter());
    hops.filter_map(|hop| match &hop.via {
        Via::Gateways { hops, .. } => hops.first().copied(),
        Via::Pods | Via::External => None,
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_declaration_means_nothing(sketch in sketches(), seed in any::<u64>()) {
        let mut shuffled = sketch.clone();
        let turn = |length: usize| if length == 0 { 0 } else { seed as usize % length };
        shuffled.networks.rotate_left(turn(sketch.networks.len()));
        shuffled.clusters.rotate_left(turn(sketch.clusters.len()));
        shuffled.clusters.reverse();
        shuffled.gateways.reverse();
        shuffled.services.rotate_left(turn(sketch.services.len()));
        shuffled.services.reverse();
        prop_assert_eq!(build(&sketch.model()), build(&shuffled.model()));
    }

    #[test]
    fn a_proxy_learns_nothing_of_services_that_it_does_not_call(sketch in sketches()) {
        let all = ["c0", "c1", "c2", "c3", "c4", "c5"];
        let mut larger = sketch.clone();
        larger = larger.service("a-stranger", &all, &["another"]).service("another", &all, &["s0"]);
        let (small, large) = (sketch.model(), larger.model());
        let (before, after) = (build(&small), build(&large));
        for service in &sketch.services {
            for cluster in &service.clusters {
                prop_assert_eq!(
                    reaches(&small, &before, cluster, &service.name),
                    reaches(&large, &after, cluster, &service.name)
                );
            }
        }
    }

    #[test]
    fn groups_are_distinct_own_pods_come_first_and_doors_are_open(sketch in sketches()) {
        let model = sketch.model();
        let topology = build(&model);
        for (proxy, list) in &topology.reaches {
            let ProxyKey::Sidecar { cluster, .. } = proxy else { continue };
            for reach in list {
                prop_assert!(!reach.groups.is_empty() && !reach.origins.is_empty());
                let distinct: BTreeSet<_> = reach.groups.iter().map(|it| it.via.clone()).collect();
                let pods = reach.groups.iter().filter(|it| it.via == Via::Pods).count();
                prop_assert_eq!(distinct.len() + pods.saturating_sub(1), reach.groups.len());
                let own = reach.groups.iter().position(|it| it.cluster == *cluster);
                prop_assert!(own.is_none_or(|place| place == 0));
                for group in reach.groups.iter() {
                    let Via::Gateways { gateways, from: _, hops } = &group.via else { continue };
                    let last = hops.last().map(|it| model.clusters.at(*it).network);
                    prop_assert_eq!(last, Some(model.clusters.at(group.cluster).network));
                    for gateway in gateways.iter() {
                        let known = topology.exports[gateway].iter().any(|export| {
                            meshc_vocabulary::model::Callee::Service(export.service) == reach.callee
                                && export.port == reach.port
                                && export.hops[0].cluster == group.cluster
                        });
                        prop_assert!(known, "the gateway sends this callee where the caller thinks");
                    }
                }
            }
        }
    }

    #[test]
    fn chains_of_gateways_end_whatever_fails(sketch in sketches()) {
        let model = sketch.model();
        let topology = build(&model);
        for service in model.services.ids() {
            for start in model.clusters.ids() {
                // Follow every hop that any failure could make a gateway take.
                let mut open = vec![(start, BTreeSet::from([start]))];
                while let Some((cluster, seen)) = open.pop() {
                    let door = model.gateways.iter().find(|(id, it)| {
                        it.cluster == cluster && topology.exports.contains_key(id)
                    });
                    let Some((door, _)) = door else { continue };
                    let export = topology.exports[&door].iter().position(|it| it.service == service);
                    for next in export.map_or(Vec::new(), |it| next_doors(&model, &topology, cluster, it)) {
                        let mut seen = seen.clone();
                        prop_assert!(seen.insert(next), "a circle");
                        open.push((next, seen));
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_exported_that_nobody_outside_asks_for(sketch in sketches()) {
        let model = sketch.model();
        let topology = build(&model);
        for gateway in topology.exports.keys() {
            let name = model.gateway_name(*gateway);
            let cluster = &model.clusters.at(model.gateways.at(*gateway).cluster).name;
            for line in exports(&model, &topology, &name) {
                let callee = line.split(" = ").next().unwrap();
                let outside = sketch.services.iter().any(|it| {
                    it.calls.iter().any(|call| call == callee) && it.clusters.iter().any(|at| at != cluster)
                });
                prop_assert!(outside, "{} exports {}", name, callee);
            }
        }
    }
}
