//! Listeners as text.

use super::{Text, parts, words};
use crate::filter::{Abort, Cors, Delay, Filter, HeaderChanges, HeaderPart, Mirror, PathChange, Rewrite};
use crate::{
    AccessException, AccessRequests, AccessRule, AppMetrics, AppPort, Audit, Authorization, Carried,
    ClientCertificates, ClientName, ClientRanges, Deadlines, Entrance, GlobalLimit, HttpAction, HttpListener,
    HttpRoute, InboundChain, InboundListener, InboundProtocol, Limit, LimitBucket, LimitCondition, Listener,
    ListenerKind, LocalLimit, MetricsListener, PassThrough, PassThroughChain, PeerCheck, Principal,
    ProbeCheck, RATE_LIMIT_UPSTREAM, Redirect, Respond, ServerCertificate, ServerTls, Socket, StatusListener,
    TcpListener, Told, VirtualHost, key_name,
};
use meshc_vocabulary::model::DeadShare;
use meshc_vocabulary::model::answer::Scheme;
use meshc_vocabulary::model::filter::Refused;
use meshc_vocabulary::model::policy::{AddressRange, Enforcement, OnError};
use meshc_vocabulary::model::{ClientCertificate, HeaderMatch, Http10, HttpMatch, HttpVersion};

pub(super) fn dump(text: &mut Text, listener: &Listener) {
    let Listener { name, address, socket, proxy_protocol, kind, origin } = listener;
    let socket = match socket {
        Socket::Own => "",
        Socket::Redirected => ", redirected",
    };
    let header = if *proxy_protocol { ", PROXY protocol" } else { "" };
    text.line(format!("listener {name} {address}{socket}{header}, from {}", origin.name));
    text.nested(|text| match kind {
        ListenerKind::Http(http) => self::http(text, http),
        ListenerKind::Tcp(TcpListener { tls, to, connect_attempts, dead_share, idle_timeout, clients }) => {
            if let Some(tls) = tls {
                server_tls(text, tls);
            }
            let idle = idle_timeout.map(|idle| format!("idle {}", words::duration(idle)));
            let attempts = format!("{connect_attempts} attempts");
            let to = format!("bytes -> {}", words::shares(to));
            text.line(parts([
                Some(to),
                dead(*dead_share),
                Some(attempts),
                idle,
                self::clients(clients.as_ref()),
            ]));
        }
        ListenerKind::Inbound(InboundListener { chains }) => {
            for chain in chains {
                inbound(text, chain);
            }
        }
        ListenerKind::PassThrough(PassThrough { hello_timeout, chains }) => {
            text.line(format!("hello within {}", words::duration(*hello_timeout)));
            for chain in chains {
                let PassThroughChain {
                    names,
                    to,
                    dead_share,
                    idle_timeout,
                    connect_attempts,
                    carries,
                    clients,
                    origin,
                } = chain;
                let idle = idle_timeout.map(|idle| format!("idle {}", words::duration(idle)));
                text.line(parts([
                    Some(format!("{} -> {}", names.join(" "), words::shares(to))),
                    dead(*dead_share),
                    Some(format!("{connect_attempts} attempts")),
                    idle,
                    self::carries(*carries),
                    self::clients(clients.as_ref()),
                    Some(format!("from {}", origin.name)),
                ]));
            }
        }
        ListenerKind::Redirected => text.line("to the listener of the original destination"),
        ListenerKind::Readiness(StatusListener { probes }) => {
            for ProbeCheck { kind, upstream, path, timeout } in probes {
                let timeout = words::duration(*timeout);
                text.line(format!("{} -> {path} of {upstream}, {timeout}", words::probe(*kind)));
            }
        }
        ListenerKind::Metrics(MetricsListener { app }) => {
            if let Some(AppMetrics { upstream, path }) = app {
                text.line(format!("the application's at {path} of {upstream}"));
            }
        }
    });
}

fn http(text: &mut Text, listener: &HttpListener) {
    let HttpListener { edge, tls, http10, entrance, limits, virtual_hosts } = listener;
    if *edge {
        text.line("clients are strangers");
    }
    if let Some(Http10 { default_host }) = http10 {
        let host = default_host
            .as_deref()
            .map_or_else(String::new, |host| format!(", for {host} where they name no host"));
        text.line(format!("they may speak HTTP/1.0{host}"));
    }
    if let Some(tls) = tls {
        server_tls(text, tls);
    }
    self::entrance(text, entrance);
    self::limits(text, limits);
    for VirtualHost { name, hosts, entrance, limits, routes, origin } in virtual_hosts.iter() {
        text.line(format!("host {name}: {}, from {}", hosts.join(" "), origin.name));
        text.nested(|text| {
            self::entrance(text, entrance);
            self::limits(text, limits);
            for route in routes {
                self::route(text, route);
            }
        });
    }
}

