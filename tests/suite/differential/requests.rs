//! The requests of a seed, and the failures between them.

use mesh_tests::random::Random;
use mesh_tests::raw::Http2;

use crate::meshes::{Door, Parts, Service};
use crate::{wire, words};

/// How many requests a mesh gets.
const REQUESTS: usize = 50;

/// Something that is done to both meshes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A request, sent to what the environment calls by this name.
    Ask { variable: String, sent: Sent },
    /// The application of a service fails in a cluster from now on, or a host outside at an address.
    Fail { service: String, place: String, how: &'static str },
    /// And no longer.
    Heal { service: String, place: String },
}

/// A request, or bytes.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// HTTP/1.1, as it is sent, perhaps after a line of the PROXY protocol.
    Http1(Vec<u8>),
    /// HTTP/2.
    Http2(Http2),
    /// A call of gRPC, with some headers.
    Grpc { host: String, path: String, headers: Vec<(&'static str, &'static str)> },
    /// A WebSocket, asked for over HTTP/1.1, and one message.
    WebSocket { host: String, path: String },
    /// Bytes, and the end of them.
    Bytes(&'static [u8]),
    /// A request over TLS for a host, with these arguments of curl; `show` is whose certificate the client shows.
    Tls { host: String, path: String, arguments: Vec<String>, show: Option<String> },
}

impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Ask { variable, sent } => write!(out, "{variable} {sent}"),
            Step::Fail { service, place, how } => {
                write!(out, "meshc fail {service} --in {place} --how {how}")
            }
            Step::Heal { service, place } => write!(out, "meshc heal {service} --in {place}"),
        }
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sent::Http1(bytes) => write!(out, "{}", bytes.escape_ascii()),
            Sent::Http2(request) => {
                write!(out, "h2")?;
                for (name, value) in &request.headers {
                    write!(out, " {}={}", name.escape_ascii(), value.escape_ascii())?;
                }
                write!(out, ", {} bytes", request.body.as_ref().map_or(0, Vec::len))
            }
            Sent::Grpc { host, path, headers } => write!(out, "grpc {host} {path} {headers:?}"),
            Sent::WebSocket { host, path } => write!(out, "websocket {host} {path}"),
            Sent::Bytes(bytes) => write!(out, "bytes {}", bytes.escape_ascii()),
            Sent::Tls { host, path, arguments, show } => {
                write!(out, "tls {host} {path} {arguments:?}, shows {show:?}")
            }
        }
    }
}

/// What is spoken at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speech {
    Requests,
    Proxied,
    Old,
    Bytes,
    Tls,
    /// The client shows a certificate if it likes.
    Mutual,
}

/// Where requests may be sent, and hosts that fit there.
struct Place {
    variable: String,
    speech: Speech,
    hosts: Vec<String>,
}

fn part(name: &str) -> String {
    name.to_ascii_uppercase().replace(['.', '-'], "_")
}

fn places(parts: &Parts) -> Vec<Place> {
    let mut places = Vec::new();
    for client in &parts.clients {
        places.extend(calls(0, &client.name, &client.calls, parts));
    }
    for service in &parts.services {
        places.extend(calls(service.clusters[0], &service.name, &service.calls, parts));
    }
    let permissive = |service: &&Service| service.permissive && !service.subsets && !service.second;
    for service in parts.services.iter().filter(permissive) {
        let cluster = service.clusters[0];
        let speech = if service.is_tcp() { Speech::Bytes } else { Speech::Requests };
        let variable = format!("MESH_INBOUND_C{cluster}_SIDECARS_{}", part(&service.name));
        places.push(Place { variable, speech, hosts: vec![String::from("any.example")] });
    }
    let known = [
        "h0.example",
        "h1.example",
        "x.wild.example",
        "a.b.wild.example",
        "wild.example",
        "H0.Example:8080",
        "every.example",
        "both.example",
    ];
    for ingress in &parts.ingresses {
        let gateway = format!("MESH_GATEWAY_C{}_IN", ingress.cluster);
        // Twice, since most rules are at gateways.
        for _ in 0..2 {
            let (variable, hosts) = (format!("{gateway}_80"), known.map(String::from).to_vec());
            places.push(Place { variable, speech: Speech::Requests, hosts });
        }
        for door in &ingress.doors {
            let (speech, hosts): (_, &[&str]) = match door {
                Door::Second => (Speech::Requests, &known[..]),
                Door::Proxied => (Speech::Proxied, &known[..3]),
                Door::Old => (Speech::Old, &known[..3]),
                Door::Bytes => (Speech::Bytes, &known[..1]),
                Door::Tls | Door::Several => (Speech::Tls, &known[..5]),
                Door::Mutual => (Speech::Mutual, &known[..3]),
                Door::Passes => (Speech::Tls, &["e0.example", "e1.example", "x.e0.example"]),
            };
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            places.push(Place { variable: format!("{gateway}_{}", door.number()), speech, hosts });
        }
    }
    places
}

