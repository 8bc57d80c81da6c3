//! What became of a request, in words that are the same where it is the same.

use mesh_tests::mesh::Mesh;
use mesh_tests::{one_stream, raw};
use serde_json::Value;

use crate::conversations;
use crate::requests::Sent;

/// Headers of answers that rules make or that clients act on. What else there is may differ: the date, the server.
const TOLD: [&str; 15] = [
    "location",
    "grpc-status",
    "retry-after",
    "allow",
    "x-out-set",
    "x-out-add",
    "x-tier",
    "x-user",
    "content-type",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-allow-credentials",
];

/// Headers of requests that differ from one to the next, and how a body is told: how much of it arrived is compared, and how
/// may change where a request is sent again. So may the words for an upgrade where a hop speaks HTTP/2.
const FRESH: [&str; 8] = [
    "x-request-id",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "content-length",
    "transfer-encoding",
    "sec-websocket-key",
    "connection",
    "upgrade",
];

/// By how many seconds two data planes may differ in when they have room again: one got its first request before the other.
const APART: u64 = 60;

/// What Envoy alone says of a body that is larger than what is kept of it for another attempt, and arrives before the next one
/// begins: see the reference's table of differences.
const KEPT_TOO_MUCH: &str = "exceeded request buffer limit while retrying upstream";

/// Whether the same became of a request on both.
pub(crate) fn alike([envoy, meshd]: &[String; 2]) -> bool {
    if envoy.starts_with("kept too much") {
        return true;
    }
    let pairs = || envoy.split(' ').zip(meshd.split(' '));
    let before = std::iter::once("").chain(envoy.split(' '));
    envoy.split(' ').count() == meshd.split(' ').count()
        && pairs().zip(before).all(|((envoy, meshd), before)| {
            envoy == meshd || before == "retry-after:" && are_close(envoy, meshd)
        })
}

/// The same whichever attempt it was.
pub(crate) fn without_attempt(outcome: &str) -> String {
    let words: Vec<&str> = outcome.split(' ').collect();
    let is_count = |place: &usize| *place > 0 && words[*place - 1] == "at";
    let kept = (0..words.len()).filter(|place| !is_count(place)).map(|place| words[place]);
    kept.collect::<Vec<_>>().join(" ")
}

/// The same with the attempts since some that were counted before, which then are those that are counted.
pub(crate) fn since(outcome: &str, counted: &mut u64) -> String {
    let mut words: Vec<String> = outcome.split(' ').map(str::to_owned).collect();
    let place = words.iter().position(|word| word == "at").map(|at| at + 1);
    if let Some(word) = place.and_then(|place| words.get_mut(place))
        && let Ok(count) = word.parse::<u64>()
    {
        *word = count.saturating_sub(*counted).to_string();
        *counted = count;
    }
    words.join(" ")
}

#[test]
fn attempts_are_counted_from_those_before() {
    let mut counted = 0;
    assert_eq!(since("503", &mut counted), "503");
    assert_eq!(since("500 from a in c0 at 2 to x", &mut counted), "500 from a in c0 at 2 to x");
    assert_eq!(since("500 from a in c0 at 5 to x", &mut counted), "500 from a in c0 at 3 to x");
    assert_eq!(since("500 from a in c0 at null to x", &mut counted), "500 from a in c0 at null to x");
}

#[test]
fn attempts_are_left_out() {
    assert_eq!(without_attempt("200 from a in c0 at 7 to x"), "200 from a in c0 at to x");
}

fn are_close(one: &str, other: &str) -> bool {
    let seconds = |word: &str| word.parse::<u64>().ok();
    seconds(one).zip(seconds(other)).is_some_and(|(one, other)| one.abs_diff(other) <= APART)
}

