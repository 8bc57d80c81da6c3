//! Words for the closed sets of the vocabulary, and short forms of values.

use std::time::Duration;

use meshc_vocabulary::model::policy::RetryOn;
use meshc_vocabulary::model::{
    Bind, HttpMatch, IpFamily, Mtls, NetworkPolicyEnforcement, PathMatch, ProbeKind, Protocol, StringMatch,
};

pub(super) const fn ip_family(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "IPv4",
        IpFamily::V6 => "IPv6",
        IpFamily::Dual => "IPv4 and IPv6",
    }
}

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

pub(super) fn retry_on(on: RetryOn) -> String {
    match on {
        RetryOn::StatusClass(class) => format!("{class}xx"),
        RetryOn::Status(status) => status.to_string(),
        RetryOn::ConnectFailure => String::from("connect failure"),
        RetryOn::Reset => String::from("reset"),
    }
}

/// `1.5s`, `250ms`.
pub(super) fn duration(duration: Duration) -> String {
    format!("{duration:?}")
}

/// `any request`, or its conditions.
pub(super) fn matches(matches: &HttpMatch) -> String {
    let HttpMatch { path, methods, headers } = matches;
    let path = match path {
        PathMatch::Any => None,
        PathMatch::Exact(path) => Some(format!("path = {path}")),
        PathMatch::Prefix(path) => Some(format!("path below {path}")),
        PathMatch::Regex(path) => Some(format!("path ~ {path}")),
    };
    let methods = (!methods.is_empty()).then(|| methods.join("|"));
    let headers = headers.iter().map(|header| {
        let name = &header.name;
        Some(match &header.value {
            StringMatch::Present => format!("{name} present"),
            StringMatch::Exact(value) => format!("{name} = {value}"),
            StringMatch::Prefix(value) => format!("{name} begins with {value}"),
            StringMatch::Regex(value) => format!("{name} ~ {value}"),
        })
    });
    let line = super::parts([methods, path].into_iter().chain(headers));
    if line.is_empty() { String::from("any request") } else { line }
}
