//! What answers say of who gave them.

use hyper::HeaderMap;
use meshc_driver::live::Seen;
use serde::Deserialize;

/// Where an answer without a body says who gives it.
const ANSWER: &str = "x-answer";

/// What a stand-in says of itself.
#[derive(Deserialize)]
struct Own {
    service: String,
    cluster: String,
}

/// Who gave an answer of HTTP. `processes`: applications may be the user's own, which say nothing of themselves.
pub(super) fn http(status: u16, headers: &HeaderMap, body: &[u8], processes: bool) -> Seen {
    let header = headers.get(ANSWER).map(hyper::header::HeaderValue::as_bytes);
    own(header.unwrap_or(body)).unwrap_or(if processes { Seen::Somebody } else { Seen::Proxy(status) })
}

/// Who gave an answer of gRPC, by its trailers, or its headers where it has nothing else.
pub(super) fn grpc(status: u16, headers: &HeaderMap, trailers: Option<&HeaderMap>, processes: bool) -> Seen {
    let all = [trailers, Some(headers)];
    let find = |name: &str| all.iter().flatten().find_map(|map| map.get(name));
    if let Some(seen) = find(ANSWER).and_then(|value| own(value.as_bytes())) {
        return seen;
    }
    let code = find("grpc-status").and_then(|value| value.to_str().ok()?.parse::<u8>().ok());
    let timed_out = find("grpc-message").is_some_and(|message| message.as_bytes().ends_with(b"timeout"));
    match (code, processes) {
        (_, true) => Seen::Somebody,
        // What an application answers with that serves it.
        (Some(0), false) => Seen::Somebody,
        (Some(4), false) => Seen::Proxy(504),
        (Some(7), false) => Seen::Proxy(403),
        (Some(8), false) => Seen::Proxy(429),
        (Some(12), false) => Seen::Proxy(404),
        (Some(14), false) if timed_out => Seen::Proxy(504),
        (Some(14), false) => Seen::Proxy(503),
        (Some(_), false) => Seen::Proxy(500),
        (None, false) => Seen::Proxy(status),
    }
}

/// Who speaks first on a connection.
pub(super) fn banner(bytes: &[u8]) -> Seen {
    let line = std::str::from_utf8(bytes).ok().and_then(|text| text.lines().next());
    match line.and_then(|line| line.split_once(" in ")) {
        Some((service, cluster)) => {
            Seen::Answered { service: service.to_owned(), cluster: cluster.to_owned() }
        }
        None => Seen::Somebody,
    }
}

fn own(json: &[u8]) -> Option<Seen> {
    let Own { service, cluster } = serde_json::from_slice(json).ok()?;
    Some(Seen::Answered { service, cluster })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn who_answers_is_read_off_the_answer() {
        let web = Seen::Answered { service: String::from("shop.web"), cluster: String::from("west") };
        let json = br#"{"service":"shop.web","cluster":"west","caller":null}"#;
        let none = HeaderMap::new();
        assert_eq!(http(200, &none, json, false), web);
        assert_eq!(http(500, &none, json, true), web);
        let head = headers(&[("x-answer", r#"{"service":"shop.web","cluster":"west"}"#)]);
        assert_eq!(http(200, &head, b"", false), web);
        assert_eq!(http(403, &none, b"RBAC: access denied", false), Seen::Proxy(403));
        assert_eq!(http(403, &none, b"RBAC: access denied", true), Seen::Somebody);
        assert_eq!(grpc(200, &none, Some(&head), false), web);
        assert_eq!(grpc(200, &headers(&[("grpc-status", "7")]), None, false), Seen::Proxy(403));
        let late = headers(&[("grpc-status", "14"), ("grpc-message", "upstream request timeout")]);
        assert_eq!(grpc(200, &late, None, false), Seen::Proxy(504));
        assert_eq!(grpc(503, &none, None, false), Seen::Proxy(503));
        assert_eq!(banner(b"shop.web in west\n"), web);
        assert_eq!(banner(b"\x16\x03\x03"), Seen::Somebody);
    }
}
