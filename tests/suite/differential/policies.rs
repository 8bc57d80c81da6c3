//! Policies: of services and subsets, of routes, of gateways, of a namespace and of the mesh.

use mesh_tests::random::Random;

use crate::meshes::{Door, Ingress, Parts, Service};
use crate::text::Item;
use crate::{filters, limits, matches};

/// Settings of one service, if it has any.
pub(crate) fn of_service(service: &Service, name: &str, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut inside = Vec::new();
    if !service.is_tcp() {
        if random.percent(20) {
            inside.push(filters::retry(random));
        }
        if random.percent(15) {
            inside.push(limits::one(parts, random));
        }
        inside.extend(admission(service, parts, random));
    } else if random.percent(25) {
        inside.push(Item::block("allow", vec![Item::list("from", parts.everybody())]));
    }
    inside.extend(of_endpoints(service, random));
    let mut items = Vec::new();
    if !inside.is_empty() {
        inside.insert(0, Item::list("targets", [name]));
        items.push(Item::block(format!("policy p-{name}"), inside));
    }
    if service.subsets && random.percent(25) {
        let inside =
            vec![Item::list("targets", [format!("{name}.v1")]), Item::line("balance { by = least_request }")];
        items.push(Item::block(format!("policy v-{name}"), inside));
    }
    items
}

/// How its endpoints are chosen and judged.
fn of_endpoints(service: &Service, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    if !service.is_tcp() && random.percent(12) {
        items.push(Item::line(
            random.of(&["timeout { request = 5s, idle = 1m }", "timeout { request = none, idle = 1m }"]),
        ));
    }
    if service.shares || random.percent(12) {
        let share =
            |cluster: &usize| format!("c{cluster} = {}", usize::from(service.clusters[0] == *cluster));
        let shares = service.clusters.iter().map(share);
        items.push(Item::line(match if service.shares { 4 } else { random.below(4) } {
            0 => String::from("failover { enabled = false }"),
            1 => String::from("failover { by = [latency] }"),
            2 => String::from("failover { by = [cost, zone] }"),
            3 => String::from("failover { spill = true }"),
            _ => format!("failover {{ locality = {{ {} }} }}", shares.collect::<Vec<_>>().join(", ")),
        }));
    }
    // Of several pods a hash chooses one, and the two data planes need not agree on which.
    let hash = !service.is_tcp() && !service.subsets;
    if random.percent(15) {
        let by = [
            "by = least_request",
            "by = random",
            "by = round_robin, slow_start = 2s",
            "by = hash { header = \"x-user\" }",
            "by = hash { cookie = \"session\", ttl = 10m }",
            "by = hash { query = \"v\" }",
            "by = hash { source = true }",
        ];
        items.push(Item::line(format!("balance {{ {} }}", by[random.below(if hash { 7 } else { 3 })])));
    }
    if random.percent(8) {
        let check = match service.protocol {
            "tcp" => random.of(&["tcp {}", "tcp { send = \"x\", receive = \"x\" }"]),
            "grpc" => {
                random.of(&["grpc {}", "grpc { service = \"shop.Api\" }", "http { path = \"/healthz\" }"])
            }
            _ => random.of(&["http { path = \"/healthz\" }", "none"]),
        };
        let pace =
            if check == "none" { "" } else { ", interval = 100ms, timeout = 5s, unhealthy = 1, healthy = 1" };
        items.push(Item::line(format!("health {{ check = {check}{pace} }}")));
    }
    if random.percent(12) {
        items.push(outlier(service, random));
    }
    if random.percent(12) {
        let bounds = [
            "connect_timeout = 5s, max_connections = 100",
            "requests_per_connection = 1",
            "requests_per_connection = 10, max_pending_requests = 100, max_concurrent_requests = 100",
            "retry_budget = 50%, min_concurrent_retries = 5",
        ];
        let bounds = bounds[random.below(if service.is_tcp() { 1 } else { 4 })];
        items.push(Item::line(format!("pool {{ {bounds} }}")));
    }
    items
}

/// Counts that no mesh of this size reaches.
fn outlier(service: &Service, random: &mut Random) -> Item {
    let what = [
        "consecutive_gateway_errors = 100000",
        "consecutive_5xx = 100000",
        "failures = [418, 5xx], consecutive_failures = 100000",
        "failures = [5xx], failure_percentage = 50%, min_requests = 100000",
        "success_deviation = 1.9, min_endpoints = 5, min_requests = 100000",
    ];
    let what = what[random.below(if service.is_tcp() { 1 } else { 5 })];
    let share = random.of(&["", ", max_ejected = 50%"]);
    Item::line(format!("outlier {{ enabled = true, {what}, interval = 1h, ejection = 1h{share} }}"))
}

