//! Parts of a plan as text, without where they come from: what two plans are compared by.

use std::time::Duration;

use meshc_vocabulary::model::policy::HashKey;
use meshc_vocabulary::model::{
    Bind, GatewayService, HttpMatch, Mtls, OutsideTls, Protocol, Resources, Upgrade,
};

use super::{Text, deployment, listener, upstream, words};
use crate::filter::{Filter, PathChange};
use crate::{
    AccessException, AccessRequests, ClientRanges, Ejection, EndpointAddress, FailingAnswers, GroupBalance,
    HealthPlan, PoolPlan, Principal, Redirect, RetryPlan, ServerTls,
};

/// `1.5s`, `250ms`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    words::duration(duration)
}

/// `any request`, or its conditions.
#[must_use]
pub fn matches(matches: &HttpMatch) -> String {
    words::matches(matches)
}

/// Which requests a rule means.
#[must_use]
pub fn access(requests: &AccessRequests, except: &[AccessException]) -> String {
    let mut text = listener::requests(requests);
    for AccessException { principals, requests } in except {
        let mut who: Vec<String> = principals.iter().map(listener::who).collect();
        who.sort();
        let of = if who.is_empty() { String::new() } else { format!(" of {}", who.join(" and ")) };
        text.push_str(&format!(", but not {}{of}", listener::requests(requests)));
    }
    text
}

/// Whom a rule means.
#[must_use]
pub fn principal(principal: &Principal) -> String {
    listener::who(principal)
}

/// When a request is sent again.
#[must_use]
pub fn retry(retry: &RetryPlan) -> String {
    words::retry(retry)
}

/// By what endpoints are chosen.
#[must_use]
pub fn hash_keys(keys: &[HashKey]) -> String {
    words::hash_keys(keys)
}

/// What a request may change to, if anything.
#[must_use]
pub fn upgrades(upgrades: &[Upgrade]) -> Option<String> {
    words::upgrades(upgrades)
}

/// What filters do that neither refuse nor count: each on a line.
#[must_use]
pub fn filter(filter: &Filter) -> Vec<String> {
    lines(|text| listener::filters(text, std::slice::from_ref(filter)))
}

/// Where a client is told to go.
#[must_use]
pub fn redirect(redirect: &Redirect) -> String {
    listener::redirect(redirect)
}

/// What becomes of a path.
#[must_use]
pub fn path_change(change: &PathChange) -> String {
    listener::path(change)
}

/// How TLS of clients ends, each part on a line.
#[must_use]
pub fn server_tls(tls: &ServerTls) -> Vec<String> {
    lines(|text| listener::server_tls(text, tls))
}

/// From where connections are taken.
#[must_use]
pub fn clients(ranges: Option<&ClientRanges>) -> Option<String> {
    listener::clients(ranges)
}

/// TLS that a proxy begins towards a host outside.
#[must_use]
pub fn outside_tls(tls: &OutsideTls) -> String {
    upstream::outside_tls(tls)
}

/// An address to connect to.
#[must_use]
pub fn address(address: &EndpointAddress) -> String {
    upstream::address(address)
}

/// When an endpoint is ejected.
#[must_use]
pub fn ejection(ejection: &Ejection) -> String {
    upstream::ejection(ejection)
}

/// Which endpoint is next, where they do not take turns.
#[must_use]
pub fn balance(balance: GroupBalance) -> Option<String> {
    upstream::balance(balance)
}

/// How endpoints are checked.
#[must_use]
pub fn health(health: &HealthPlan) -> String {
    lines(|text| upstream::health(text, health)).join(" ")
}

/// Bounds of connections.
#[must_use]
pub fn pool(pool: &PoolPlan) -> String {
    lines(|text| upstream::pool(text, pool)).join(" ")
}

/// Which answers are failures.
#[must_use]
pub fn failing_answers(failing: &FailingAnswers) -> String {
    upstream::failing_answers(failing)
}

/// How a gateway is reached, each part on a line.
#[must_use]
pub fn gateway_service(service: &GatewayService) -> Vec<String> {
    lines(|text| deployment::gateway_service(text, service))
}

/// What a gateway's pods are given, each on a line.
#[must_use]
pub fn resources(resources: &Resources) -> Vec<String> {
    lines(|text| deployment::gateway_resources(text, resources))
}

/// What is spoken on a port.
#[must_use]
pub const fn protocol(protocol: Protocol) -> &'static str {
    words::protocol(protocol)
}

/// Which addresses an application listens on.
#[must_use]
pub const fn bind(bind: Bind) -> &'static str {
    words::bind(bind)
}

/// Whether callers must prove who they are.
#[must_use]
pub const fn mtls(mtls: Mtls) -> &'static str {
    words::mtls(mtls)
}

fn lines(body: impl FnOnce(&mut Text)) -> Vec<String> {
    let mut text = Text::default();
    body(&mut text);
    text.lines.lines().map(|line| line.trim().to_owned()).collect()
}
