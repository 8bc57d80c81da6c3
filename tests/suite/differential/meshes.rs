//! A mesh of a seed: valid as a rule, and with much of what the language can say.
//!
//! What depends on chance or on time is left out: of weights only one is above 0, shares are whole, limits are of hours,
//! and nothing is ejected.

use mesh_tests::random::Random;

use crate::routes;
use crate::text::Item;

/// What the mesh consists of, for those who name parts of it.
pub(crate) struct Parts {
    pub(crate) services: Vec<Service>,
    pub(crate) clients: Vec<Client>,
    pub(crate) ingresses: Vec<usize>,
}

/// A client, which runs in the first cluster.
pub(crate) struct Client {
    /// With its namespace: `shop.c0`.
    pub(crate) name: String,
    pub(crate) calls: Vec<String>,
}

/// A service.
#[derive(Clone)]
pub(crate) struct Service {
    /// With its namespace: `shop.s0`.
    pub(crate) name: String,
    pub(crate) clusters: Vec<usize>,
    pub(crate) subsets: bool,
    pub(crate) calls: Vec<String>,
    protocol: &'static str,
}

impl Service {
    pub(crate) fn is_grpc(&self) -> bool {
        self.protocol == "grpc"
    }

    /// Where rules may send requests: the service, or one of its subsets.
    pub(crate) fn destination(&self, random: &mut Random) -> String {
        match self.subsets && random.percent(60) {
            true => format!("{}.{}", self.name, random.of(&["v1", "v2"])),
            false => self.name.clone(),
        }
    }
}

/// The mesh of a seed, and what it consists of.
pub(crate) fn mesh(random: &mut Random) -> (Vec<Item>, Parts) {
    let clusters = 1 + random.below(3);
    let parts = parts(clusters, random);
    let mut items = vec![
        Item::line(r#"mesh m { trust_domain = "cluster.local", trust = house, data_plane = envoy }"#),
        Item::line("trust house {}"),
    ];
    for cluster in 0..clusters {
        items.push(Item::line(format!("network n{cluster} {{}}")));
        items.push(one_cluster(cluster, clusters, &parts));
    }
    // What is ejected depends on what came before, and when.
    items.push(Item::block("policy calm", vec![Item::line("outlier { enabled = false }")]));
    for namespace in ["shop", "bank"] {
        let inside = namespaced(namespace, &parts, random);
        if !inside.is_empty() {
            items.push(Item::block(format!("namespace {namespace}"), inside));
        }
    }
    (items, parts)
}

fn parts(clusters: usize, random: &mut Random) -> Parts {
    let all: Vec<usize> = (0..clusters).collect();
    let mut services: Vec<Service> = Vec::new();
    for number in 0..2 + random.below(4) {
        let earlier: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
        services.push(Service {
            name: format!("{}.s{number}", if random.percent(75) { "shop" } else { "bank" }),
            clusters: random.some(&all),
            subsets: random.percent(20),
            calls: if earlier.is_empty() || random.percent(60) { Vec::new() } else { random.some(&earlier) },
            protocol: random.of(&["http", "http", "http", "http2", "grpc"]),
        });
    }
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    let client = |number| Client { name: format!("shop.c{number}"), calls: random.some(&names) };
    let clients = (0..2).map(client).collect();
    let ingresses = if random.percent(80) { random.some(&all) } else { Vec::new() };
    Parts { services, clients, ingresses }
}

fn one_cluster(number: usize, clusters: usize, parts: &Parts) -> Item {
    let mut items =
        vec![Item::line(format!("network = n{number}")), Item::line(format!("region = \"r{number}\""))];
    if parts.ingresses.contains(&number) {
        items.push(Item::line(format!(
            "gateway in {{ role = ingress, address = 10.0.{number}.1, port http {{ number = 80 }} }}"
        )));
    }
    if clusters > 1 {
        items.push(Item::line(format!("gateway ew {{ role = east_west, address = 10.0.{number}.2 }}")));
    }
    Item::block(format!("cluster c{number}"), items)
}

/// The name within its namespace, if it is this one.
fn short<'n>(name: &'n str, namespace: &str) -> Option<&'n str> {
    name.strip_prefix(namespace)?.strip_prefix('.')
}

fn namespaced(namespace: &str, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    for service in &parts.services {
        let Some(name) = short(&service.name, namespace) else { continue };
        let mut inside = vec![
            Item::list("clusters", service.clusters.iter().map(|cluster| format!("c{cluster}"))),
            Item::line(format!("port p {{ number = 80, target = 8080, protocol = {} }}", service.protocol)),
        ];
        if !service.calls.is_empty() {
            inside.push(Item::list("calls", &service.calls));
        }
        if service.subsets {
            inside.extend(["subset v1 {}", "subset v2 {}"].map(Item::line));
        }
        items.push(Item::block(format!("service {name}"), inside));
        items.extend(routes::of_calls(service, name, parts, random));
        items.extend(policy(name, parts, random));
    }
    for client in &parts.clients {
        let Some(name) = short(&client.name, namespace) else { continue };
        let inside = vec![Item::list("clusters", ["c0"]), Item::list("calls", &client.calls)];
        items.push(Item::block(format!("client {name}"), inside));
    }
    if namespace == "shop" {
        for cluster in &parts.ingresses {
            items.extend(routes::of_gateway(*cluster, parts, random));
        }
    }
    items
}

/// Settings of one service, if it has any.
fn policy(name: &str, parts: &Parts, random: &mut Random) -> Option<Item> {
    let mut inside = vec![Item::list("targets", [name])];
    if random.percent(25) {
        inside.push(routes::retry(random));
    }
    if random.percent(10) {
        inside.push(Item::line(random.of(&["timeout { request = 5s }", "timeout { request = none }"])));
    }
    if random.percent(10) {
        inside.push(Item::line("failover { enabled = false }"));
    }
    if random.percent(25) {
        // A declared call that nothing admits would be an error: everybody may make some requests, and some may make all.
        inside.push(Item::block(
            "allow",
            vec![Item::list("from", everybody(parts)), routes::matching(true, random)],
        ));
        if random.percent(60) {
            inside.push(Item::block("allow", vec![Item::list("from", random.some(&everybody(parts)))]));
        }
    }
    if random.percent(20) {
        let from = Item::list("from", random.some(&everybody(parts)));
        inside.push(Item::block("deny", vec![from, routes::matching(true, random)]));
    }
    if random.percent(15) {
        let rate = 1 + random.below(4);
        let mut limit = vec![Item::line("scope = pod")];
        if random.percent(50) {
            limit.push(Item::line("header = \"x-tier\""));
            limit.push(Item::line(format!("tiers = {{ gold = {rate}/h }}")));
        } else {
            limit.push(Item::line(format!("otherwise = {rate}/h")));
        }
        inside.push(Item::block("rate_limit", limit));
    }
    if random.percent(10) {
        inside.push(Item::line(format!("balance {{ by = {} }}", random.of(&["least_request", "random"]))));
    }
    (inside.len() > 1).then(|| Item::block(format!("policy p-{name}"), inside))
}

/// All clients, services and ingress gateways.
fn everybody(parts: &Parts) -> Vec<String> {
    let mut names: Vec<String> = parts.services.iter().map(|service| service.name.clone()).collect();
    names.extend(parts.clients.iter().map(|client| client.name.clone()));
    names.extend(parts.ingresses.iter().map(|cluster| format!("c{cluster}.in")));
    names
}
