//! Calls and what is expected of them, in words.

use meshc_plan::{ClientName, Principal};
use meshc_vocabulary::model::policy::Bound;
use meshc_vocabulary::model::{Cluster, HeaderMatch, Id, PathMatch, QueryMatch, QueryValue, StringMatch};
use meshc_vocabulary::testing::{CallFrom, CallTest, Expected, Place};

use crate::expectation::Asking;
use crate::limits;
use crate::sent::Sent;

impl Asking<'_, '_> {
    /// A call as one would write it.
    pub(crate) fn name(&self, call: &CallTest) -> String {
        let model = self.world.model;
        let cluster = |cluster: Option<Id<Cluster>>| {
            cluster.map(|id| format!(" in {}", model.clusters.at(id).name)).unwrap_or_default()
        };
        let from = self.caller_name(call.from);
        let port = call.to.port.as_ref().map(|port| format!(".{port}")).unwrap_or_default();
        let to = format!("{}{port}{}", model.callee_name(call.to.callee), cluster(call.to.cluster));
        match &call.request {
            Some(request) => format!("`{} {}` of `{from} -> {to}`", request.method, request.path),
            None => format!("`{from} -> {to}`"),
        }
    }

    /// A caller as one would write it.
    pub(crate) fn caller_name(&self, from: CallFrom) -> String {
        let model = self.world.model;
        match from {
            CallFrom::Gateway(gateway, port) => {
                let name = model.gateway_name(gateway);
                match port.and_then(|port| model.gateways.at(gateway).ports.get(port)) {
                    Some(port) => format!("{name}.{}", port.name),
                    None => name,
                }
            }
            CallFrom::Service(service, Some(cluster)) => {
                format!("{} in {}", model.service_name(service), model.clusters.at(cluster).name)
            }
            CallFrom::Service(service, None) => model.service_name(service),
        }
    }

    /// What is expected, behind "is not".
    pub(crate) fn wanted(&self, expected: &Expected) -> String {
        let cluster = |id: &Id<Cluster>| format!("`{}`", self.world.model.clusters.at(*id).name);
        match expected {
            Expected::Allowed => String::from("allowed"),
            Expected::Refused => String::from("refused"),
            Expected::Reaches(None) => String::from("answered"),
            Expected::Reaches(Some(id)) => format!("answered in {}", cluster(id)),
            Expected::Answered(places) => {
                let places: Vec<String> = places.iter().map(|place| self.place(&place.value)).collect();
                format!("answered by {}", places.join(" and "))
            }
            Expected::Limited => String::from("limited"),
            Expected::Limit(None) => String::from("free of limits"),
            Expected::Limit(Some(rate)) => {
                format!("limited to {}", limits::text(rate.count, rate.unit.seconds() * 1000))
            }
            Expected::Timeout(Bound(None)) => String::from("without a timeout"),
            Expected::Timeout(Bound(Some(time))) => format!("ended after {}", milliseconds(*time)),
            Expected::Within(most) => format!("sure to end within {}", milliseconds(*most)),
            Expected::Status(status) => format!("answered with {status} by a proxy"),
        }
    }

    /// Pods that are expected to answer.
    pub(crate) fn place(&self, place: &Place) -> String {
        let model = self.world.model;
        match (place.service, place.cluster) {
            (Some(service), Some(cluster)) => {
                format!("`{} in {}`", model.service_name(service), model.clusters.at(cluster).name)
            }
            (Some(service), None) => format!("`{}`", model.service_name(service)),
            (None, Some(cluster)) => format!("`{}`", model.clusters.at(cluster).name),
            (None, None) => String::from("any pod"),
        }
    }
}

/// A duration as it would be written.
pub(crate) fn milliseconds(time: std::time::Duration) -> String {
    match time.as_millis() {
        whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
        other => format!("{other}ms"),
    }
}

/// A condition on the path, as it would be written.
pub(crate) fn path(condition: &PathMatch) -> String {
    match condition {
        PathMatch::Any => String::from("any path"),
        PathMatch::Exact(text) => format!("path `{text}`"),
        PathMatch::Prefix(text) => format!("prefix `{text}`"),
        PathMatch::StartsWith(text) => format!("starts_with `{text}`"),
        PathMatch::Regex(text) => format!("regex `{text}`"),
    }
}

/// A condition on a header.
pub(crate) fn header(condition: &HeaderMatch) -> String {
    let not = if condition.negated { "not " } else { "" };
    format!("{not}header `{}` {}", condition.name, string(&condition.value))
}

/// A condition on the query.
pub(crate) fn query(condition: &QueryMatch) -> String {
    let not = if condition.negated { "not " } else { "" };
    let value = match &condition.value {
        QueryValue::Present => String::from("is there"),
        QueryValue::Exact(text) => format!("is `{text}`"),
        QueryValue::Prefix(text) => format!("begins with `{text}`"),
        QueryValue::Regex { expression, is_met_by_nothing: _ } => format!("matches `{expression}`"),
    };
    format!("{not}query `{}` {value}", condition.name)
}

fn string(condition: &StringMatch) -> String {
    match condition {
        StringMatch::Present => String::from("is there"),
        StringMatch::Exact(text) => format!("is `{text}`"),
        StringMatch::Prefix(text) => format!("begins with `{text}`"),
        StringMatch::Regex(text) => format!("matches `{text}`"),
    }
}

/// A part of a request, or that it is left open.
pub(crate) fn given(part: &Option<String>) -> String {
    match part {
        Some(text) => format!("`{text}`"),
        None => String::from("left open"),
    }
}

/// The lines of a header that a request has.
pub(crate) fn headers(sent: &Sent, name: &str) -> String {
    let Some(headers) = &sent.headers else { return String::from("left open") };
    let own = headers.iter().filter(|(known, _)| known == name);
    let lines: Vec<String> = own.map(|(_, value)| given(value)).collect();
    if lines.is_empty() { String::from("not there") } else { lines.join(" and ") }
}

/// Whom a rule means.
pub(crate) fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Anyone => String::from("from anyone"),
        Principal::Identity(identity) => format!("from `{identity}`"),
        Principal::Namespace { trust_domain, namespace } => {
            format!("from namespace `{namespace}` of `{trust_domain}`")
        }
        Principal::Client(ClientName::Exact(name)) => format!("from a client with a certificate of `{name}`"),
        Principal::Client(ClientName::Prefix(name)) => {
            format!("from a client with a certificate of `{name}…`")
        }
    }
}