/// What an application may call, and by which names.
fn calls(cluster: usize, caller: &str, callees: &[String], parts: &Parts) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |callee: &str, port: u16, protocol: &str, hosts: Vec<String>| {
        let variable = format!("MESH_CALL_C{cluster}_{}__{}_{port}", part(caller), part(callee));
        let speech = match protocol {
            "tcp" => Speech::Bytes,
            "tls" => Speech::Tls,
            _ => Speech::Requests,
        };
        places.push(Place { variable, speech, hosts });
    };
    for callee in callees {
        let (namespace, name) = callee.split_once('.').expect("a namespace and a name");
        if let Some(service) = parts.services.iter().find(|service| service.name == *callee) {
            let hosts = vec![format!("{name}.{namespace}"), String::from("any.example")];
            add(callee, service.number(), service.protocol, hosts.clone());
            if service.second {
                add(callee, 81, "http", hosts);
            }
        } else if let Some(external) = parts.externals.iter().find(|external| external.name == *callee) {
            for (port, protocol) in &external.ports {
                add(callee, *port, protocol, external.hosts.clone());
            }
        }
    }
    places
}

/// All steps.
pub(crate) fn steps(parts: &Parts, random: &mut Random) -> Vec<Step> {
    let places = places(parts);
    let mut steps = Vec::new();
    let mut failing: Vec<(String, String)> = Vec::new();
    for _ in 0..REQUESTS {
        if random.percent(6) {
            let (service, place) = application(parts, random);
            let how = random.of(&["error", "error", "gone"]);
            let how = if fails_over_by_ejection(&service, parts) { "error" } else { how };
            failing.push((service.clone(), place.clone()));
            steps.push(Step::Fail { service, place, how });
        } else if random.percent(6) && !failing.is_empty() {
            let (service, place) = failing.remove(random.below(failing.len()));
            steps.push(Step::Heal { service, place });
        }
        let place = &places[random.below(places.len())];
        let host = &place.hosts[random.below(place.hosts.len())];
        let sent = match place.speech {
            Speech::Requests => request(host, random),
            Speech::Proxied => Sent::Http1(wire::proxied(host, random)),
            Speech::Old => Sent::Http1(wire::old(host, random)),
            Speech::Bytes => Sent::Bytes(random.of(&[&b"x"[..], b"hello\n", b"\x00\xff"])),
            Speech::Tls => wire::over_tls(host, None, random),
            Speech::Mutual => {
                let gateway = place.variable.trim_start_matches("MESH_GATEWAY_").trim_end_matches("_445");
                wire::over_tls(host, random.percent(50).then(|| format!("{gateway}_PARTNERS")), random)
            }
        };
        steps.push(Step::Ask { variable: place.variable.clone(), sent });
    }
    steps
}

/// One that may fail: a service in a cluster, or a host outside at an address.
fn application(parts: &Parts, random: &mut Random) -> (String, String) {
    let which = random.below(parts.services.len() + parts.externals.len());
    if let Some(service) = parts.services.get(which) {
        let cluster = service.clusters[random.below(service.clusters.len())];
        return (service.name.clone(), format!("c{cluster}"));
    }
    let external = &parts.externals[which - parts.services.len()];
    (external.name.clone(), external.places[random.below(external.places.len())].clone())
}

/// Whether connections go elsewhere once endpoints are ejected, which none is here. Until then they fail on Envoy, and find
/// the next locality on meshd: see the reference's table of differences.
fn fails_over_by_ejection(name: &str, parts: &Parts) -> bool {
    let service = parts.services.iter().find(|service| service.name == name);
    let external = parts.externals.iter().find(|external| external.name == name);
    service.is_some_and(|service| service.is_tcp() && service.clusters.len() > 1)
        || external.is_some_and(|external| external.takes_bytes() && external.places.len() > 1)
}

fn request(host: &str, random: &mut Random) -> Sent {
    let path = wire::target(random);
    match random.below(12) {
        0 | 1 => {
            let path = random.of(&["/shop.Cart/Get", "/shop.Cart/Put", "/bank.Ledger/Get", "/a"]);
            let headers = if random.percent(40) { vec![words::HEADERS[random.below(3)]] } else { Vec::new() };
            Sent::Grpc { host: host.to_owned(), path: path.to_owned(), headers }
        }
        2 => Sent::WebSocket { host: host.to_owned(), path },
        3..=5 => Sent::Http2(wire::over_http2(host, &path, random)),
        _ => Sent::Http1(wire::over_http1(host, &path, random)),
    }
}
