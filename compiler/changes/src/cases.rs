//! What becomes of requests, case by case: a case is what one route took before and one takes after.
//!
//! Cases are found with requests made up for the conditions on both sides, and for those of two rules that have changed places.
//! So a rule that is moved is a change only where another one takes its requests.

use std::collections::BTreeMap;

use meshc_answers::requests::{More, both, meeting_of, taker};
use meshc_plan::{HttpRoute, Listener, ListenerKind, ProxyPlan, VirtualHost, phrases};
use meshc_resolve::disjoint;
use meshc_vocabulary::model::{HttpMatch, contains_host};
use meshc_vocabulary::testing::Request;

use crate::changes::{Change, Facts};
use crate::effect::{Probe, Risk};
use crate::facts::{listener, routes};
use crate::side::{Side, concrete};

/// What a gateway or a sidecar does with requests for a host that no route is for.
const NO_ROUTE: &str = "no route: 404";

/// How requests are sent that show a case.
#[derive(Clone, Debug)]
enum Sender {
    Gateway(String),
    Sidecar { from: String, to: String },
}

impl Sender {
    fn probe(&self, requests: Vec<Request>) -> Probe {
        match self {
            Self::Gateway(at) => Probe::Arrival { at: at.clone(), requests },
            Self::Sidecar { from, to } => Probe::Call { from: vec![from.clone()], to: to.clone(), requests },
        }
    }
}

/// What a proxy that is there on both sides does differently with requests.
pub(crate) fn compare(
    (old, before): (&Side<'_, '_>, &ProxyPlan),
    (new, after): (&Side<'_, '_>, &ProxyPlan),
) -> Vec<Change> {
    let (was, is) = (hosts(old, before), hosts(new, after));
    let mut changes = Vec::new();
    let place = new.place(after);
    for (subject, hosts) in &was {
        match (subject.as_str(), is.get(subject)) {
            (_, Some(others)) => {
                changes.extend(at_listener((old, hosts), (new, others), subject, &place));
            }
            (subject, None) => changes.extend(comes_or_goes(hosts, subject, false)),
        }
    }
    for (subject, hosts) in is.iter().filter(|(subject, _)| !was.contains_key(*subject)) {
        changes.extend(comes_or_goes(hosts, subject, true));
    }
    changes
}

/// What a gateway took that is gone.
pub(crate) fn gone(old: &Side<'_, '_>, proxy: &ProxyPlan) -> Vec<Change> {
    let all = hosts(old, proxy);
    all.iter().flat_map(|(subject, hosts)| comes_or_goes(hosts, subject, false)).collect()
}

/// What a new gateway takes.
pub(crate) fn added(new: &Side<'_, '_>, proxy: &ProxyPlan) -> Vec<Change> {
    let all = hosts(new, proxy);
    all.iter().flat_map(|(subject, hosts)| comes_or_goes(hosts, subject, true)).collect()
}

/// The hosts of each listener for HTTP, by what it is called.
fn hosts<'m>(side: &Side<'_, '_>, proxy: &'m ProxyPlan) -> BTreeMap<String, &'m [VirtualHost]> {
    let owner = side.owner(proxy);
    let http = |listener: &'m Listener| match &listener.kind {
        ListenerKind::Http(http) => {
            Some((listener::subject(side, &owner, listener)?, http.virtual_hosts.as_ref()))
        }
        ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    };
    proxy.listeners.iter().filter_map(http).collect()
}

fn sender(subject: &str) -> Sender {
    match subject.split_once(" -> ") {
        Some((from, to)) => Sender::Sidecar { from: from.to_owned(), to: to.to_owned() },
        None => Sender::Gateway(subject.to_owned()),
    }
}

/// The hosts of a gateway's port that comes or goes; a call that does is told by who may call.
fn comes_or_goes(hosts: &[VirtualHost], subject: &str, comes: bool) -> Vec<Change> {
    match sender(subject) {
        Sender::Sidecar { .. } => Vec::new(),
        Sender::Gateway(at) => {
            hosts.iter().flat_map(|host| host.hosts.iter()).map(|host| taken(&at, host, comes)).collect()
        }
    }
}

