//! Requests as bytes.

use mesh_tests::random::Random;
use mesh_tests::raw::{Http2, field};

use crate::requests::Sent;
use crate::words;

/// A path with a query.
pub(crate) fn target(random: &mut Random) -> String {
    let path = if random.percent(60) { random.of(&words::PATHS) } else { random.of(&words::ODD_PATHS) };
    let query = if random.percent(30) { random.of(&words::QUERIES) } else { "" };
    format!("{path}{query}")
}

fn method(random: &mut Random) -> &'static str {
    if random.percent(75) { random.of(&words::METHODS) } else { random.of(&words::ODD_METHODS) }
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

/// Over HTTP/1.1, with a body perhaps.
pub(crate) fn over_http1(host: &str, path: &str, random: &mut Random) -> Vec<u8> {
    let method = method(random);
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").into_bytes();
    for line in lines(random) {
        bytes.extend_from_slice(&line);
        bytes.extend_from_slice(b"\r\n");
    }
    let body = if method == "GET" && random.percent(90) { 0 } else { body(random) };
    // What Envoy says of a body that is too large to be kept is not seen in the answer to a HEAD.
    let body = if method == "HEAD" { body.min(5_000) } else { body };
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

/// Over HTTP/2, with a body perhaps.
pub(crate) fn over_http2(host: &str, path: &str, random: &mut Random) -> Http2 {
    let method = method(random);
    let mut request = Http2::new(method, host, path);
    let lines = lines(random);
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

/// Behind a load balancer that says who the client is, or does not.
pub(crate) fn proxied(host: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = random
        .of(&[
            &b"PROXY TCP4 203.0.113.7 203.0.113.8 5000 80\r\n"[..],
            b"PROXY TCP6 2001:db8::7 2001:db8::8 5000 80\r\n",
            b"",
        ])
        .to_vec();
    let path = target(random);
    bytes.extend_from_slice(
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").as_bytes(),
    );
    if random.percent(30) {
        bytes.extend_from_slice(b"x-forwarded-for: 10.9.8.7\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Over HTTP/1.0.
pub(crate) fn old(host: &str, random: &mut Random) -> Vec<u8> {
    let path = target(random);
    let host = if random.percent(60) { format!("host: {host}\r\n") } else { String::new() };
    format!("GET {path} HTTP/1.0\r\n{host}\r\n").into_bytes()
}

/// Over TLS.
pub(crate) fn over_tls(host: &str, show: Option<String>, random: &mut Random) -> Sent {
    let method = random.of(&["GET", "POST", "PUT", "DELETE"]);
    let mut arguments = vec![String::from("--request"), method.to_owned()];
    arguments.push(random.of(&["--http1.1", "--http2"]).to_owned());
    if random.percent(40) {
        let (name, value) = words::HEADERS[random.below(3)];
        arguments.extend([String::from("--header"), format!("{name}: {value}")]);
    }
    // Names are compared in any case, but curl writes them as they are given.
    let host = host.split(':').next().unwrap_or(host).to_owned();
    Sent::Tls { host, path: target(random), arguments, show }
}
