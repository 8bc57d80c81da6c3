//! The mesh, its trust, its networks, and its clusters with their gateways.

use mesh_tests::random::Random;

use crate::meshes::{Door, Ingress, Parts, Service};
use crate::text::Item;

/// Everything at the top level but namespaces and policies.
pub(crate) fn of_mesh(parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut mesh = vec![
        Item::line(r#"trust_domain = "cluster.local""#),
        Item::line("trust = house"),
        Item::line("data_plane = envoy"),
    ];
    if random.percent(10) {
        mesh.push(Item::line(r#"namespace = "mesh-own""#));
    }
    if parts.vips {
        mesh.push(Item::line("capture = loopback"));
    } else if !parts.machines && random.percent(15) {
        mesh.push(Item::line(random.of(&["capture = auto", "capture = loopback", "capture = redirect"])));
    }
    if parts.counts {
        mesh.push(Item::line("rate_limits = c0"));
    }
    let mut trust = Vec::new();
    if random.percent(10) {
        trust = [
            "issuer = builtin",
            "root { common_name = \"root of a house\", lifetime = 10y }",
            "intermediate { lifetime = 1y }",
            "workload { lifetime = 30d }",
        ]
        .map(Item::line)
        .to_vec();
    }
    let mut items = vec![Item::block("mesh m", mesh), Item::block("trust house", trust)];
    // Those of one network reach each other's pods, and resolve each other's names.
    let together = parts.clusters > 1 && !parts.machines && random.percent(15);
    let network = |cluster: usize| if together && cluster == 1 { 0 } else { cluster };
    items.extend(
        (0..parts.clusters)
            .filter(|one| network(*one) == *one)
            .map(|one| Item::line(format!("network n{one} {{}}"))),
    );
    if random.percent(30) {
        items.extend(links(parts.clusters, network));
    }
    for cluster in 0..parts.clusters {
        let mut inside = settings(cluster, parts, together, random);
        inside.insert(0, Item::line(format!("network = n{}", network(cluster))));
        inside.extend(gateways(cluster, parts, random));
        items.push(Item::block(format!("cluster c{cluster}"), inside));
    }
    items
}

/// A way between each two networks, none as long or as dear as another one.
fn links(clusters: usize, network: impl Fn(usize) -> usize) -> Vec<Item> {
    let mut items = Vec::new();
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        if other < clusters && network(one) == one && network(other) == other {
            let (latency, cost) = (10 * (other + 2 * one), 7 - other - 2 * one);
            items.push(Item::line(format!(
                "link {{ between = [n{one}, n{other}], latency = {latency}ms, cost = {cost} }}"
            )));
        }
    }
    items
}

fn settings(number: usize, parts: &Parts, together: bool, random: &mut Random) -> Vec<Item> {
    let mut items = vec![Item::line(format!("region = \"r{number}\""))];
    let machines = parts.machines && number + 1 == parts.clusters;
    if machines {
        items.push(Item::line("platform = machines"));
    } else {
        if together || random.percent(5) {
            items.push(Item::line(format!("domain = \"c{number}.example\"")));
        }
        if random.percent(5) {
            items.push(Item::line("kubernetes = \"1.32\""));
        }
        if parts.loopback && random.percent(80) {
            items.push(Item::line("network_policy = none"));
        }
        if random.percent(8) {
            items.push(Item::line(random.of(&["ip_family = dual", "ip_family = ipv4"])));
        }
    }
    if random.percent(10) {
        items.push(Item::line("zone = \"a\""));
    }
    // What runs there alone would not be reached.
    let elsewhere = |service: &Service| service.clusters.iter().any(|cluster| *cluster != number);
    if parts.services.iter().all(elsewhere) && random.percent(15) {
        items.push(Item::line(random.of(&["state = draining", "state = joining", "state = active"])));
    }
    if random.percent(8) {
        items.push(Item::line(format!("trust_domain = \"t{number}.example\"")));
    }
    if random.percent(5) {
        items.push(Item::line("data_plane = envoy"));
    }
    items
}

fn gateways(number: usize, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(ingress) = parts.ingresses.iter().find(|ingress| ingress.cluster == number) {
        items.push(self::ingress(ingress, random));
    }
    if parts.clusters > 1 {
        items.push(Item::line(format!("gateway ew {{ role = east_west, address = 10.0.{number}.2 }}")));
    }
    if number == 0 && parts.externals.iter().any(|external| external.through) {
        items.push(Item::line("gateway out { role = egress, address = 10.0.0.3 }"));
    }
    items
}

fn ingress(ingress: &Ingress, random: &mut Random) -> Item {
    let number = ingress.cluster;
    let mut items = vec![
        Item::line("role = ingress"),
        Item::line(match random.percent(10) {
            true => format!("addresses = [10.0.{number}.1, \"in{number}.example\"]"),
            false => format!("address = 10.0.{number}.1"),
        }),
        Item::line("port http { number = 80 }"),
    ];
    items.extend(ingress.doors.iter().map(|door| Item::line(of_door(*door))));
    if random.percent(15) {
        items.push(Item::line(format!("trusted_hops = {}", 1 + random.below(2))));
    }
    if random.percent(10) {
        items.push(Item::line(format!("account = \"edge{number}\"")));
    }
    if random.percent(10) {
        items.push(Item::line(random.of(&[
            "replicas = 3",
            "autoscale { min_replicas = 2, max_replicas = 4, cpu = 60%, memory = 70% }",
        ])));
    }
    if random.percent(10) {
        items.push(Item::line(random.of(&[
            "service { class = \"example.org/internal\", annotations = { \"example.org/scheme\" = \"internal\" }, external_traffic = local, sources = [203.0.113.0/24] }, labels = { tier = \"edge\" }, annotations = { note = \"x\" }",
            "service { type = node_port }",
        ])));
    }
    if random.percent(10) {
        items
            .push(Item::line("resources { cpu = 0.5, cpu_limit = 2, memory = 256MiB, memory_limit = 1GiB }"));
    }
    Item::block("gateway in", items)
}

fn of_door(door: Door) -> String {
    let number = door.number();
    match door {
        Door::Second => format!("port second {{ number = {number}, node_port = 30080 }}"),
        Door::Tls => format!(
            "port https {{ number = {number}, tls {{ secret = \"all-tls\", minimum_version = tls13, alpn = [http2, http1] }} }}"
        ),
        Door::Several => format!(
            "port several {{ number = {number}, tls {{ secret = \"all-tls\", certificate {{ secret = \"one-tls\", hosts = [\"h0.example\", \"*.wild.example\"] }} }} }}"
        ),
        Door::Mutual => format!(
            "port mutual {{ number = {number}, tls {{ secret = \"all-tls\", client_ca = \"partners\", client_certificate = optional }} }}"
        ),
        Door::Proxied => format!("port proxied {{ number = {number}, proxy_protocol = true }}"),
        Door::Old => format!("port old {{ number = {number}, http10 {{ default_host = \"h0.example\" }} }}"),
        Door::Bytes => format!("port bytes {{ number = {number}, protocol = tcp }}"),
        Door::Passes => format!("port passes {{ number = {number}, protocol = tls }}"),
    }
}
