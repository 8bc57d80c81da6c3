//! Requests of every odd shape that is harmless to its reader: each part of a request in its variants, alone and in
//! seeded combinations.

use mesh_tests::random::Random;
use mesh_tests::raw::{Field, Http2, field};

use super::parts::{HOSTS, LINES, METHODS, TARGETS};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// To the ingress gateway, as strangers do.
    Ingress,
    /// To the sidecar beside the caller.
    Sidecar,
}

/// A request.
pub(super) struct Case {
    /// What is odd about it.
    pub(super) name: String,
    /// Its bytes.
    pub(super) bytes: Bytes,
}

/// The bytes of a request, in the version's own form.
pub(super) enum Bytes {
    /// HTTP/1.1, as they are sent.
    Http1(Vec<u8>),
    /// HTTP/2.
    Http2(Http2),
}

/// Stands for the host at which the place serves.
const HOST: &[u8] = b"{host}";

/// How many combinations there are.
const COMBINATIONS: u64 = 60;

/// All of them, for a place that serves at `host`.
pub(super) fn all(host: &str) -> Vec<Case> {
    let mut cases = methods();
    cases.extend(targets());
    cases.extend(hosts());
    cases.extend(lines());
    cases.extend(framings());
    cases.extend(first_lines());
    cases.extend(over_http2());
    cases.extend((0..COMBINATIONS).map(combination));
    for case in &mut cases {
        match &mut case.bytes {
            Bytes::Http1(bytes) => *bytes = with_host(bytes, host),
            Bytes::Http2(request) => {
                for (_, value) in &mut request.headers {
                    *value = with_host(value, host);
                }
            }
        }
    }
    cases
}

fn with_host(bytes: &[u8], host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(HOST.len()).position(|window| window == HOST) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(host.as_bytes());
        rest = &rest[at + HOST.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Bytes as they can be read in a report.
fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn http1(name: String, first: &[u8], lines: &[u8], body: &[u8]) -> Case {
    let mut bytes = first.to_vec();
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(lines);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    Case { name, bytes: Bytes::Http1(bytes) }
}

const HOST_LINE: &[u8] = b"host: {host}\r\n";

fn get() -> Http2 {
    Http2::new("GET", "{host}", "/")
}

fn http2(name: String, request: Http2) -> Case {
    Case { name: format!("h2 {name}"), bytes: Bytes::Http2(request) }
}

fn methods() -> Vec<Case> {
    let mut cases = Vec::new();
    for method in METHODS {
        let first = format!("{method} / HTTP/1.1");
        cases.push(http1(format!("method {method}"), first.as_bytes(), HOST_LINE, b""));
        cases.push(http2(format!("method {method}"), Http2::new(method, "{host}", "/")));
    }
    cases
}

fn targets() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in TARGETS {
        let first = [b"GET ", target, b" HTTP/1.1"].concat();
        cases.push(http1(format!("target {}", readable(target)), &first, HOST_LINE, b""));
        let mut request = get();
        request.headers[3].1 = target.to_vec();
        cases.push(http2(format!("target {}", readable(target)), request));
    }
    for target in [
        &b"*"[..],
        b"a",
        b"a/b",
        b"?a",
        b"",
        b"http://{host}/a",
        b"HTTP://{host}/a",
        b"http://{host}",
        b"http://{host}?a",
        b"https://{host}/a",
        b"ftp://{host}/a",
        b"http://other.example/a",
        b"http:///a",
        b"http:/a",
        b"http://me@{host}/a",
        b"http://{host}:80/a",
        b"http://{host}./a",
        b"//{host}/a",
        b"/a b",
        b"/a\tb",
        b"/a\x01b",
        b"/a\x7fb",
    ] {
        let first = [b"GET ", target, b" HTTP/1.1"].concat();
        cases.push(http1(format!("target {}", readable(target)), &first, HOST_LINE, b""));
        let mut request = get();
        request.headers[3].1 = target.to_vec();
        cases.push(http2(format!("target {}", readable(target)), request));
    }
    cases.push(http1(String::from("target * of OPTIONS"), b"OPTIONS * HTTP/1.1", HOST_LINE, b""));
    cases.push(http2(String::from("target * of OPTIONS"), Http2::new("OPTIONS", "{host}", "*")));
    cases
}

fn hosts() -> Vec<Case> {
    let mut cases = Vec::new();
    for host in HOSTS {
        let line = [b"host: ", host, b"\r\n"].concat();
        cases.push(http1(format!("host {}", readable(host)), b"GET / HTTP/1.1", &line, b""));
        let mut request = get();
        request.headers[2].1 = host.to_vec();
        cases.push(http2(format!("host {}", readable(host)), request));
    }
    for (name, lines) in [
        ("no host", &b""[..]),
        ("two hosts", b"host: {host}\r\nhost: {host}\r\n"),
        ("two different hosts", b"host: {host}\r\nhost: other.example\r\n"),
        ("a host in upper case", b"HOST: {host}\r\n"),
    ] {
        cases.push(http1(String::from(name), b"GET / HTTP/1.1", lines, b""));
    }
    cases
}

fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    for line in LINES {
        let lines = [HOST_LINE, line, b"\r\n"].concat();
        cases.push(http1(format!("line {}", readable(line)), b"GET / HTTP/1.1", &lines, b""));
    }
    for line in [&b"x-a: 1\n"[..], b"x-a: 1\rx-b: 2\r\n", b"x-a: 1\r\r\n"] {
        let lines = [HOST_LINE, line].concat();
        cases.push(http1(format!("ending {}", readable(line)), b"GET / HTTP/1.1", &lines, b""));
    }
    cases
}

