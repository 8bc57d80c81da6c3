//! What a route does with a request, one thing after the other.

use std::collections::BTreeSet;

use meshc_plan::filter::{Cors, Filter, Mirror, Rewrite};
use meshc_plan::{
    AccessRule, Audit, Authorization, Deadlines, Entrance, HttpAction, HttpRoute, Respond, WeightedUpstream,
    phrases,
};
use meshc_vocabulary::model::{DeadShare, StringMatch};

use super::{limits, upstream};
use crate::effect::Risk;
use crate::side::Side;

/// One thing: what kind it is, its name, and its value.
pub(crate) type Told = (Risk, String, String);

/// Where requests go.
pub(crate) const GOES: &str = "goes to";

/// Where copies of requests go.
const COPIES: &str = "copies go to";

/// Which requests are admitted.
pub(crate) const ADMITS: &str = "admits";

/// Whom a route leads requests to, by what is told of it: ports of services, hosts outside, and hosts that clients are sent to.
pub(crate) fn reached(side: &Side<'_, '_>, route: &HttpRoute) -> Vec<(&'static str, BTreeSet<String>)> {
    let HttpRoute { matches: _, filters, action, origin: _ } = route;
    let goes = match action {
        HttpAction::Forward { to, .. } => destinations(side, to),
        HttpAction::Redirect(redirect) => {
            redirect.host.iter().map(|host| format!("a redirect to {host}")).collect()
        }
        HttpAction::Respond(_) => BTreeSet::new(),
    };
    let copies = filters.iter().filter_map(|filter| match filter {
        Filter::Mirror(Mirror { upstream, share }) if *share > 0 => Some(side.reached(upstream)),
        Filter::Mirror(_)
        | Filter::Authorize(_)
        | Filter::Audit(_)
        | Filter::LocalLimit(_)
        | Filter::GlobalLimit(_)
        | Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_) => None,
    });
    // Whoever gets requests already learns nothing new from copies of them.
    let copies = copies.filter(|copy| !goes.contains(copy)).collect();
    vec![(GOES, goes), (COPIES, copies)]
}

/// The ports that get requests of these destinations.
pub(super) fn destinations(side: &Side<'_, '_>, to: &[WeightedUpstream]) -> BTreeSet<String> {
    to.iter().filter(|one| one.weight > 0).map(|one| side.reached(&one.upstream)).collect()
}

/// What a route does.
pub(crate) fn told(side: &Side<'_, '_>, route: &HttpRoute) -> Vec<Told> {
    let HttpRoute { matches: _, filters, action, origin: _ } = route;
    let mut all = Vec::new();
    let mut tell = |risk, aspect: &str, value: String| all.push((risk, aspect.to_owned(), value));
    match action {
        HttpAction::Forward { to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines } => {
            tell(Risk::Routing, GOES, shares(side, to));
            match dead_share {
                DeadShare::Kept => {}
                DeadShare::ToOthers => {
                    tell(
                        Risk::Routing,
                        "the share of a destination that is dead",
                        String::from("goes to others"),
                    );
                }
            }
            if !hash.is_empty() {
                tell(Risk::Routing, "endpoint by", phrases::hash_keys(hash));
            }
            tell(Risk::Timeouts, "timeout", timeout.map_or_else(|| String::from("none"), phrases::duration));
            if let Some(idle) = idle_timeout {
                tell(Risk::Timeouts, "idle timeout", phrases::duration(*idle));
            }
            tell(Risk::Retries, "retries", phrases::retry(retry));
            if let Some(upgrades) = phrases::upgrades(upgrades) {
                tell(Risk::Requests, "upgrades", upgrades);
            }
            match deadlines {
                Deadlines::Unknown => {}
                Deadlines::OfGrpc => tell(Risk::Timeouts, "deadline", String::from("that of gRPC's client")),
            }
        }
        HttpAction::Redirect(redirect) => {
            tell(Risk::Routing, GOES, format!("the client, told to go to {}", phrases::redirect(redirect)));
        }
        HttpAction::Respond(Respond { status, body, content_type }) => {
            let kind = content_type.as_deref().unwrap_or("text/plain");
            tell(Risk::Routing, GOES, format!("the client, answered {status} {kind} {body:?}"));
        }
    }
    for each in filters {
        filter(side, each, &mut all);
    }
    all
}