/// A gateway that asks clients for certificates.
fn knowing(parts: &Parts) -> Option<&Ingress> {
    parts.ingresses.iter().find(|ingress| ingress.doors.contains(&Door::Mutual))
}

/// Who may call.
fn admission(service: &Service, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let everybody = parts.everybody();
    let mut items = Vec::new();
    if random.percent(25) {
        // A declared call that nothing admits would be an error: everybody may make some requests, and some may make all.
        items.push(Item::block("allow", vec![Item::list("from", &everybody), matches::one(true, random)]));
        if random.percent(60) {
            let mut inside = vec![Item::list("from", from(service, parts, random))];
            inside.extend(narrower(random));
            items.push(Item::block("allow", inside));
        }
        if let Some(ingress) = knowing(parts) {
            let (gateway, clients) = (
                Item::list("from", [format!("c{}.in", ingress.cluster)]),
                "clients = [\"spiffe://client.example/part*\", \"other.example\"]",
            );
            items.push(Item::block("allow", vec![gateway, Item::line(clients)]));
        }
    }
    if random.percent(20) {
        let mut from = from(service, parts, random);
        if service.permissive && from != ["unauthenticated"] {
            // Whoever is refused by name could come without one.
            from.push(String::from("unauthenticated"));
        }
        let mut inside = vec![Item::list("from", from), matches::one(true, random)];
        inside.extend(narrower(random));
        items.push(Item::block("deny", inside));
    }
    if let Some(ingress) = knowing(parts).filter(|_| random.percent(25)) {
        let from = Item::list("from", [format!("c{}.in", ingress.cluster)]);
        let clients = Item::line("clients = [\"client.example\"]");
        items.push(Item::block("deny", vec![from, clients, matches::one(true, random)]));
    }
    if random.percent(6) {
        let word = random.of(&["allow", "deny"]);
        let inside = vec![
            Item::list("from", random.some(&everybody)),
            matches::one(true, random),
            Item::line("mode = audit"),
        ];
        items.push(Item::block(word, inside));
    }
    items
}

fn from(service: &Service, parts: &Parts, random: &mut Random) -> Vec<String> {
    match random.below(6) {
        0 => vec![String::from("everyone")],
        1 => vec![String::from("shop")],
        2 if service.permissive => vec![String::from("unauthenticated")],
        _ => random.some(&parts.everybody()),
    }
}

/// What else a rule may ask for. Everything on this machine is at 127.0.0.0/8 or ::1, and nothing at 10.0.0.0/8.
fn narrower(random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    for (chance, line) in [
        (15, "hosts = [\"any.example\", \"*.wild.example\", \"s0.shop\"]"),
        (10, "ports = [\"p\"]"),
        (8, "addresses = [127.0.0.0/8, ::1]"),
        (4, "addresses = [10.0.0.0/8]"),
    ] {
        if random.percent(chance)
            && !(line.starts_with("addresses")
                && items.iter().any(|item| matches!(item, Item::Line(line) if line.starts_with("addresses"))))
        {
            items.push(Item::line(line));
        }
    }
    if random.percent(20) {
        let inside = match random.below(5) {
            0 => vec![Item::line("from = [shop.c0]")],
            1 => vec![Item::line("hosts = [\"any.example\"]")],
            2 => vec![Item::line("ports = [\"p\"]"), matches::one(true, random)],
            3 => vec![Item::line("addresses = [127.0.0.0/8]"), matches::one(true, random)],
            _ => vec![matches::one(true, random)],
        };
        items.push(Item::block("except", inside));
    }
    items
}

/// Those of routes, gateways, the namespace and the mesh.
pub(crate) fn of_the_rest(parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    // A limit of a pod counts each certificate by itself on Envoy, which the reference says.
    let ingress = parts.ingresses.iter().find(|ingress| !ingress.doors.contains(&Door::Several));
    if let Some(ingress) = ingress {
        let cluster = ingress.cluster;
        if random.percent(15) {
            let inside = vec![Item::line(format!("gateways = [c{cluster}.in]")), limits::one(parts, random)];
            items.push(Item::block("policy at-gateway", inside));
        }
        if random.percent(20) {
            let mut inside = vec![Item::line(format!("routes = [in-{cluster}-0]"))];
            match random.below(3) {
                0 => inside.push(limits::one(parts, random)),
                1 => inside.push(filters::retry(random)),
                _ => inside.push(Item::line("timeout { request = 5s, idle = 1m }")),
            }
            items.push(Item::block("policy of-route", inside));
        }
    }
    if random.percent(15) {
        items.push(Item::block("policy of-shop", vec![filters::retry(random)]));
    }
    items
}