const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n";

fn framings() -> Vec<Case> {
    let lengths: [(&[u8], &[u8]); 16] = [
        (b"content-length: 3\r\n", b"abc"),
        (b"content-length: 0\r\n", b""),
        (b"content-length: 03\r\n", b"abc"),
        (b"content-length: +3\r\n", b"abc"),
        (b"content-length: -3\r\n", b"abc"),
        (b"content-length: 0x3\r\n", b"abc"),
        (b"content-length: 3 \r\n", b"abc"),
        (b"content-length: 3 3\r\n", b"abc"),
        (b"content-length: 3, 3\r\n", b"abc"),
        (b"content-length: 3, 4\r\n", b"abcd"),
        (b"content-length: 3\r\ncontent-length: 3\r\n", b"abc"),
        (b"content-length: 3\r\ncontent-length: 4\r\n", b"abcd"),
        (b"content-length:\r\n", b""),
        (b"content-length: a\r\n", b"abc"),
        (b"content-length: 3.0\r\n", b"abc"),
        (b"content-length: 99999999999999999999\r\n", b"abc"),
    ];
    let codings: [&[u8]; 14] = [
        CHUNKED,
        b"transfer-encoding: Chunked\r\n",
        b"transfer-encoding:chunked\r\n",
        b"transfer-encoding: chunked \r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding: \"chunked\"\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: chunked, chunked\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding: chunked;q=1\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 3\r\n",
    ];
    let chunks: [&[u8]; 17] = [
        b"3\r\nabc\r\n0\r\n\r\n",
        b"03\r\nabc\r\n0\r\n\r\n",
        b"3;a=b\r\nabc\r\n0\r\n\r\n",
        b"3;a=\"b\"\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"A\r\n0123456789\r\n0\r\n\r\n",
        b"a\r\n0123456789\r\n0\r\n\r\n",
        b"3\r\nabcde0\r\n\r\n",
        b"g\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n",
        b"3\r\nabc\r\n00\r\n\r\n",
    ];
    let mut cases = Vec::new();
    for (lines, body) in lengths {
        let lines = [HOST_LINE, lines].concat();
        cases.push(http1(
            format!("length {}", readable(&lines[HOST_LINE.len()..])),
            b"POST / HTTP/1.1",
            &lines,
            body,
        ));
    }
    for coding in codings {
        let lines = [HOST_LINE, coding].concat();
        cases.push(http1(
            format!("coding {}", readable(coding)),
            b"POST / HTTP/1.1",
            &lines,
            b"3\r\nabc\r\n0\r\n\r\n",
        ));
    }
    for body in chunks {
        let lines = [HOST_LINE, CHUNKED].concat();
        cases.push(http1(format!("chunks {}", readable(body)), b"POST / HTTP/1.1", &lines, body));
    }
    cases
}

fn first_lines() -> Vec<Case> {
    [
        &b"GET / HTTP/1.0"[..],
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / HTTP/0.9",
        b"GET / http/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/11",
        b"GET / HTTP/1.1x",
        b"GET /",
        b"GET",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b" GET / HTTP/1.1",
        b"\r\nGET / HTTP/1.1",
        b"GET / FOO/1.1",
        b"/ HTTP/1.1",
    ]
    .into_iter()
    .map(|first| http1(format!("first line {}", readable(first)), first, HOST_LINE, b""))
    .collect()
}

