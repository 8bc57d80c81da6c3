//! Routes and their rules.

use mesh_tests::random::Random;

use crate::meshes::{Door, Ingress, Parts, Service};
use crate::text::{Item, written};
use crate::{filters, matches};

/// The route for the calls to a service, if it has one.
pub(crate) fn of_calls(service: &Service, name: &str, parts: &Parts, random: &mut Random) -> Option<Item> {
    if !random.percent(45) {
        return None;
    }
    let port = if service.second || random.percent(10) { ".p" } else { "" };
    let mut inside = vec![match random.percent(15) {
        true => Item::list("callees", [format!("{name}{port}")]),
        false => Item::line(format!("callee = {name}{port}")),
    }];
    if random.percent(30) {
        let calling = parts.clients.iter().filter(|client| client.calls.contains(&service.name));
        let names: Vec<String> = calling.map(|client| client.name.clone()).collect();
        if !names.is_empty() {
            inside.push(Item::list("from", random.some(&names)));
        }
    }
    if service.is_tcp() {
        inside.extend(of_connections(parts, random));
    } else if random.percent(25) {
        inside.extend(rule(Some(service), random.percent(60), parts, random));
    } else {
        inside.extend(rules(Some(service), parts, random));
    }
    Some(Item::block(format!("route calls-{name}"), inside))
}

/// Where connections go.
fn of_connections(parts: &Parts, random: &mut Random) -> Vec<Item> {
    let tcp: Vec<&Service> = parts.services.iter().filter(|service| service.is_tcp()).collect();
    let mut to = || tcp[random.below(tcp.len())].destination(random);
    let (one, other) = (to(), to());
    if one == other || random.percent(60) {
        return vec![Item::line(format!("to = {one}"))];
    }
    vec![
        Item::line(format!("destination {{ to = {one}, weight = 0 }}")),
        Item::line(format!("destination {{ to = {other} }}")),
    ]
}

/// The routes of all ingress gateways.
pub(crate) fn of_gateways(parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    for ingress in &parts.ingresses {
        items.extend(of_gateway(ingress, parts, random));
        items.extend(of_doors(ingress, parts, random));
    }
    if parts.ingresses.is_empty() {
        return items;
    }
    let mut shared = |head: Item, name: &str, random: &mut Random| {
        let mut inside = vec![head, Item::list("hosts", [format!("\"{name}.example\"")])];
        inside.extend(rule(None, random.percent(50), parts, random));
        items.push(Item::block(format!("route {name}"), inside));
    };
    if random.percent(15) {
        shared(Item::line("every_gateway = \"in\""), "every", random);
    }
    if random.percent(15) {
        let names = parts.ingresses.iter().map(|ingress| format!("c{}.in.http", ingress.cluster));
        shared(Item::list("gateways", names), "both", random);
    }
    items
}

fn of_gateway(ingress: &Ingress, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let cluster = ingress.cluster;
    let hosts: [&[&str]; 4] =
        [&["\"h0.example\""], &["\"*.wild.example\""], &["\"h1.example\"", "\"x.wild.example\""], &["\"*\""]];
    let mut items = Vec::new();
    for (number, hosts) in hosts.into_iter().enumerate() {
        if number > 0 && !random.percent(35) {
            continue;
        }
        let mut inside =
            vec![Item::line(format!("gateway = c{cluster}.in")), Item::list("hosts", hosts.to_vec())];
        if number > 0 && random.percent(25) {
            inside.extend(rule(None, random.percent(50), parts, random));
        } else {
            inside.extend(rules(None, parts, random));
        }
        items.push(Item::block(format!("route in-{cluster}-{number}"), inside));
    }
    items
}

/// Those of the ports that take connections.
fn of_doors(ingress: &Ingress, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let cluster = ingress.cluster;
    let mut items = Vec::new();
    if ingress.doors.contains(&Door::Bytes) && parts.services.iter().any(Service::is_tcp) {
        let mut inside = vec![Item::line(format!("gateway = c{cluster}.in.bytes"))];
        inside.extend(of_connections(parts, random));
        items.push(Item::block(format!("route bytes-{cluster}"), inside));
    }
    let passing = parts.externals.iter().find(|external| external.passes());
    if let Some(external) = passing.filter(|_| ingress.doors.contains(&Door::Passes)) {
        items.push(Item::block(
            format!("route passes-{cluster}"),
            vec![
                Item::line(format!("gateway = c{cluster}.in.passes")),
                Item::list("hosts", [format!("\"{}\"", external.hosts[0])]),
                Item::line(format!("to = {}.tls", external.name)),
            ],
        ));
    }
    items
}

