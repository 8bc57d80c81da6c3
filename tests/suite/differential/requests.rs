//! The requests of a seed, and the failures between them.

use mesh_tests::random::Random;
use mesh_tests::raw::{Http2, field};

use crate::meshes::Parts;
use crate::words;

/// How many requests a mesh gets.
const REQUESTS: usize = 50;

/// Something that is done to both meshes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A request, sent to what the environment calls by this name.
    Ask { variable: String, sent: Sent },
    /// The application of a service fails in a cluster from now on.
    Fail { service: String, cluster: usize, how: &'static str },
    /// And no longer.
    Heal { service: String, cluster: usize },
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// HTTP/1.1, as it is sent.
    Http1(Vec<u8>),
    /// HTTP/2.
    Http2(Http2),
    /// A call of gRPC, with some headers.
    Grpc { host: String, path: String, headers: Vec<(&'static str, &'static str)> },
}

impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Ask { variable, sent: Sent::Http1(bytes) } => {
                write!(out, "{variable} {}", bytes.escape_ascii())
            }
            Step::Ask { variable, sent: Sent::Http2(request) } => {
                write!(out, "{variable} h2")?;
                for (name, value) in &request.headers {
                    write!(out, " {}={}", name.escape_ascii(), value.escape_ascii())?;
                }
                write!(out, ", {} bytes", request.body.as_ref().map_or(0, Vec::len))
            }
            Step::Ask { variable, sent: Sent::Grpc { host, path, headers } } => {
                write!(out, "{variable} grpc {host} {path} {headers:?}")
            }
            Step::Fail { service, cluster, how } => {
                write!(out, "meshc fail {service} --in c{cluster} --how {how}")
            }
            Step::Heal { service, cluster } => write!(out, "meshc heal {service} --in c{cluster}"),
        }
    }
}

/// Where requests may be sent, and a host that fits there.
fn places(parts: &Parts) -> Vec<(String, Vec<String>)> {
    let part = |name: &str| name.to_ascii_uppercase().replace(['.', '-'], "_");
    let mut places = Vec::new();
    let mut calls = |cluster: usize, caller: &str, callees: &[String]| {
        for callee in callees {
            let (namespace, service) = callee.split_once('.').expect("a namespace and a name");
            let variable = format!("MESH_CALL_C{cluster}_{}__{}_80", part(caller), part(callee));
            places.push((variable, vec![format!("{service}.{namespace}"), String::from("any.example")]));
        }
    };
    for client in &parts.clients {
        calls(0, &client.name, &client.calls);
    }
    for service in &parts.services {
        calls(service.clusters[0], &service.name, &service.calls);
    }
    let known =
        ["h0.example", "h1.example", "x.wild.example", "a.b.wild.example", "wild.example", "H0.Example:8080"];
    for cluster in &parts.ingresses {
        // Twice, since most rules are at gateways.
        for _ in 0..2 {
            places.push((format!("MESH_GATEWAY_C{cluster}_IN"), known.map(String::from).to_vec()));
        }
    }
    places
}

/// All steps.
pub(crate) fn steps(parts: &Parts, random: &mut Random) -> Vec<Step> {
    let places = places(parts);
    let mut steps = Vec::new();
    let mut failing: Vec<(String, usize)> = Vec::new();
    for _ in 0..REQUESTS {
        if random.percent(6) {
            let service = &parts.services[random.below(parts.services.len())];
            let cluster = service.clusters[random.below(service.clusters.len())];
            let how = random.of(&["error", "error", "gone"]);
            failing.push((service.name.clone(), cluster));
            steps.push(Step::Fail { service: service.name.clone(), cluster, how });
        } else if random.percent(6) && !failing.is_empty() {
            let (service, cluster) = failing.remove(random.below(failing.len()));
            steps.push(Step::Heal { service, cluster });
        }
        let (variable, hosts) = &places[random.below(places.len())];
        let host = &hosts[random.below(hosts.len())];
        steps.push(Step::Ask { variable: variable.clone(), sent: request(host, random) });
    }
    steps
}

fn request(host: &str, random: &mut Random) -> Sent {
    let path = target(random);
    let method = if random.percent(75) { random.of(&words::METHODS) } else { random.of(&words::ODD_METHODS) };
    let lines = lines(random);
    match random.below(10) {
        0 => {
            let path = random.of(&["/shop.Cart/Get", "/shop.Cart/Put", "/bank.Ledger/Get", "/a"]);
            let headers = if random.percent(40) { vec![words::HEADERS[random.below(3)]] } else { Vec::new() };
            Sent::Grpc { host: host.to_owned(), path: path.to_owned(), headers }
        }
        1..=3 => Sent::Http2(over_http2(method, host, &path, &lines, random)),
        _ => Sent::Http1(over_http1(method, host, &path, &lines, random)),
    }
}

fn target(random: &mut Random) -> String {
    let path = if random.percent(60) { random.of(&words::PATHS) } else { random.of(&words::ODD_PATHS) };
    let query = if random.percent(30) { random.of(&words::QUERIES) } else { "" };
    format!("{path}{query}")
}

fn lines(random: &mut Random) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    if random.percent(40) {
        let (name, value) = words::HEADERS[random.below(words::HEADERS.len())];
        lines.push(format!("{name}: {value}").into_bytes());
    }
    while random.percent(35) {
        lines.push(random.of(&words::ODD_LINES).to_vec());
    }
    lines
}

fn over_http1(method: &str, host: &str, path: &str, lines: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").into_bytes();
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    let body = if method == "GET" && random.percent(90) { 0 } else { body(random) };
    if body == 0 {
        bytes.extend_from_slice(b"\r\n");
    } else if random.percent(50) {
        bytes.extend_from_slice(format!("content-length: {body}\r\n\r\n").as_bytes());
        bytes.extend(std::iter::repeat_n(b'x', body));
    } else {
        bytes.extend_from_slice(format!("transfer-encoding: chunked\r\n\r\n{body:x}\r\n").as_bytes());
        bytes.extend(std::iter::repeat_n(b'x', body));
        bytes.extend_from_slice(b"\r\n0\r\n\r\n");
    }
    bytes
}

/// None, some bytes, and more than is kept for another attempt.
fn body(random: &mut Random) -> usize {
    [0, 0, 1, 17, 5_000, 70_000][random.below(6)]
}

fn over_http2(method: &str, host: &str, path: &str, lines: &[Vec<u8>], random: &mut Random) -> Http2 {
    let mut request = Http2::new(method, host, path);
    for line in lines.iter().flat_map(|lines| lines.split(|byte| *byte == b'\n')) {
        let at = line.iter().position(|byte| *byte == b':').expect("a name and a value");
        request.headers.push(field(line[..at].to_ascii_lowercase(), line[at + 1..].trim_ascii()));
    }
    // What fits into one frame.
    let body = body(random).min(5_000);
    if body > 0 && method != "GET" {
        request.body = Some(vec![b'x'; body]);
    }
    request
}
