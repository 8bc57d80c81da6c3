//! Routes and what stands in them.

use mesh_tests::random::Random;

use crate::meshes::{Parts, Service};
use crate::text::Item;
use crate::words;

/// The route for the calls to a service, if it has one.
pub(crate) fn of_calls(service: &Service, name: &str, parts: &Parts, random: &mut Random) -> Option<Item> {
    if !random.percent(45) {
        return None;
    }
    let mut inside = vec![Item::line(format!("callee = {name}"))];
    if random.percent(30) {
        let calling = parts.clients.iter().filter(|client| client.calls.contains(&service.name));
        let names: Vec<String> = calling.map(|client| client.name.clone()).collect();
        if !names.is_empty() {
            inside.push(Item::list("from", random.some(&names)));
        }
    }
    inside.extend(rules(Some(service), parts, random));
    Some(Item::block(format!("route calls-{name}"), inside))
}

/// The routes of one ingress gateway.
pub(crate) fn of_gateway(cluster: usize, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let hosts: [&[&str]; 4] =
        [&["\"h0.example\""], &["\"*.wild.example\""], &["\"h1.example\"", "\"x.wild.example\""], &["\"*\""]];
    let mut items = Vec::new();
    for (number, hosts) in hosts.into_iter().enumerate() {
        if number > 0 && !random.percent(40) {
            continue;
        }
        let mut inside =
            vec![Item::line(format!("gateway = c{cluster}.in")), Item::list("hosts", hosts.to_vec())];
        inside.extend(rules(None, parts, random));
        items.push(Item::block(format!("route in-{cluster}-{number}"), inside));
    }
    items
}

/// Some rules, the last of which may take everything.
fn rules(callee: Option<&Service>, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let count = 1 + random.below(4);
    let mut items: Vec<Item> = (0..count).map(|_| rule(callee, true, parts, random)).collect();
    if random.percent(50) {
        items.push(rule(callee, false, parts, random));
    }
    items
}

fn rule(callee: Option<&Service>, matches: bool, parts: &Parts, random: &mut Random) -> Item {
    let mut inside = Vec::new();
    let mut prefix = None;
    if matches {
        // A prefix that is rewritten needs one that is matched.
        if random.percent(25) {
            let matched = path(random);
            prefix = Some(matched);
            inside.push(Item::line(format!("match {{ prefix = \"{matched}\" }}")));
        } else {
            for _ in 0..1 + random.below(2) {
                inside.push(matching(false, random));
            }
        }
    }
    if random.percent(10) {
        inside.push(redirect(prefix.is_some(), random));
        inside.extend(headers("response_headers", "x-out", random));
        return Item::block("rule", inside);
    }
    if random.percent(10) {
        let status = random.of(&["200", "204", "401", "404", "503"]);
        let body = if status == "204" { "" } else { ", body = \"said\"" };
        inside.push(Item::line(format!("respond {{ status = {status}{body} }}")));
        inside.extend(headers("response_headers", "x-out", random));
        return Item::block("rule", inside);
    }
    let destinations = destinations(callee, parts, random);
    let several = destinations.len() > 1;
    inside.extend(destinations);
    if random.percent(15) {
        inside.push(rewrite(prefix.is_some(), random));
    }
    inside.extend(headers("request_headers", "x-in", random));
    inside.extend(headers("response_headers", "x-out", random));
    if random.percent(10) {
        let copies = &parts.services[random.below(parts.services.len())];
        inside.push(Item::line(format!("mirror {{ to = {} }}", copies.name)));
    }
    if !several && random.percent(10) {
        inside.push(Item::line(random.of(&["timeout = none", "timeout = 5s"])));
    }
    if !several && random.percent(15) {
        inside.push(retry(random));
    }
    Item::block("rule", inside)
}

fn destinations(callee: Option<&Service>, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut to = || match callee {
        Some(callee) if random.percent(50) => callee,
        Some(_) | None => &parts.services[random.below(parts.services.len())],
    };
    let (first, second) = (to(), to());
    let [one, other] = [first, second].map(|service| service.destination(random));
    // Whether a request is bounded in time by default depends on the protocol, and must be the same for both.
    if random.percent(70) || one == other || first.is_grpc() != second.is_grpc() {
        return vec![Item::line(format!("to = {one}"))];
    }
    // The two may have different policies, of which none holds for both.
    vec![
        Item::line(format!("destination {{ to = {one}, weight = 0 }}")),
        Item::line(format!("destination {{ to = {other}, weight = 3 }}")),
        Item::line("timeout = 5s"),
        retry(random),
    ]
}