fn over_http2() -> Vec<Case> {
    let mut cases = Vec::new();
    let fields: [(&[u8], &[u8]); 34] = [
        (b"x-a", b""),
        (b"x-a", b" 1 "),
        (b"x-a", b"a\tb"),
        (b"x-a", b"\x80\xff"),
        (b"x-a", b"a\x01b"),
        (b"x-a", b"a\x7fb"),
        (b"x-a", b"a\x00b"),
        (b"x-a", b"a\rb"),
        (b"x-a", b"a\nb"),
        (b"X-A", b"1"),
        (b"x a", b"1"),
        (b"x:a", b"1"),
        (b"x(a", b"1"),
        (b"x\xc3\xa4", b"1"),
        (b"", b"1"),
        (b"x.a", b"1"),
        (b"x_a", b"1"),
        (b"x_forwarded_for", b"1"),
        (b"x-envoy-a", b"1"),
        (b"connection", b"close"),
        (b"connection", b"x-b"),
        (b"keep-alive", b"5"),
        (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"websocket"),
        (b"te", b"trailers"),
        (b"te", b"gzip"),
        (b"te", b"trailers, gzip"),
        (b"host", b"{host}"),
        (b"host", b"other.example"),
        (b"expect", b"something"),
        (b"content-length", b"0"),
        (b"content-length", b"3"),
        (b"content-length", b"x"),
    ];
    for (name, value) in fields {
        cases
            .push(http2(format!("field {}: {}", readable(name), readable(value)), get().header(name, value)));
    }
    let without = |name: &[u8]| {
        let mut request = get();
        request.headers.retain(|(found, _)| found != name);
        request
    };
    for name in [":method", ":scheme", ":authority", ":path"] {
        cases.push(http2(format!("without {name}"), without(name.as_bytes())));
        let mut twice = get();
        let again = twice.headers.iter().find(|(found, _)| found == name.as_bytes()).cloned();
        twice.headers.insert(0, again.expect("it is there"));
        cases.push(http2(format!("twice {name}"), twice));
    }
    cases.push(http2(
        String::from("host instead of :authority"),
        without(b":authority").header("host", "{host}"),
    ));
    cases.push(http2(String::from(":protocol"), get_with_pseudo(":protocol", "websocket")));
    cases.push(http2(String::from(":unknown"), get_with_pseudo(":unknown", "1")));
    cases.push(http2(String::from(":status"), get_with_pseudo(":status", "200")));
    for scheme in ["https", "HTTP", "ftp", "", "a b"] {
        let mut request = get();
        request.headers[1].1 = scheme.as_bytes().to_vec();
        cases.push(http2(format!("scheme {scheme}"), request));
    }
    let mut late = get();
    let path = late.headers.remove(3);
    cases.push(http2(
        String::from(":path after a header"),
        Http2 { headers: [late.headers, vec![field("x-a", "1"), path]].concat(), ..Http2::default() },
    ));
    let body = |length: &str, body: &[u8], trailers: Vec<Field>| {
        let mut request = Http2::new("POST", "{host}", "/");
        if !length.is_empty() {
            request = request.header("content-length", length);
        }
        Http2 { body: Some(body.to_vec()), trailers, ..request }
    };
    for (name, request) in [
        ("body", body("", b"abc", Vec::new())),
        ("body of its length", body("3", b"abc", Vec::new())),
        ("body shorter than its length", body("5", b"abc", Vec::new())),
        ("body longer than its length", body("2", b"abc", Vec::new())),
        ("trailers", body("", b"abc", vec![field("x-t", "1")])),
        ("trailers with a pseudo header", body("", b"abc", vec![field(":path", "/b")])),
        ("trailers with connection", body("", b"abc", vec![field("connection", "close")])),
        ("trailers in upper case", body("", b"abc", vec![field("X-T", "1")])),
    ] {
        cases.push(http2(String::from(name), request));
    }
    cases
}

fn get_with_pseudo(name: &str, value: &str) -> Http2 {
    let mut request = get();
    request.headers.insert(0, field(name, value));
    request
}

/// A request of parts that are drawn from the lists above.
fn combination(seed: u64) -> Case {
    let mut draw = Random::new(seed);
    let method = METHODS[draw.below(11)];
    let target = draw.of(&TARGETS);
    let host = draw.of(&HOSTS[..8]);
    let some_lines = [draw.of(&LINES[..12]), draw.of(&LINES[23..36]), draw.of(&LINES[36..44])];
    let name = format!("combination {seed}");
    if draw.below(2) == 0 {
        let first = [method.as_bytes(), b" ", target, b" HTTP/1.1"].concat();
        let lines = [b"host: ", host, b"\r\n", &some_lines.join(&b"\r\n"[..]), b"\r\n"].concat();
        return http1(name, &first, &lines, b"");
    }
    let mut request = Http2::new(method, "{host}", "/");
    request.headers[2].1 = host.to_vec();
    request.headers[3].1 = target.to_vec();
    for line in &some_lines[..2] {
        let at = line.iter().position(|byte| *byte == b':').expect("a name and a value");
        request = request.header(line[..at].to_ascii_lowercase(), line[at + 1..].trim_ascii());
    }
    http2(name, request)
}