/// From where connections are taken.
pub(super) fn clients(clients: Option<&ClientRanges>) -> Option<String> {
    let ClientRanges { admitted, refused } = clients?;
    let but = if refused.is_empty() { "" } else { " but not " };
    Some(format!("of clients {}{but}{}", ranges(admitted).join(" "), ranges(refused).join(" ")))
}

fn ranges(ranges: &[AddressRange]) -> Vec<String> {
    ranges.iter().map(ToString::to_string).collect()
}

fn dead(share: DeadShare) -> Option<String> {
    match share {
        DeadShare::Kept => None,
        DeadShare::ToOthers => Some(String::from("the others take the share of one that is dead")),
    }
}

pub(super) fn server_tls(text: &mut Text, tls: &ServerTls) {
    let ServerTls { certificates, minimum_version, alpn, clients } = tls;
    let oldest = words::tls_version(*minimum_version);
    let offered: Vec<_> = alpn
        .iter()
        .map(|version| match version {
            HttpVersion::Http1 => "HTTP/1.1",
            HttpVersion::Http2 => "HTTP/2",
        })
        .collect();
    let offered = (!offered.is_empty()).then(|| offered.join(" "));
    text.line(parts([Some(format!("TLS {oldest} or later")), offered]));
    if let Some(ClientCertificates { secret, presence, refused }) = clients {
        let presence = match presence {
            ClientCertificate::Required => "required",
            ClientCertificate::Optional => "optional",
        };
        let refused = (!refused.is_empty()).then(|| format!("none of {}", refused.join(" ")));
        text.line(parts([Some(format!("clients of {secret} {presence}")), refused]));
    }
    for ServerCertificate { secret, hosts } in certificates {
        text.line(format!("certificate {secret} for {}", hosts.join(" ")));
    }
}

fn route(text: &mut Text, route: &HttpRoute) {
    let HttpRoute { matches, filters, action, origin } = route;
    let (to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines) = match action {
        HttpAction::Forward { to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines } => {
            (to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines)
        }
        HttpAction::Redirect(redirect) => {
            let redirect = self::redirect(redirect);
            text.line(format!("{} redirected {redirect}, from {}", words::matches(matches), origin.name));
            return text.nested(|text| self::filters(text, filters));
        }
        HttpAction::Respond(Respond { status, body, content_type }) => {
            let kind = content_type.as_deref().unwrap_or("text/plain");
            let answer = format!("{status} {kind} {body:?}");
            text.line(format!("{} answered {answer}, from {}", words::matches(matches), origin.name));
            return text.nested(|text| self::filters(text, filters));
        }
    };
    let to: Vec<_> = to.iter().map(|one| format!("{} x{}", one.upstream, one.weight)).collect();
    text.line(format!("{} -> {}, from {}", words::matches(matches), to.join(" | "), origin.name));
    text.nested(|text| {
        self::filters(text, filters);
        if !hash.is_empty() {
            text.line(format!("endpoint by {}", words::hash_keys(hash)));
        }
        let timeout =
            timeout.map_or(String::from("no timeout"), |it| format!("timeout {}", words::duration(it)));
        let idle = idle_timeout.map(|it| format!("idle {}", words::duration(it)));
        let deadlines = match deadlines {
            Deadlines::Unknown => None,
            Deadlines::OfGrpc => Some(String::from("time of gRPC")),
        };
        text.line(parts([Some(timeout), idle, words::upgrades(upgrades), deadlines, dead(*dead_share)]));
        text.line(words::retry(retry));
    });
}

fn carries(carries: Carried) -> Option<String> {
    match carries {
        Carried::Calls => None,
        Carried::Checks => Some(String::from("health checks")),
    }
}

fn inbound(text: &mut Text, chain: &InboundChain) {
    let InboundChain { sni, subset_sni, peers, protocol, plain, app, carries, origin } = chain;
    let AppPort { upstream, port } = app;
    text.line(parts([
        Some(format!("{sni} -> {upstream} ({port})")),
        self::carries(*carries),
        Some(format!("from {}", origin.name)),
    ]));
    text.nested(|text| {
        if let Some(sni) = subset_sni {
            text.line(format!("also {sni}"));
        }
        match peers {
            PeerCheck::TrustDomains(domains) => text.line(format!("peers of {}", domains.join(" "))),
            PeerCheck::Exactly(peers) => {
                for peer in peers {
                    text.line(format!("peer {peer}"));
                }
            }
            PeerCheck::Nobody => text.line("no peers"),
        }
        inbound_protocol(text, protocol);
        if let Some(plain) = plain {
            text.line("plain connections");
            text.nested(|text| inbound_protocol(text, plain));
        }
    });
}