fn redirect(has_prefix: bool, random: &mut Random) -> Item {
    let forms = [
        "redirect = https",
        "redirect { host = \"other.example\", status = 301 }",
        "redirect { port = 8443 }",
        "redirect { path = \"/moved\", status = 308 }",
        "redirect { scheme = https, host = \"other.example\", port = 444 }",
        "redirect { prefix = \"/moved\" }",
        "redirect { prefix = \"/\", status = 307 }",
    ];
    Item::line(forms[random.below(if has_prefix { 7 } else { 5 })])
}

fn rewrite(has_prefix: bool, random: &mut Random) -> Item {
    let forms = [
        "rewrite { host = \"inner.example\" }",
        "rewrite { path = \"/whole\" }",
        "rewrite { regex = \"/(a|items)/(.*)\", substitution = \"/\\\\2/\\\\1\" }",
        "rewrite { prefix = \"/\" }",
        "rewrite { prefix = \"/x/y\" }",
    ];
    Item::line(forms[random.below(if has_prefix { 5 } else { 3 })])
}

fn headers(word: &str, name: &str, random: &mut Random) -> Option<Item> {
    if !random.percent(15) {
        return None;
    }
    let mut inside = Vec::new();
    if random.percent(50) {
        inside.push(Item::line(format!("set = {{ {name}-set = \"1\" }}")));
    }
    if random.percent(50) {
        inside.push(Item::line(format!("add = {{ {name}-add = \"2\", x-tier = \"added\" }}")));
    }
    if inside.is_empty() || random.percent(30) {
        inside.push(Item::list("remove", ["\"x-user\""]));
    }
    Some(Item::block(word, inside))
}

/// Which failed requests are sent again.
pub(crate) fn retry(random: &mut Random) -> Item {
    let when = ["5xx", "500", "503", "connect_failure", "reset", "unavailable", "internal"].map(String::from);
    let mut inside = vec![Item::line(format!("attempts = {}", random.below(3)))];
    if random.percent(80) {
        inside.push(Item::list("when", random.some(&when)));
    }
    if random.percent(60) {
        inside.push(Item::line("other_localities = true"));
    }
    if random.percent(30) {
        inside.push(Item::list("methods", ["\"GET\"", "\"POST\""]));
    }
    Item::block("retry", inside)
}

/// A condition, or several that hold at once. Where it refuses, prefixes must be whole segments.
pub(crate) fn matching(refuses: bool, random: &mut Random) -> Item {
    let mut inside = Vec::new();
    match random.below(7) {
        0 => inside.push(Item::line(format!("path = \"{}\"", path(random)))),
        1 => inside.push(Item::line(format!("prefix = \"{}\"", path(random)))),
        2 => {
            let paths = words::PATHS.map(|path| format!("\"{path}\""));
            inside.push(Item::list("paths", random.some(&paths)));
        }
        3 if !refuses => inside.push(Item::line(format!("starts_with = \"{}\"", path(random)))),
        4 => inside.push(Item::line(format!("regex = \"{}\"", random.of(&words::EXPRESSIONS)))),
        5 => inside.push(Item::line("grpc { service = \"shop.Cart\" }")),
        _ => {}
    }
    let by_text = matches!(inside.first(), Some(Item::Line(line)) if line.starts_with("path") || line.starts_with("prefix"));
    if by_text && random.percent(20) {
        inside.push(Item::line("ignore_case = true"));
    }
    if inside.is_empty() || random.percent(25) {
        let methods = words::METHODS.map(|method| format!("\"{method}\""));
        match random.below(4) {
            0 => inside.push(Item::list("methods", random.some(&methods))),
            1 => {
                let (name, value) = words::HEADERS[random.below(words::HEADERS.len())];
                let form = random.of(&["exact", "prefix"]);
                let not = random.of(&["", "", ", not = true"]);
                inside.push(Item::line(format!("header {name} {{ {form} = \"{value}\"{not} }}")));
            }
            2 => inside.push(Item::line(random.of(&[
                "cookie user { exact = \"jason\" }",
                "cookie session {}",
                "cookie user { not = true }",
            ]))),
            _ => inside.push(Item::line(random.of(&[
                "query v { exact = \"1\" }",
                "query debug {}",
                "query v { prefix = \"2\", not = true }",
            ]))),
        }
    }
    Item::block("match", inside)
}

fn path(random: &mut Random) -> &'static str {
    random.of(&words::PATHS)
}
