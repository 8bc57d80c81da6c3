//! Words for the closed sets of the vocabulary, and short forms of values.

use std::time::Duration;

use meshc_vocabulary::model::{
    Bind, HeaderMatch, HttpMatch, Mtls, NetworkPolicyEnforcement, NotMatch, PathMatch, ProbeKind, Protocol,
    QueryMatch, QueryValue, StringMatch, TlsVersion, Upgrade,
};

use meshc_vocabulary::model::policy::{BackOff, CookieTtl, GrpcStatus, HashKey};

use super::parts;
use crate::{Elsewhere, REPLAYED_BODY, RetryPlan, RetryReason, WeightedUpstream};

pub(super) const fn network_policy(enforcement: NetworkPolicyEnforcement) -> &'static str {
    match enforcement {
        NetworkPolicyEnforcement::Enforced => "enforced",
        NetworkPolicyEnforcement::None => "none",
    }
}

pub(super) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http",
        Protocol::Http2 => "http2",
        Protocol::Grpc => "grpc",
        Protocol::Tcp => "tcp",
        Protocol::Tls => "tls",
    }
}

pub(super) const fn tls_version(oldest: TlsVersion) -> &'static str {
    match oldest {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}

pub(super) const fn bind(bind: Bind) -> &'static str {
    match bind {
        Bind::Loopback => "loopback",
        Bind::Any => "any address",
    }
}

pub(super) const fn mtls(mtls: Mtls) -> &'static str {
    match mtls {
        Mtls::Strict => "strict",
        Mtls::Permissive => "permissive",
        Mtls::Off => "off",
    }
}

pub(super) const fn probe(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "liveness",
        ProbeKind::Readiness => "readiness",
        ProbeKind::Startup => "startup",
    }
}

fn retry_reason(reason: &RetryReason) -> String {
    match reason {
        RetryReason::ServerError => String::from("5xx"),
        RetryReason::Statuses(statuses) => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
        RetryReason::Grpc(statuses) => {
            let names = statuses.iter().map(|status| match status {
                GrpcStatus::Cancelled => "gRPC cancelled",
                GrpcStatus::DeadlineExceeded => "gRPC deadline-exceeded",
                GrpcStatus::ResourceExhausted => "gRPC resource-exhausted",
                GrpcStatus::Internal => "gRPC internal",
                GrpcStatus::Unavailable => "gRPC unavailable",
            });
            names.collect::<Vec<_>>().join(" ")
        }
        RetryReason::ConnectFailure => String::from("connect failure"),
        RetryReason::Reset => String::from("reset"),
    }
}

/// When a request is sent again.
pub(super) fn retry(retry: &RetryPlan) -> String {
    let RetryPlan {
        attempts,
        when,
        elsewhere,
        methods,
        per_try_timeout,
        hedge,
        per_try_idle,
        back_off,
        max_retry_after,
        max_body,
    } = retry;
    let when: Vec<_> = when.iter().map(retry_reason).collect();
    parts([
        Some(format!("retry {attempts} on {}", when.join(" "))),
        match elsewhere {
            Elsewhere::SameGroup => None,
            Elsewhere::AfterAnotherEndpoint => Some(String::from("then in other localities")),
            Elsewhere::AtOnce => Some(String::from("in other localities")),
        },
        (!methods.is_empty()).then(|| methods.join("|")),
        per_try_timeout.map(|it| format!("each {}", duration(it))),
        hedge.then(|| String::from("and goes on")),
        per_try_idle.map(|it| format!("each idle {}", duration(it))),
        (*back_off != BackOff::DEFAULT)
            .then(|| format!("after {} up to {}", duration(back_off.base), duration(back_off.most))),
        max_retry_after.map(|it| format!("or as asked up to {}", duration(it))),
        (*max_body != REPLAYED_BODY).then(|| format!("bodies up to {max_body} bytes")),
    ])
}

/// TLS inside the mesh's own.
pub(super) fn inside(names: &[String], hello: Duration, attempts: u32) -> String {
    format!("tls for {} inside, hello {}, {attempts} attempts", names.join(" "), duration(hello))
}