#[test]
fn only_when_there_is_room_again_may_differ_a_little() {
    let is = |envoy: &str, meshd: &str| alike(&[envoy.to_owned(), meshd.to_owned()]);
    assert!(is("429 retry-after: 3594", "429 retry-after: 3595"));
    assert!(!is("429 retry-after: 3594", "429 retry-after: 894"));
    assert!(!is("429 retry-after: 3594", "429"));
    assert!(!is("200 from a", "200 from b"));
    assert!(!is("200 x-tier: 1", "200 x-tier: 2"), "another number is another answer");
}

/// Sends a request and says what came back: a status, who answered and what was seen there, and what was told.
pub(crate) fn of(mesh: &Mesh, variable: &str, sent: &Sent) -> String {
    if !mesh.has(variable) {
        return String::from("no such place");
    }
    let address = mesh.address(variable);
    match sent {
        Sent::Http1(bytes) => {
            let (outcome, head) = raw::http1_with_head(address, bytes);
            format!("{}{}", became(&outcome), told(&headers(&head)))
        }
        Sent::Http2(request) => became(&request.send(address)),
        Sent::Grpc { host, path, headers } => {
            let request = one_stream::Request::grpc(host, path);
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            match request.try_send(address) {
                Ok(answer) => {
                    let status = answer.headers.get("grpc-status").or(answer.trailers.get("grpc-status"));
                    // Of a method, a stand-in tells in a trailer what it tells of other requests in the body.
                    let told = answer.trailers.get("x-answer").unwrap_or(&answer.body);
                    let seen = seen(&serde_json::from_str(told).unwrap_or_default());
                    format!("{} grpc-status {status:?} {seen}", answer.status)
                }
                // Which of several ways to refuse over HTTP/2 it is means nothing.
                Err(_) => String::from("refused"),
            }
        }
        Sent::WebSocket { host, path } => conversations::websocket(address, host, path),
        Sent::Bytes(said) => conversations::bytes(address, said),
        Sent::Tls { host, path, arguments, show } => {
            let file =
                |kind: &str, whose: &str| mesh.variable(&format!("MESH_CLIENT_{kind}_{whose}")).to_owned();
            let shows = show.as_ref().map(|whose| [file("CERT", whose), file("KEY", whose)]);
            let (status, body) = conversations::tls(address, host, path, arguments, shows.as_ref());
            match status {
                // The handshake failed.
                0 => String::from("refused"),
                _ => became(&raw::Outcome { status: Some(status), body, waits: false }),
            }
        }
    }
}

/// In words, whatever was asked.
pub(crate) fn became(outcome: &raw::Outcome) -> String {
    match outcome.status {
        // Which of these it is depends on how much of a request had been understood.
        Some(400 | 426 | 501) => String::from("refused"),
        None if !outcome.waits => String::from("refused"),
        Some(_) | None => {
            if outcome.status == Some(503) && outcome.body == KEPT_TOO_MUCH.as_bytes() {
                return String::from("kept too much");
            }
            let body = if outcome.body == b"said" { " said" } else { "" };
            format!("{}{body}{}", outcome.word(), seen(&outcome.json()))
        }
    }
}

fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn told(headers: &[(String, String)]) -> String {
    let mut told: Vec<String> = headers
        .iter()
        .filter(|(name, _)| TOLD.contains(&name.as_str()))
        .map(|(name, value)| format!(" {name}: {value}"))
        .collect();
    told.sort();
    told.concat()
}

/// What an application told of a request; nothing if it was none that answered.
pub(crate) fn seen(answer: &Value) -> String {
    if answer["service"].is_null() {
        return String::new();
    }
    let mut headers = answer["headers"].clone();
    if let Some(headers) = headers.as_object_mut() {
        headers.retain(|name, _| !FRESH.contains(&name.as_str()));
    }
    let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
    let headers = headers.to_string().replace(", ", ",");
    format!(
        " from {} in {} at {} to {} {} {} {} {headers}",
        text("service"),
        text("cluster"),
        answer["attempt"],
        text("caller"),
        text("method"),
        text("path"),
        answer["received"]
    )
}