fn inbound_protocol(text: &mut Text, protocol: &InboundProtocol) {
    match protocol {
        InboundProtocol::Http { app_http2, upgrades, vouching, told, retry, filters } => {
            let spoken = if *app_http2 { "http, application speaks HTTP/2" } else { "http" };
            text.line(parts([Some(spoken.to_owned()), words::upgrades(upgrades)]));
            for gateway in vouching {
                text.line(format!("clients as {gateway} says"));
            }
            match told {
                Told::Caller => {}
                Told::Nothing => text.line("nothing is said of the caller"),
            }
            if let Some(retry) = retry {
                text.line(words::retry(retry));
            }
            self::filters(text, filters);
        }
        InboundProtocol::Tcp { connect_attempts } => text.line(format!("tcp, {connect_attempts} attempts")),
        InboundProtocol::Tls { names, hello_timeout, connect_attempts } => {
            text.line(words::inside(names, *hello_timeout, *connect_attempts));
        }
    }
}

fn entrance(text: &mut Text, entrance: &Entrance) {
    let Entrance { rules, tried } = entrance;
    let rules = rules.clone().map(Filter::Authorize);
    let rules: Vec<_> = rules.into_iter().chain(tried.clone().map(Filter::Audit)).collect();
    filters(text, &rules);
}

fn limits(text: &mut Text, limits: &[Limit]) {
    let filters: Vec<Filter> = limits.iter().map(Limit::filter).collect();
    self::filters(text, &filters);
}

pub(super) fn filters(text: &mut Text, filters: &[Filter]) {
    for filter in filters {
        match filter {
            Filter::Authorize(Authorization { deny, allow }) => {
                for rule in deny {
                    access(text, "deny", rule);
                }
                for rule in allow {
                    access(text, "allow", rule);
                }
            }
            Filter::Audit(Audit { deny, allow }) => {
                for rule in deny {
                    access(text, "tried: deny", rule);
                }
                for rule in allow.iter().flatten() {
                    access(text, "tried: allow", rule);
                }
                if allow.as_ref().is_some_and(Vec::is_empty) {
                    text.line("tried: allow no one");
                }
            }
            Filter::LocalLimit(LocalLimit { name, matches, buckets, mode, origin }) => {
                let tried = tried(*mode);
                text.line(format!(
                    "{tried}local limit {name} of {}, from {}",
                    words::matches(matches),
                    origin.name
                ));
                self::buckets(text, buckets);
            }
            Filter::GlobalLimit(limit) => global_limit(text, limit),
            Filter::RequestHeaders(changes) => headers(text, "request", changes),
            Filter::ResponseHeaders(changes) => headers(text, "answer", changes),
            Filter::Cors(cors) => self::cors(text, cors),
            Filter::Delay(Delay { headers, share, time }) => {
                let (of, time) = (of(headers), words::duration(*time));
                text.line(format!("{share} of a million of {of} wait {time}"));
            }
            Filter::Abort(Abort { headers, share, with }) => {
                let with = match with {
                    Refused::Status(status) => status.to_string(),
                    Refused::Grpc(status) => format!("gRPC's {status}"),
                };
                text.line(format!("{share} of a million of {} refused with {with}", of(headers)));
            }
            Filter::Rewrite(Rewrite { path, host }) => {
                let path = path.as_ref().map(|change| format!("path becomes {}", self::path(change)));
                text.line(parts([path, host.as_ref().map(|host| format!("host becomes {host}"))]));
            }
            Filter::Mirror(Mirror { upstream, share }) => {
                text.line(format!("{share} of a million copied -> {upstream}"));
            }
        }
    }
}

fn of(headers: &[HeaderMatch]) -> String {
    words::matches(&HttpMatch { headers: headers.to_vec(), ..HttpMatch::EVERYTHING })
}

fn cors(text: &mut Text, cors: &Cors) {
    let Cors { allow_origins, allow_methods, allow_headers, expose_headers, max_age, allow_credentials } =
        cors;
    let origins: Vec<_> = allow_origins.iter().map(|origin| format!("{origin:?}")).collect();
    let some = |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name} {value}"));
    text.line(parts([
        Some(format!("pages of {}", origins.join(" "))),
        some("methods", allow_methods),
        some("headers", allow_headers),
        some("exposed", expose_headers),
        some("for", max_age),
        allow_credentials.then(|| String::from("with cookies")),
    ]));
}