/// `header x-user`, `cookie shop for 1h`.
pub(super) fn hash_keys(keys: &[HashKey]) -> String {
    let keys: Vec<_> = keys.iter().map(hash_key).collect();
    keys.join(" and ")
}

fn hash_key(key: &HashKey) -> String {
    match key {
        HashKey::Header(name) => format!("header {name}"),
        HashKey::Cookie { name, ttl: None } => format!("cookie {name}"),
        HashKey::Cookie { name, ttl: Some(CookieTtl::Session) } => format!("cookie {name} for a session"),
        HashKey::Cookie { name, ttl: Some(CookieTtl::For(ttl)) } => {
            format!("cookie {name} for {}", duration(*ttl))
        }
        HashKey::Source => String::from("the client's address"),
        HashKey::Query(name) => format!("?{name}"),
    }
}

/// `1.5s`, `250ms`.
pub(super) fn duration(duration: Duration) -> String {
    format!("{duration:?}")
}

fn path(path: &PathMatch) -> Option<String> {
    match path {
        PathMatch::Any => None,
        PathMatch::Exact(path) => Some(format!("path = {path}")),
        PathMatch::Prefix(path) => Some(format!("path below {path}")),
        PathMatch::StartsWith(path) => Some(format!("path begins with {path}")),
        PathMatch::Regex(path) => Some(format!("path ~ {path}")),
    }
}

/// `any request`, or its conditions.
pub(super) fn matches(matches: &HttpMatch) -> String {
    let HttpMatch { path, methods, headers, queries, not: excluded } = matches;
    let path = self::path(path);
    let excluded = excluded.iter().map(|excluded| match excluded {
        NotMatch::Path(path) => self::path(path).map(|path| format!("not ({path})")),
        NotMatch::Methods(methods) => Some(format!("not ({})", methods.join("|"))),
    });
    let methods = (!methods.is_empty()).then(|| methods.join("|"));
    let headers = headers.iter().map(|HeaderMatch { name, negated, value }| {
        let condition = match value {
            StringMatch::Present => format!("{name} present"),
            StringMatch::Exact(value) => format!("{name} = {value}"),
            StringMatch::Prefix(value) => format!("{name} begins with {value}"),
            StringMatch::Regex(value) => format!("{name} ~ {value}"),
        };
        Some(not(*negated, condition))
    });
    let queries = queries.iter().map(|QueryMatch { name, negated, value }| {
        let condition = match value {
            QueryValue::Present => format!("?{name} present"),
            QueryValue::Exact(value) => format!("?{name} = {value}"),
            QueryValue::Prefix(value) => format!("?{name} begins with {value}"),
            QueryValue::Regex { expression, is_met_by_nothing: _ } => format!("?{name} ~ {expression}"),
        };
        Some(not(*negated, condition))
    });
    let line = super::parts([methods, path].into_iter().chain(headers).chain(queries).chain(excluded));
    if line.is_empty() { String::from("any request") } else { line }
}

fn not(negated: bool, condition: String) -> String {
    if negated { format!("not {condition}") } else { condition }
}

/// Conditions any of which will do.
pub(super) fn any_of(alternatives: &[HttpMatch]) -> String {
    let alternatives: Vec<_> = alternatives.iter().map(matches).collect();
    alternatives.join(", or ")
}

/// Upstreams, with their weights if there are several.
pub(super) fn shares(to: &[WeightedUpstream]) -> String {
    match to {
        [WeightedUpstream { upstream, weight: _ }] => upstream.clone(),
        several => {
            let one =
                |WeightedUpstream { upstream, weight }: &WeightedUpstream| format!("{upstream} x{weight}");
            several.iter().map(one).collect::<Vec<_>>().join(" | ")
        }
    }
}

/// What a request may change to, if anything.
pub(super) fn upgrades(upgrades: &[Upgrade]) -> Option<String> {
    let words = upgrades.iter().map(|upgrade| match upgrade {
        Upgrade::WebSocket => "websocket",
    });
    (!upgrades.is_empty()).then(|| format!("upgrade {}", words.collect::<Vec<_>>().join(" ")))
}
