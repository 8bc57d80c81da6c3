//! What becomes of requests, case by case: a case is what one route took before and one takes after.
//!
//! Cases are found with requests made up for the conditions on both sides, and for those of two rules that have changed places.
//! So a rule that is moved is a change only where another one takes its requests.

use std::collections::{BTreeMap, BTreeSet};

use meshc_answers::requests::{More, both, meeting, meeting_of, taker};
use meshc_plan::{HttpRoute, Listener, ListenerKind, ProxyPlan, VirtualHost, phrases};
use meshc_resolve::disjoint;
use meshc_vocabulary::model::{HttpMatch, NotMatch, PathMatch, QueryValue, StringMatch, contains_host};
use meshc_vocabulary::testing::Request;

use crate::changes::{Change, Facts};
use crate::effect::{Probe, Risk};
use crate::facts::{listener, routes};
use crate::side::{Side, concrete};

/// How many routes of a host are asked for a request that it takes.
const FEW: usize = 8;

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
            let named = hosts.iter().flat_map(|host| host.hosts.iter().map(move |name| (host, name)));
            named.map(|(host, name)| taken(&at, host, name, comes)).collect()
        }
    }
}

fn taken(at: &str, host: &VirtualHost, name: &str, comes: bool) -> Change {
    let mut requests = vec![plain(Some(&concrete(name)))];
    let routes = host.routes.iter().take(FEW);
    requests
        .extend(routes.flat_map(|route| meeting(&route.matches, Some(&concrete(name))).into_iter().take(1)));
    let value = || Some(String::from("taken"));
    Change {
        risk: if comes { Risk::Exposure } else { Risk::NarrowedAccess },
        aspect: format!("requests for {name}"),
        subject: at.to_owned(),
        place: String::new(),
        before: if comes { None } else { value() },
        after: if comes { value() } else { None },
        probe: Probe::Arrival { at: at.to_owned(), requests },
    }
}

fn plain(host: Option<&str>) -> Request {
    let (method, path) = (String::from("GET"), String::from("/"));
    Request { method, path, host: host.map(str::to_owned), headers: Vec::new() }
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
                    (None, Some(host)) => changes.push(taken(at, host, name, true)),
                    (Some(host), None) => changes.push(taken(at, host, name, false)),
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
    let mut entering: Vec<Request> =
        [before, after].into_iter().flat_map(|host| entering(host, at.host)).collect();
    entering.dedup();
    for change in &mut changes {
        let shows = if change.aspect == routes::ADMITS { &entering } else { &requests };
        change.probe = at.sender.probe(shows.clone());
    }
    changes
}

/// Requests that rules for clients outside are about.
fn entering(host: &VirtualHost, name: Option<&str>) -> Vec<Request> {
    let rules = host.entrance.rules.iter().flat_map(|rules| rules.deny.iter().chain(&rules.allow));
    let meant = rules.flat_map(|rule| {
        let excepted = rule.except.iter().flat_map(|except| &except.requests.matches);
        rule.requests.matches.iter().chain(excepted)
    });
    let meant = meant.flat_map(|matches| meeting(matches, name).into_iter().take(2));
    meant.chain([plain(name)]).collect()
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
    let mut alike: Vec<(&HttpRoute, &HttpRoute)> = Vec::new();
    for ((was, is), requests) in found {
        let was = was.and_then(|position| before.routes.get(position));
        let is = is.and_then(|position| after.routes.get(position));
        let own = case((old, was), (new, is), at, &requests);
        match (was, is) {
            (Some(was), Some(is)) if own.is_empty() => alike.push((was, is)),
            (Some(_) | None, Some(_) | None) => {}
        }
        changes.extend(own);
    }
    let is_new = |(was, is): &(&HttpRoute, &HttpRoute)| {
        let stays = mine.iter().any(|one| one.matches == is.matches)
            || theirs.iter().any(|one| one.matches == was.matches);
        !stays && expressions(&was.matches) != expressions(&is.matches)
    };
    changes.extend(alike.into_iter().filter(is_new).map(|(was, is)| rewritten(was, is, at)));
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

/// A rule with another expression, of which all requests that were made up are decided alike: others need not be, so what is written
/// is told.
fn rewritten(was: &HttpRoute, is: &HttpRoute, at: &Where<'_>) -> Change {
    Change {
        risk: match at.sender {
            Sender::Gateway(_) => Risk::Exposure,
            Sender::Sidecar { .. } => Risk::Routing,
        },
        aspect: String::from("a rule takes"),
        subject: at.subject.to_owned(),
        place: at.place.to_owned(),
        before: Some(phrases::matches(&was.matches)),
        after: Some(phrases::matches(&is.matches)),
        probe: Probe::None,
    }
}

/// The expressions of conditions: of what these mean, requests made up are only some of many kinds.
fn expressions(matches: &HttpMatch) -> BTreeSet<&str> {
    let HttpMatch { path, methods: _, headers, queries, not } = matches;
    let excepted = not.iter().filter_map(|not| match not {
        NotMatch::Path(path) => expression_of(path),
        NotMatch::Methods(_) => None,
    });
    let headers = headers.iter().filter_map(|header| match &header.value {
        StringMatch::Regex(expression) => Some(expression.as_str()),
        StringMatch::Present | StringMatch::Exact(_) | StringMatch::Prefix(_) => None,
    });
    let queries = queries.iter().filter_map(|query| match &query.value {
        QueryValue::Regex { expression, is_met_by_nothing: _ } => Some(expression.as_str()),
        QueryValue::Present | QueryValue::Exact(_) | QueryValue::Prefix(_) => None,
    });
    expression_of(path).into_iter().chain(excepted).chain(headers).chain(queries).collect()
}

fn expression_of(path: &PathMatch) -> Option<&str> {
    match path {
        PathMatch::Regex(expression) => Some(expression.as_str()),
        PathMatch::Any | PathMatch::Exact(_) | PathMatch::Prefix(_) | PathMatch::StartsWith(_) => None,
    }
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
    let outside = match at.sender {
        Sender::Gateway(_) => true,
        Sender::Sidecar { .. } => false,
    };
    let sides = [(&mut facts.0, &was_told, old, was), (&mut facts.1, &is_told, new, is)];
    for (facts, told, side, route) in sides {
        facts.exists(&subject);
        for (aspect, whom) in route.filter(|_| outside).iter().flat_map(|route| routes::reached(side, route))
        {
            facts.reach(&subject, aspect, whom);
        }
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
        let few = match change.risk {
            // Of those that newly reach somebody, one that is admitted there.
            Risk::Exposure => FEW,
            Risk::WidenedAccess
            | Risk::Mtls
            | Risk::Trust
            | Risk::NarrowedAccess
            | Risk::Routing
            | Risk::Limits
            | Risk::Timeouts
            | Risk::Retries
            | Risk::Resilience
            | Risk::Requests
            | Risk::Deployment => 1,
        };
        let asked: Vec<Request> = requests.iter().take(few).cloned().collect();
        change.probe = if asked.is_empty() { Probe::None } else { at.sender.probe(asked) };
    }
    changes
}