/// Some rules, the last of which may take everything.
fn rules(callee: Option<&Service>, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let count = 1 + random.below(4);
    let mut items: Vec<Item> =
        (0..count).map(|_| Item::block("rule", rule(callee, true, parts, random))).collect();
    if random.percent(50) {
        items.push(Item::block("rule", rule(callee, false, parts, random)));
    }
    items
}

/// What a rule consists of, and a route without rules.
fn rule(callee: Option<&Service>, conditional: bool, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut inside = Vec::new();
    let mut prefix = false;
    if conditional {
        // A prefix that is rewritten needs one that is matched.
        if random.percent(25) {
            prefix = true;
            inside.push(Item::line(format!("match {{ prefix = \"{}\" }}", matches::path(random))));
        } else {
            for _ in 0..1 + random.below(2) {
                inside.push(matches::one(false, random));
            }
        }
    }
    if random.percent(10) {
        inside.push(filters::redirect(prefix, random));
        inside.extend(filters::of_any(random));
        return inside;
    }
    if random.percent(10) {
        inside.push(filters::respond(random));
        inside.extend(filters::of_any(random));
        return inside;
    }
    if callee.is_none()
        && random.percent(12)
        && let Some(external) = parts.externals.first()
    {
        inside.push(Item::line(format!("to = {}.http", external.name)));
        inside.push(Item::line(format!("rewrite {{ host = \"{}\" }}", external.hosts[0])));
        inside.extend(filters::of_any(random));
        return inside;
    }
    let destinations = destinations(callee, parts, random);
    let several = destinations.len() > 1;
    inside.extend(destinations);
    if random.percent(15) {
        inside.push(filters::rewrite(prefix, random));
    }
    inside.extend(filters::headers("request_headers", "x-in", random));
    inside.extend(filters::of_any(random));
    inside.extend(copies(&inside, parts, random));
    if !several && random.percent(10) {
        inside.push(Item::line(random.of(&["timeout = none", "timeout = 5s"])));
    }
    if !several && random.percent(15) {
        inside.push(filters::retry(random));
    }
    if random.percent(8) {
        inside.push(Item::line("upgrade = []"));
    }
    inside
}

/// Copies to a service that gets nothing else of the rule, so that it is seen which attempt a request is. Of a copy it is not
/// known which client it is.
fn copies(rule: &[Item], parts: &Parts, random: &mut Random) -> Option<Item> {
    if parts.knows_clients() || !random.percent(12) {
        return None;
    }
    let text = written(rule);
    let to = parts.any_web(random);
    let share = random.of(&["", ", share = 100%", ", share = 0%"]);
    (!text.contains(&to.name))
        .then(|| Item::line(format!("mirror {{ to = {}{share} }}", to.destination(random))))
}

fn destinations(callee: Option<&Service>, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut to = || match callee {
        Some(callee) if random.percent(50) => callee,
        Some(_) | None => parts.any_web(random),
    };
    let (first, second) = (to(), to());
    if first.subsets && !first.shares && random.percent(25) {
        // Which of the two is drawn does not count. Where a request is sent again differs then, which the reference says.
        let port = if first.second { ".p" } else { "" };
        let to = |subset: &str| Item::line(format!("destination {{ to = {}.{subset}{port} }}", first.name));
        let rest = ["failover = destinations", "retry { attempts = 0 }"].map(Item::line);
        return [to("v1"), to("v2")].into_iter().chain(rest).collect();
    }
    let [one, other] = [first, second].map(|service| service.destination(random));
    // Whether a request is bounded in time by default depends on the protocol, and must be the same for both. Where clusters
    // have shares, destinations have none.
    if first.shares
        || second.shares
        || random.percent(70)
        || one == other
        || first.is_grpc() != second.is_grpc()
    {
        return vec![Item::line(format!("to = {one}"))];
    }
    // The two may have different policies, of which none holds for both.
    let mut items = vec![
        Item::line(format!("destination {{ to = {one}, weight = 0 }}")),
        Item::line(format!("destination {{ to = {other}, weight = 3 }}")),
        Item::line("timeout = 5s"),
    ];
    items.push(filters::retry(random));
    items
}
