//! Services and clients, with what runs them.

use mesh_tests::random::Random;

use crate::meshes::{Client, Parts, Service};
use crate::text::Item;

/// A service.
pub(crate) fn service(
    number: usize,
    service: &Service,
    name: &str,
    parts: &Parts,
    random: &mut Random,
) -> Item {
    let mut inside =
        vec![Item::list("clusters", service.clusters.iter().map(|cluster| format!("c{cluster}")))];
    inside.push(Item::line(port(service, parts, random)));
    if service.second {
        let bind = if parts.loopback { ", bind = loopback" } else { "" };
        inside.push(Item::line(format!("port q {{ number = 81, target = 8081{bind} }}")));
    }
    inside.extend(calls(&service.calls));
    if random.percent(10) {
        inside.push(Item::line(format!("account = \"of-{name}\"")));
    }
    if parts.vips && random.percent(40) {
        inside.push(Item::line(format!("vip = 127.64.9.{}", 10 + number)));
    }
    if !parts.vips && !parts.machines && random.percent(5) {
        inside.push(Item::line(random.of(&["capture = loopback", "capture = redirect"])));
    }
    // Each place has one application here. Where there are other places, Envoy would try what it takes for another of several
    // pods, and meshd knows better: see the reference's table of differences.
    let pods = |several| if service.clusters.len() == 1 { several } else { 1 };
    let on_machines = |cluster: &usize| parts.machines && cluster + 1 == parts.clusters;
    let machines = service.clusters.iter().find(|cluster| on_machines(cluster));
    let subset = |place: usize, random: &mut Random| {
        let mut inside = Vec::new();
        if let Some(cluster) = machines {
            inside.push(Item::line(format!("in c{cluster} {{ addresses = [10.9.{number}.{}] }}", 5 + place)));
        } else if random.percent(25) {
            inside.push(Item::list("clusters", service.clusters.iter().map(|cluster| format!("c{cluster}"))));
            inside.push(Item::line(format!("in c{} {{ replicas = {} }}", service.clusters[0], pods(2))));
            inside.push(Item::line(format!("workload {name}-{place} {{}}")));
        }
        Item::block(format!("subset v{place}"), inside)
    };
    if service.subsets {
        inside.extend([subset(1, random), subset(2, random)]);
        return Item::block(format!("service {name}"), inside);
    }
    if let Some(cluster) = machines {
        inside.push(Item::line(format!("in c{cluster} {{ addresses = [10.9.{number}.4] }}")));
    } else {
        if random.percent(8) {
            inside.push(Item::line(format!("in c{} {{ replicas = {} }}", service.clusters[0], pods(3))));
        }
        if random.percent(8) {
            inside.push(Item::line(random.of(&[
                "workload { kind = stateful_set, container = \"app\", labels = { version = \"1\" }, annotations = { note = \"x\" } }",
                "workload { kind = rollout }",
                "workload { kind = daemon_set }",
                "workload { image = \"shop/app:1\" }",
            ])));
        }
        if random.percent(8) {
            inside.push(Item::line(random.of(&[
                "probe liveness { path = \"/alive\", port = 8080, timeout = 3s }",
                "probe readiness { path = \"/ready\", port = 8080 }",
            ])));
        }
        if random.percent(5) {
            inside.push(Item::line("metrics { path = \"/stats\", port = 9090 }"));
        }
    }
    Item::block(format!("service {name}"), inside)
}

fn port(service: &Service, parts: &Parts, random: &mut Random) -> String {
    let mut port =
        format!("port p {{ number = {}, target = 8080, protocol = {}", service.number(), service.protocol);
    if parts.loopback || random.percent(10) {
        port.push_str(", bind = loopback");
    }
    if service.permissive {
        port.push_str(", mtls = permissive");
    }
    port.push_str(" }");
    port
}

/// What is called; of an even number the last one in a block, which comes to the same.
fn calls(all: &[String]) -> Vec<Item> {
    match all.split_last() {
        None => Vec::new(),
        Some((last, others)) if all.len().is_multiple_of(2) => {
            vec![Item::list("calls", others), Item::block("call", vec![Item::list("to", [last])])]
        }
        Some(_) => vec![Item::list("calls", all)],
    }
}

/// A client.
pub(crate) fn client(client: &Client, name: &str, random: &mut Random) -> Item {
    let mut inside = vec![Item::list("clusters", ["c0"])];
    inside.extend(calls(&client.calls));
    if random.percent(8) {
        inside.push(Item::line(format!("account = \"of-{name}\"")));
    }
    if random.percent(6) {
        inside.push(Item::line("capture = loopback"));
    }
    if random.percent(6) {
        inside.push(Item::line(random.of(&["workload { kind = cron_job }", "workload { kind = job }"])));
    }
    Item::block(format!("client {name}"), inside)
}