/// What a filter does.
pub(crate) fn filter(side: &Side<'_, '_>, filter: &Filter, all: &mut Vec<Told>) {
    let mut tell = |risk, aspect: &str, value: String| all.push((risk, aspect.to_owned(), value));
    let lines = || phrases::filter(filter).join("; ");
    match filter {
        Filter::Authorize(rules) => tell(Risk::Exposure, ADMITS, authorization(rules)),
        Filter::Audit(rules) => tell(Risk::Deployment, "rules that are tried", audit(rules)),
        Filter::LocalLimit(limit) => {
            limits::local(limit).into_iter().for_each(|(what, much)| tell(Risk::Limits, &what, much));
        }
        Filter::GlobalLimit(limit) => {
            limits::global(limit).into_iter().for_each(|(what, much)| tell(Risk::Limits, &what, much));
        }
        Filter::RequestHeaders(_) => tell(Risk::Requests, "request headers", lines()),
        Filter::ResponseHeaders(_) => tell(Risk::Requests, "answer headers", lines()),
        Filter::Cors(cors) => tell(Risk::Requests, "pages that may read answers", pages(cors)),
        Filter::Delay(_) | Filter::Abort(_) => tell(Risk::Requests, "faults on purpose", lines()),
        Filter::Rewrite(Rewrite { path, host }) => {
            if let Some(path) = path {
                tell(Risk::Requests, "path becomes", phrases::path_change(path));
            }
            if let Some(host) = host {
                tell(Risk::Requests, "host becomes", host.clone());
            }
        }
        Filter::Mirror(Mirror { upstream, share }) => {
            let to = side.upstream(upstream).unwrap_or_else(|| upstream.clone());
            let percent = f64::from(*share) / 10_000.0;
            tell(Risk::Routing, COPIES, format!("{percent} % to {to}"));
        }
    }
}

fn pages(cors: &Cors) -> String {
    let Cors { allow_origins, allow_methods, allow_headers, expose_headers, max_age, allow_credentials } =
        cors;
    let origin = |origin: &StringMatch| match origin {
        StringMatch::Present => String::from("any origin"),
        StringMatch::Exact(text) => text.clone(),
        StringMatch::Prefix(text) => format!("{text}*"),
        StringMatch::Regex(text) => format!("~{text}"),
    };
    let origins: Vec<String> = allow_origins.iter().map(origin).collect();
    let mut text = format!("those of {}", origins.join(" or "));
    let parts = [
        ("methods", allow_methods),
        ("headers", allow_headers),
        ("exposed", expose_headers),
        ("seconds", max_age),
    ];
    for (what, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!(", {what} {value}"));
    }
    if *allow_credentials {
        text.push_str(", with cookies");
    }
    text
}

/// Who of the clients outside may send requests.
pub(crate) fn entrance(entrance: &Entrance) -> Vec<Told> {
    let Entrance { rules, tried } = entrance;
    let rules = rules.as_ref().map(|rules| (Risk::Exposure, ADMITS.to_owned(), authorization(rules)));
    let tried =
        tried.as_ref().map(|rules| (Risk::Deployment, String::from("rules that are tried"), audit(rules)));
    rules.into_iter().chain(tried).collect()
}

fn authorization(rules: &Authorization) -> String {
    let Authorization { deny, allow } = rules;
    let mut texts = self::rules(allow);
    texts.extend(self::rules(deny).into_iter().map(|rule| format!("not {rule}")));
    if texts.is_empty() { String::from("no request") } else { texts.join("; ") }
}

pub(super) fn audit(rules: &Audit) -> String {
    let Audit { deny, allow } = rules;
    let mut texts = allow.as_ref().map(|allow| self::rules(allow)).unwrap_or_default();
    texts.extend(self::rules(deny).into_iter().map(|rule| format!("not {rule}")));
    if texts.is_empty() { String::from("no request") } else { texts.join("; ") }
}

/// Rules without their names, in an order that does not depend on them.
fn rules(rules: &[AccessRule]) -> Vec<String> {
    let one = |rule: &AccessRule| {
        let AccessRule { name: _, principals, requests, except, origin: _ } = rule;
        let mut who: Vec<String> = principals.iter().map(phrases::principal).collect();
        who.sort();
        format!("{} of {}", phrases::access(requests, except), who.join(" and "))
    };
    let mut texts: Vec<String> = rules.iter().map(one).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Destinations with their shares, without those that get nothing.
pub(crate) fn shares(side: &Side<'_, '_>, to: &[WeightedUpstream]) -> String {
    let drawn: Vec<&WeightedUpstream> = to.iter().filter(|one| one.weight > 0).collect();
    let shares = upstream::shares(drawn.iter().map(|one| one.weight));
    let mut texts: Vec<(String, u32)> = drawn
        .iter()
        .zip(shares)
        .map(|(one, share)| (side.upstream(&one.upstream).unwrap_or_else(|| one.upstream.clone()), share))
        .collect();
    texts.sort();
    match texts.as_slice() {
        [(only, _)] => only.clone(),
        several => {
            let whole: u32 = several.iter().map(|(_, share)| share).sum();
            let one = |(name, share): &(String, u32)| format!("{share} of {whole} to {name}");
            several.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}
