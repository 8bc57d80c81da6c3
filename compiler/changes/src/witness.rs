//! Requests that show an effect: each is asked of both meshes before anything is said of it.

use meshc_answers::Truth;
use meshc_answers::ask::Decided;
use meshc_vocabulary::testing::Request;

use crate::changes::Change;
use crate::effect::{Probe, Risk, Witness};
use crate::facts::routes::ADMITS;
use crate::side::Side;

/// A request that is decided differently, in what the change is about.
pub(crate) fn of(change: &Change, old: &Side<'_, '_>, new: &Side<'_, '_>) -> Option<Witness> {
    match &change.probe {
        Probe::None => None,
        Probe::Call { from, to, requests } => from.iter().find_map(|from| {
            let connections = requests.is_empty().then_some(None);
            let requests = named(requests, from, old, new);
            let all = requests.iter().map(Some).chain(connections);
            all.into_iter().find_map(|request| {
                let (before, after) = (old.judge.call(from, to, request), new.judge.call(from, to, request));
                let told = differ(change, before.as_ref(), after.as_ref())?;
                Some(witness(call(from, to, request), told))
            })
        }),
        Probe::Arrival { at, requests } => requests.iter().find_map(|request| {
            let (before, after) = (old.judge.arrives(at, request), new.judge.arrives(at, request));
            let told = differ(change, before.as_ref(), after.as_ref())?;
            Some(witness(arrival(at, request), told))
        }),
    }
}

/// Requests with each host that a gateway has routes for: without one, each mesh would take another.
fn named(requests: &[Request], from: &str, old: &Side<'_, '_>, new: &Side<'_, '_>) -> Vec<Request> {
    let mut hosts = old.hosts_of(from);
    hosts.extend(new.hosts_of(from));
    hosts.sort();
    hosts.dedup();
    if hosts.is_empty() {
        return requests.to_vec();
    }
    let of = |host: &String| {
        let host = host.clone();
        requests.iter().map(move |request| Request { host: Some(host.clone()), ..request.clone() })
    };
    hosts.iter().flat_map(of).collect()
}

fn witness(question: String, (before, after): (String, String)) -> Witness {
    Witness { question, before, after }
}

/// What is told of a request before and after, if it differs in what the change is about.
fn differ(change: &Change, before: Option<&Decided>, after: Option<&Decided>) -> Option<(String, String)> {
    let aspect = match change.risk {
        Risk::WidenedAccess | Risk::NarrowedAccess => Aspect::Verdict,
        Risk::Exposure | Risk::Routing => Aspect::Fates,
        Risk::Limits => Aspect::Limits,
        Risk::Timeouts => Aspect::Timeouts,
        Risk::Mtls | Risk::Trust | Risk::Retries | Risk::Resilience | Risk::Requests | Risk::Deployment => {
            return None;
        }
    };
    let (one, other) = (told(before, aspect), told(after, aspect));
    (one.0 != other.0 && is_shown(change, rank(before), rank(after))).then_some((one.1, other.1))
}

/// Whether a request shows what is told of it, and not the opposite: below what is widened, more is admitted after than before.
fn is_shown(change: &Change, before: u8, after: u8) -> bool {
    match change.risk {
        Risk::WidenedAccess => after > before,
        Risk::NarrowedAccess => after < before,
        // Other rules may admit less.
        Risk::Exposure => change.aspect == ADMITS || after >= before,
        Risk::Mtls
        | Risk::Trust
        | Risk::Routing
        | Risk::Limits
        | Risk::Timeouts
        | Risk::Retries
        | Risk::Resilience
        | Risk::Requests
        | Risk::Deployment => true,
    }
}

/// How far a request gets; what is not there sends and takes nothing.
fn rank(decided: Option<&Decided>) -> u8 {
    match decided.map(|decided| decided.verdict) {
        None | Some(Truth::No) => 0,
        Some(Truth::Depends) => 1,
        Some(Truth::Yes) => 2,
    }
}

#[derive(Clone, Copy)]
enum Aspect {
    Verdict,
    Fates,
    Limits,
    Timeouts,
}

/// What is compared, and what is shown.
fn told(decided: Option<&Decided>, aspect: Aspect) -> (Vec<String>, String) {
    let Some(Decided { verdict, fates, shares, timeouts, limits }) = decided else {
        // Whoever is not there calls nothing and takes nothing.
        let none = match aspect {
            Aspect::Verdict | Aspect::Fates => String::from("no"),
            Aspect::Limits | Aspect::Timeouts => String::new(),
        };
        return (vec![none], String::from("there is no such call"));
    };
    let word = match verdict {
        Truth::Yes => "yes",
        Truth::No => "no",
        Truth::Depends => "depends",
    };
    let list = |values: &[String], none: &str| {
        if values.is_empty() { none.to_owned() } else { values.join(", ") }
    };
    match aspect {
        Aspect::Verdict => {
            let first = fates.first().map(|fate| format!(": {fate}")).unwrap_or_default();
            (vec![word.to_owned()], format!("{word}{first}"))
        }
        Aspect::Fates => {
            let text = list(fates, "no route takes it");
            let drawn = shares.iter().any(|share| share.contains(','));
            let text = if drawn { format!("{text} ({})", shares.join("; ")) } else { text };
            (fates.iter().chain(shares).cloned().collect(), text)
        }
        Aspect::Limits => (limits.clone(), list(limits, "no limit")),
        Aspect::Timeouts => (timeouts.clone(), list(timeouts, "no timeout")),
    }
}

fn call(from: &str, to: &str, request: Option<&Request>) -> String {
    let Some(request) = request else { return format!("can {from} call {to}") };
    let Request { method, path, host, headers } = request;
    let host = host.as_ref().map(|host| format!("host={host}"));
    let headers = headers.iter().map(|(name, value)| header(name, value));
    let with: Vec<String> = host.into_iter().chain(headers).collect();
    let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(" ")) };
    format!("can {from} call {to} {method} {path}{with}")
}

fn arrival(at: &str, request: &Request) -> String {
    let Request { method, path, host, headers } = request;
    let host = host.as_deref().unwrap_or("localhost");
    let headers: Vec<String> = headers.iter().map(|(name, value)| header(name, value)).collect();
    let with = if headers.is_empty() { String::new() } else { format!(" with {}", headers.join(" ")) };
    format!("where does {method} {host}{path} go from {at}{with}")
}

fn header(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) {
        format!("{name}=\"{value}\"")
    } else {
        format!("{name}={value}")
    }
}