fn taken(at: &str, host: &str, comes: bool) -> Change {
    let request = Request {
        method: String::from("GET"),
        path: String::from("/"),
        host: Some(concrete(host)),
        headers: Vec::new(),
    };
    let value = || Some(String::from("taken"));
    Change {
        risk: if comes { Risk::Exposure } else { Risk::NarrowedAccess },
        aspect: format!("requests for {host}"),
        subject: at.to_owned(),
        place: String::new(),
        before: if comes { None } else { value() },
        after: if comes { value() } else { None },
        probe: Probe::Arrival { at: at.to_owned(), requests: vec![request] },
    }
}

fn at_listener(
    (old, was): (&Side<'_, '_>, &[VirtualHost]),
    (new, is): (&Side<'_, '_>, &[VirtualHost]),
    subject: &str,
    place: &str,
) -> Vec<Change> {
    let sender = sender(subject);
    match &sender {
        // Applications name the callee; its listener has one host.
        Sender::Sidecar { .. } => match (was.first(), is.first()) {
            (Some(before), Some(after)) => {
                cases((old, before), (new, after), &Where { subject, place, host: None, sender: &sender })
            }
            (None, _) | (_, None) => Vec::new(),
        },
        Sender::Gateway(at) => {
            let mut names: Vec<&String> = was.iter().chain(is).flat_map(|host| host.hosts.iter()).collect();
            names.sort();
            names.dedup();
            let mut changes = Vec::new();
            for name in names {
                match (serving(was, name), serving(is, name)) {
                    (None, None) => {}
                    (None, Some(_)) => changes.push(taken(at, name, true)),
                    (Some(_), None) => changes.push(taken(at, name, false)),
                    (Some(before), Some(after)) => {
                        let own = format!("{subject} {name}");
                        let host = concrete(name);
                        let at = Where { subject: &own, place, host: Some(&host), sender: &sender };
                        changes.extend(of_host(before, after, &at));
                        changes.extend(cases((old, before), (new, after), &at));
                    }
                }
            }
            changes
        }
    }
}

/// The host whose routes take requests for a name: the most specific one.
fn serving<'m>(hosts: &'m [VirtualHost], name: &str) -> Option<&'m VirtualHost> {
    let nearness = |host: &&VirtualHost| {
        let fitting = host.hosts.iter().filter(|pattern| contains_host(pattern, name));
        fitting.map(|pattern| (pattern == name, pattern.len())).max()
    };
    hosts.iter().filter(|host| nearness(host).is_some()).max_by_key(nearness)
}

/// Whose requests are compared.
struct Where<'a> {
    subject: &'a str,
    place: &'a str,
    host: Option<&'a str>,
    sender: &'a Sender,
}

/// What is so of all requests for a host.
fn of_host(before: &VirtualHost, after: &VirtualHost, at: &Where<'_>) -> Vec<Change> {
    let told = |host: &VirtualHost| {
        let VirtualHost { name: _, hosts: _, entrance, limits, routes: _, origin: _ } = host;
        let mut facts = Facts::default();
        facts.exists(at.subject);
        for (risk, aspect, value) in routes::entrance(entrance) {
            facts.tell(risk, at.subject, aspect, value);
        }
        listener::limits(limits, at.subject, &mut facts);
        facts
    };
    let mut changes = told(before).changes(&told(after));
    let limits = before.limits.iter().chain(&after.limits);
    let mut requests: Vec<Request> =
        limits.flat_map(|limit| crate::facts::limits::samples(limit, at.host)).collect();
    requests.dedup();
    for change in &mut changes {
        change.probe = at.sender.probe(requests.clone());
    }
    changes
}