pub(super) fn redirect(redirect: &Redirect) -> String {
    let Redirect { scheme, host, port, usual_port, path, status } = redirect;
    let scheme = scheme.map(|scheme| match scheme {
        Scheme::Http => String::from("http"),
        Scheme::Https => String::from("https"),
    });
    parts([
        Some(status.to_string()),
        scheme,
        host.clone(),
        port.map(|port| format!("port {port}")),
        usual_port.map(|port| format!("port {port} for any")),
        path.as_ref().map(self::path),
    ])
}

pub(super) fn path(change: &PathChange) -> String {
    match change {
        PathChange::Full(path) => path.clone(),
        PathChange::Prefix { from, to } => format!("{to}/… for {from}/…"),
        PathChange::Regex { expression, substitution } => format!("{substitution} for {expression}"),
    }
}

fn headers(text: &mut Text, of: &str, changes: &HeaderChanges) {
    let HeaderChanges { set, add, remove } = changes;
    for (name, value) in set {
        text.line(format!("{of} gets {name}: {}", self::value(value)));
    }
    for (name, value) in add {
        text.line(format!("{of} gets one more {name}: {}", self::value(value)));
    }
    for name in remove {
        text.line(format!("{of} loses {name}"));
    }
}

fn value(parts: &[HeaderPart]) -> String {
    let parts = parts.iter().map(|part| match part {
        HeaderPart::Text(text) => text.clone(),
        HeaderPart::Property(property) => format!("${{{property:?}}}"),
    });
    parts.collect()
}

fn access(text: &mut Text, verb: &str, rule: &AccessRule) {
    let AccessRule { name, principals, requests, except, origin } = rule;
    text.line(format!("{verb} {name}: {}, from {}", self::requests(requests), origin.name));
    text.nested(|text| {
        for principal in principals {
            text.line(who(principal));
        }
        for AccessException { principals, requests } in except {
            text.line(format!("but not {}", self::requests(requests)));
            text.nested(|text| {
                for principal in principals {
                    text.line(who(principal));
                }
            });
        }
    });
}

pub(super) fn who(principal: &Principal) -> String {
    match principal {
        Principal::Identity(id) => id.to_string(),
        Principal::Namespace { trust_domain, namespace } => {
            format!("all of namespace {namespace} in {trust_domain}")
        }
        Principal::Client(ClientName::Exact(name)) => format!("client {name}"),
        Principal::Client(ClientName::Prefix(prefix)) => format!("client {prefix}*"),
        Principal::Anyone => String::from("anyone"),
    }
}

pub(super) fn requests(requests: &AccessRequests) -> String {
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    let everything = [HttpMatch::EVERYTHING];
    let matches = words::any_of(if matches.is_empty() { &everything } else { matches });
    let (addresses, client_addresses) = (ranges(addresses), ranges(client_addresses));
    let listed = |what, list: &[String]| (!list.is_empty()).then(|| format!("{what} {}", list.join(" ")));
    parts([
        Some(matches),
        listed("of host", hosts),
        listed("from", &addresses),
        listed("of clients", &client_addresses),
    ])
}

fn global_limit(text: &mut Text, limit: &GlobalLimit) {
    let GlobalLimit { upstream, domain, matches, buckets, mode, on_error, timeout, origin } = limit;
    let on_error = match on_error {
        OnError::Allow => "allow",
        OnError::Deny => "deny",
    };
    let tried = tried(*mode);
    text.line(format!("{tried}global limit {domain} of {}, from {}", words::matches(matches), origin.name));
    let asked =
        if upstream == RATE_LIMIT_UPSTREAM { String::new() } else { format!(", asked at {upstream}") };
    text.nested(|text| text.line(format!("within {}, else {on_error}{asked}", words::duration(*timeout))));
    self::buckets(text, buckets);
}

const fn tried(mode: Enforcement) -> &'static str {
    match mode {
        Enforcement::Enforced => "",
        Enforcement::Audited => "tried: ",
    }
}

fn buckets(text: &mut Text, buckets: &[LimitBucket]) {
    text.nested(|text| {
        for LimitBucket { value, condition, keys, requests, burst, per } in buckets {
            let condition = match condition {
                LimitCondition::Always => String::from("always"),
                LimitCondition::HeaderIs { header, value } => format!("if {header} = {value}"),
                LimitCondition::HeaderIsNoneOf { header, values } => {
                    format!("if {header} is none of {}", values.join(" "))
                }
            };
            let keys: Vec<_> = keys.iter().map(key_name).collect();
            text.line(parts([
                Some(format!("{value}: {requests} per {} {condition}", words::duration(*per))),
                (burst != requests).then(|| format!("{burst} at once")),
                (!keys.is_empty()).then(|| format!("for each {}", keys.join(" and "))),
            ]));
        }
    });
}
