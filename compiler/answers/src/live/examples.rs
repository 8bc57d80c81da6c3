//! Requests that stand for all that a rule takes.

use meshc_plan::filter::Filter;
use meshc_plan::{AccessRequests, HttpListener, InboundProtocol, Listener, ListenerKind, VirtualHost};
use meshc_vocabulary::model::{HeaderMatch, HttpMatch, PathMatch, QueryMatch, QueryValue, StringMatch};

use crate::matching;
use crate::sent::Sent;
use crate::truth::Truth;

/// What nothing is required of.
const ANY_VALUE: &str = "any";

/// Requests for a listener: one for each route that takes one of which an example can be made, and others that are given;
/// connections need none.
pub(super) fn of_listener(listener: &Listener, more: &[Sent]) -> Vec<Sent> {
    match &listener.kind {
        ListenerKind::Http(http) => of_routes(http, more),
        ListenerKind::Tcp(_) => vec![plain(None)],
        ListenerKind::PassThrough(pass) => {
            let first = |names: &[String]| names.first().map(|name| concrete(name));
            pass.chains.iter().map(|chain| plain(first(&chain.names))).collect()
        }
        ListenerKind::Inbound(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => Vec::new(),
    }
}

fn of_routes(http: &HttpListener, more: &[Sent]) -> Vec<Sent> {
    let mut examples: Vec<Sent> = Vec::new();
    for host in http.virtual_hosts.iter() {
        let name = if http.edge { host.hosts.first().map(|name| concrete(name)) } else { None };
        let routes = host.routes.iter().enumerate().filter_map(|(position, route)| {
            let example = example(&route.matches, name.clone())?;
            reaches(host, position, &example).then_some(example)
        });
        let more =
            more.iter().map(|one| Sent { host: one.host.clone().or_else(|| name.clone()), ..one.clone() });
        for example in routes.chain(more) {
            if !examples.contains(&example) {
                examples.push(example);
            }
        }
    }
    examples
}

/// Whether the route at a position is the one that takes a request.
fn reaches(host: &VirtualHost, position: usize, example: &Sent) -> bool {
    let first = host.routes.iter().position(|route| matching::matches(&route.matches, example) != Truth::No);
    first == Some(position)
}

/// Whether some request is known that the route at a position takes, among those that are asked about.
pub(crate) fn is_met(host: &VirtualHost, position: usize, sent: &Sent) -> bool {
    if sent.method.is_some() && sent.path.is_some() && sent.headers.is_some() {
        return true;
    }
    let Some(route) = host.routes.get(position) else { return false };
    let Some(example) = example(&route.matches, None) else { return false };
    // A route before it may take the plainest one.
    let paths = example.path.iter().flat_map(|path| ["", "/~", "~"].map(|end| format!("{path}{end}")));
    let paths: Vec<String> = paths.map(|path| path.replace("//", "/")).collect();
    let methods = example.method.iter().cloned().chain(["POST", "DELETE"].map(String::from));
    methods.into_iter().any(|method| {
        paths.iter().any(|path| {
            let other = Sent { method: Some(method.clone()), path: Some(path.clone()), ..example.clone() };
            matching::matches(&route.matches, &other) == Truth::Yes && reaches(host, position, &other)
        })
    })
}

/// Which rules requests are made up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Those that admit, where it is expected that none does.
    Allow,
    /// Those that refuse, where it is expected that none does.
    Deny,
}

/// Requests of which the rules of a callee's port treat each differently, with the plainest ones first.
pub(super) fn of_rules(protocol: &InboundProtocol, which: Rules) -> Vec<Sent> {
    let mut examples = vec![plain(None)];
    let InboundProtocol::Http { filters, .. } = protocol else { return examples };
    // What one rule admits may be some methods only.
    examples.push(Sent { method: Some(String::from("POST")), ..plain(None) });
    for filter in filters {
        let Filter::Authorize(rules) = filter else { continue };
        let rules = match which {
            Rules::Allow => &rules.allow,
            Rules::Deny => &rules.deny,
        };
        for rule in rules {
            let AccessRequests { hosts, addresses: _, client_addresses: _, matches } = &rule.requests;
            let host = hosts.first().map(|host| concrete(host));
            let more = matches.iter().filter_map(|one| example(one, host.clone()));
            examples.extend(more.chain(host.clone().map(|host| plain(Some(host)))));
        }
    }
    let mut kept: Vec<Sent> = Vec::new();
    for example in examples {
        if !kept.contains(&example) {
            kept.push(example);
        }
    }
    kept
}

fn plain(host: Option<String>) -> Sent {
    Sent {
        method: Some(String::from("GET")),
        path: Some(String::from("/")),
        query: Some(String::new()),
        host,
        headers: Some(Vec::new()),
        unfit: None,
    }
}

/// A name that a pattern of hosts is for.
fn concrete(pattern: &str) -> String {
    match pattern.strip_prefix("*.") {
        Some(rest) => format!("www.{rest}"),
        None if pattern == "*" => String::from("localhost"),
        None => pattern.to_owned(),
    }
}

/// A request that meets all conditions of a match, if one can be made of them.
pub(super) fn example(conditions: &HttpMatch, host: Option<String>) -> Option<Sent> {
    let HttpMatch { path, methods, headers, queries, not: _ } = conditions;
    let methods: Vec<String> = match methods.as_slice() {
        [] => ["GET", "POST"].map(String::from).into(),
        several => several.to_vec(),
    };
    let path = match path {
        PathMatch::Any | PathMatch::Regex(_) => String::from("/"),
        PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::StartsWith(path) => path.clone(),
    };
    let headers: Vec<_> = headers.iter().filter(|one| !one.negated).map(header).collect();
    let queries: Vec<_> = queries.iter().filter(|one| !one.negated).map(query).collect();
    let all = |method: String| Sent {
        method: Some(method),
        path: Some(path.clone()),
        query: Some(queries.join("&")),
        host: host.clone(),
        headers: Some(headers.clone()),
        unfit: None,
    };
    methods.into_iter().map(all).find(|sent| matching::matches(conditions, sent) == Truth::Yes)
}

fn header(condition: &HeaderMatch) -> (String, Option<String>) {
    let value = match &condition.value {
        StringMatch::Exact(text) | StringMatch::Prefix(text) => text.clone(),
        StringMatch::Present | StringMatch::Regex(_) => String::from(ANY_VALUE),
    };
    (condition.name.clone(), Some(value))
}

fn query(condition: &QueryMatch) -> String {
    let value = match &condition.value {
        QueryValue::Exact(text) | QueryValue::Prefix(text) => text.as_str(),
        QueryValue::Present | QueryValue::Regex { .. } => ANY_VALUE,
    };
    format!("{}={value}", condition.name)
}