fn cases(
    (old, before): (&Side<'_, '_>, &VirtualHost),
    (new, after): (&Side<'_, '_>, &VirtualHost),
    at: &Where<'_>,
) -> Vec<Change> {
    let mut found: BTreeMap<(Option<usize>, Option<usize>), Vec<Request>> = BTreeMap::new();
    let mut unmet: Vec<&HttpMatch> = Vec::new();
    let all = conditions(&before.routes, &after.routes);
    let mut more = More::default();
    let (mine, theirs) = (&before.routes, &after.routes);
    for (routes, others) in [(mine, theirs), (theirs, mine)] {
        let alone = routes.iter().filter(|one| others.iter().all(|other| other.matches != one.matches));
        alone.for_each(|route| more.add(&route.matches));
    }
    for conditions in &all {
        let requests = meeting_of(conditions, at.host, &more);
        if requests.is_empty() {
            unmet.push(conditions);
        }
        for request in requests {
            let case = (taker(&before.routes, &request), taker(&after.routes, &request));
            found.entry(case).or_default().push(request);
        }
    }
    let mut changes = Vec::new();
    for ((was, is), requests) in found {
        let was = was.and_then(|position| before.routes.get(position));
        let is = is.and_then(|position| after.routes.get(position));
        changes.extend(case((old, was), (new, is), at, &requests));
    }
    // Of conditions of which no request can be made, what is written is compared.
    for conditions in unmet {
        let own = |routes: &'_ [HttpRoute]| routes.iter().position(|route| route.matches == *conditions);
        let was = own(&before.routes).and_then(|position| before.routes.get(position));
        let is = own(&after.routes).and_then(|position| after.routes.get(position));
        if was.is_some() || is.is_some() {
            changes.extend(case((old, was), (new, is), at, &[]));
        }
    }
    changes
}

/// The conditions of both sides, each once, and those of two rules that changed places.
fn conditions(before: &[HttpRoute], after: &[HttpRoute]) -> Vec<HttpMatch> {
    let mut all: Vec<HttpMatch> = Vec::new();
    for route in before.iter().chain(after) {
        if !all.contains(&route.matches) {
            all.push(route.matches.clone());
        }
    }
    let place = |routes: &[HttpRoute], own: &HttpMatch| routes.iter().position(|route| route.matches == *own);
    let single = all.clone();
    for (position, one) in single.iter().enumerate() {
        for other in single.iter().skip(position + 1) {
            let was = place(before, one).zip(place(before, other));
            let is = place(after, one).zip(place(after, other));
            let swapped = was.zip(is).is_some_and(|((a, b), (c, d))| (a < b) != (c < d));
            if swapped && !disjoint(one, other) {
                all.push(both(one, other));
            }
        }
    }
    all
}

fn case(
    (old, was): (&Side<'_, '_>, Option<&HttpRoute>),
    (new, is): (&Side<'_, '_>, Option<&HttpRoute>),
    at: &Where<'_>,
    requests: &[Request],
) -> Vec<Change> {
    let told = |side: &Side<'_, '_>, route: Option<&HttpRoute>| {
        let none = || vec![(Risk::Routing, routes::GOES.to_owned(), NO_ROUTE.to_owned())];
        route.map_or_else(none, |route| routes::told(side, route))
    };
    let (was_told, is_told) = (told(old, was), told(new, is));
    let by_proxy = |all: &[routes::Told]| {
        all.iter().any(|(_, aspect, value)| {
            aspect == routes::GOES && (value.starts_with("the client, ") || value == NO_ROUTE)
        })
    };
    let mut matches = match (was, is) {
        (Some(was), Some(is)) => both(&was.matches, &is.matches),
        (Some(one), None) | (None, Some(one)) => one.matches.clone(),
        (None, None) => return Vec::new(),
    };
    // Of several methods, only those of which requests are a case of this kind.
    let met = |method: &String| requests.is_empty() || requests.iter().any(|one| one.method == *method);
    matches.methods.retain(met);
    let conditions = phrases::matches(&matches);
    let subject = if matches == HttpMatch::EVERYTHING {
        at.subject.to_owned()
    } else {
        format!("{}, {conditions}", at.subject)
    };
    let mut facts = (Facts::default(), Facts::default());
    for (facts, told) in [(&mut facts.0, &was_told), (&mut facts.1, &is_told)] {
        facts.exists(&subject);
        for (risk, aspect, value) in told {
            facts.tell(*risk, &subject, aspect.as_str(), value.as_str());
        }
    }
    let mut changes = facts.0.changes(&facts.1);
    // What a proxy answers itself is sent nowhere, so nothing is so of how it is sent.
    if by_proxy(&was_told) != by_proxy(&is_told) {
        changes.retain(|change| change.aspect == routes::GOES);
    }
    for change in &mut changes {
        at.place.clone_into(&mut change.place);
        let first = requests.first();
        change.probe = first.map_or(Probe::None, |request| at.sender.probe(vec![request.clone()]));
    }
    changes
}
