//! The rules of routes, as gateways and sidecars carry them.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_resolve::{Through, destination_port};
use meshc_topology::Reach;
use meshc_vocabulary::model::answer::RuleAction;
use meshc_vocabulary::model::policy::HashKey;
use meshc_vocabulary::model::{Callee, DeadShare, Destination, Port, RouteRule, RouteScope};

use super::context::Context;
use super::headers::Known;
use super::policy::balance::{self, Sender};
use super::policy::conduct::Handling;
use super::policy::retry::Beside;
use super::policy::{AtCaller, outlier};
use super::{answer, fault, filter, upgrade, upstream};
use crate::{HttpAction, HttpRoute, WeightedUpstream, codes};

/// What a proxy reaches, by callee and position of the port.
pub(super) type Reaches<'t> = BTreeMap<(Callee, usize), &'t Reach>;

pub(super) fn by_port(reaches: &[Reach]) -> Reaches<'_> {
    reaches.iter().map(|reach| ((reach.callee, reach.port), reach)).collect()
}

/// A rule's routes, one for each of its matches; none if no destination can be reached, which the topology has reported.
pub(super) fn http_routes<'m>(
    context: &Context<'m>,
    through: Through<'m>,
    rule: &'m RouteRule,
    callees: &Reaches<'_>,
    known: Known<'_>,
    sink: &mut Sink,
) -> Vec<HttpRoute> {
    // What it says of timeouts and retries is part of the conduct.
    // What it says of dead destinations is read where requests are sent on.
    // What is critical the proof asks the model.
    let RouteRule {
        origin,
        matches,
        action,
        dead_share: _,
        filters,
        timeout: _,
        retry: _,
        critical: _,
        upgrade: _,
    } = rule;
    let forward = match action {
        RuleAction::Forward(to) => match forward(context, through, rule, to, callees, sink) {
            Some(forward) => Some(forward),
            None => return Vec::new(),
        },
        RuleAction::Redirect(_) | RuleAction::Respond(_) => None,
    };
    let mut routes = Vec::with_capacity(matches.len());
    // A mistake in a filter is the same one for each match.
    let mut reported = Sink::default();
    for matches in matches {
        let sink = if routes.is_empty() { &mut *sink } else { &mut reported };
        let action = match (action, &forward) {
            (RuleAction::Redirect(redirect), _) => HttpAction::Redirect(answer::redirect(redirect, matches)),
            (RuleAction::Respond(respond), _) => HttpAction::Respond(answer::respond(respond)),
            (RuleAction::Forward(_), Some(forward)) => forward.clone(),
            (RuleAction::Forward(_), None) => continue,
        };
        let filters = filter::of_rule(filters, matches, known, |copied| {
            let port = reached(context, copied, callees, sink)?;
            Some(upstream::callee_name(context, copied.callee, port))
        });
        let route = HttpRoute { matches: matches.clone(), filters, action, origin: origin.clone() };
        if let Some((matches, filters)) = fault::preflight(matches, &route.filters) {
            routes.push(HttpRoute { matches, filters, ..route.clone() });
        }
        routes.push(route);
    }
    routes
}

/// What sends requests on; `None` if no destination can be reached.
fn forward<'m>(
    context: &Context<'m>,
    through: Through<'m>,
    rule: &'m RouteRule,
    destinations: &'m [Destination],
    callees: &Reaches<'_>,
    sink: &mut Sink,
) -> Option<HttpAction> {
    let mut dead_share = rule.dead_share;
    let mut told = false;
    let mut first: Option<(&Destination, Handling)> = None;
    let mut to = Vec::with_capacity(destinations.len());
    let mut ports = Vec::with_capacity(destinations.len());
    let beside = beside(context, destinations, callees);
    let sender = sender(context, through);
    let mut hash: Option<(&Destination, Vec<HashKey>)> = None;
    for destination in destinations {
        let Destination { origin: _, callee, port: _, weight } = destination;
        let Some(port) = reached(context, destination, callees, sink) else { continue };
        let handling = Handling::of(context, through, *callee, port, beside);
        match &first {
            Some((other, known)) if *known != handling => {
                disagree(rule, other, destination, sink);
            }
            Some((other, _)) if stand_in_differently(context, dead_share, [other.callee, *callee]) => {
                stand_in(rule, other, destination, sink);
            }
            Some(_) => {}
            None => first = Some((destination, handling)),
        }
        let keys = balance::keys(AtCaller::of(context, *callee).balance, port, sender);
        match &hash {
            _ if keys.is_empty() => {}
            Some((other, known)) if *known != keys => hash_apart(rule, other, destination, sink),
            Some(_) => {}
            None => hash = Some((destination, keys)),
        }
        if let Some(shares) = shares(context, destination, callees) {
            if let [_] = destinations {
                (to, dead_share) = (shares, DeadShare::ToOthers);
                ports.push(port);
                continue;
            }
            if !std::mem::replace(&mut told, true) {
                shares_in_shares(rule, &destination.origin, sink);
            }
        }
        ports.push(port);
        to.push(WeightedUpstream {
            upstream: upstream::callee_name(context, *callee, port),
            weight: *weight,
        });
    }
    let (_, Handling { timeout, idle_timeout, retry }) = first?;
    fault::check(&rule.filters, idle_timeout, sink);
    let hash = hash.map(|(_, keys)| keys).unwrap_or_default();
    let upgrades = upgrade::of_rule(rule.upgrade.as_ref(), &ports, sink);
    let deadlines = upgrade::deadlines(ports);
    Some(HttpAction::Forward { to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines })
}

/// Where requests for a destination go whose clusters have shares of them.
fn shares(
    context: &Context<'_>,
    destination: &Destination,
    callees: &Reaches<'_>,
) -> Option<Vec<WeightedUpstream>> {
    let ports = context.called(destination.callee).ports;
    let position = destination_port(ports, destination.port.as_ref())?;
    upstream::shares(context, callees.get(&(destination.callee, position))?, ports.get(position)?)
}

/// Shares of clusters are drawn as those of destinations are, and not inside of these.
pub(super) fn shares_in_shares(rule: &RouteRule, destination: &Origin, sink: &mut Sink) {
    sink.push(
        Diagnostic::error(
            codes::SHARES_IN_SHARES,
            destination.span,
            "this destination's `failover` gives shares to clusters, and it has a share itself",
        )
        .also(rule.origin.span, "this rule has several destinations")
        .help("use one destination in the rule, or let an order apply to it: `failover { by = [zone, region] }`"),
    );
}

/// Who carries the rule.
fn sender(context: &Context<'_>, through: Through<'_>) -> Sender {
    match through {
        Through::Call => Sender::Sidecar,
        Through::Rule { route, position: _, rule: _ } => match &context.model.routes.at(route).scope {
            RouteScope::Gateways(_) => Sender::Gateway,
            RouteScope::Calls(_) => Sender::Sidecar,
        },
    }
}

/// The port that a destination means, if requests can go there: a TCP port is reported here, and what no way leads to by
/// the topology.
fn reached<'m>(
    context: &Context<'m>,
    destination: &Destination,
    callees: &Reaches<'_>,
    sink: &mut Sink,
) -> Option<&'m Port> {
    let Destination { origin, callee, port: named, weight: _ } = destination;
    let ports = context.called(*callee).ports;
    let position = destination_port(ports, named.as_ref())?;
    let port = ports.get(position)?;
    if !port.protocol.is_http() {
        sink.push(
            Diagnostic::error(
                codes::ROUTE_TO_TCP,
                origin.span,
                "a route carries HTTP requests, and the protocol of this port is `tcp`",
            )
            .also(port.origin.span, "declared here")
            .help("name an `http`, `http2` or `grpc` port"),
        );
        return None;
    }
    callees.contains_key(&(*callee, position)).then_some(port)
}

/// What there is beside an endpoint that failed, at the destination that has most. It is not known yet to which of them
/// a request goes when it is decided how it is sent again.
fn beside(context: &Context<'_>, destinations: &[Destination], callees: &Reaches<'_>) -> Beside {
    let reaches = destinations.iter().filter_map(|destination| {
        let ports = context.called(destination.callee).ports;
        callees.get(&(destination.callee, destination_port(ports, destination.port.as_ref())?))
    });
    reaches.map(|reach| upstream::beside(context, reach)).max().unwrap_or(Beside::OnlyEndpoints)
}

/// A request is handled before it is known which destination it goes to, so a rule's destinations must agree.
fn disagree(rule: &RouteRule, first: &Destination, other: &Destination, sink: &mut Sink) {
    sink.push(
        Diagnostic::error(
            codes::DESTINATIONS_DISAGREE,
            rule.origin.span,
            "the destinations of this rule have different timeouts or retries",
        )
        .also(first.origin.span, "one set of policies applies here")
        .also(other.origin.span, "another one applies here")
        .help("set `timeout` and `retry` on the rule, or in a policy that names the route"),
    );
}

/// On Envoy a request is hashed before it is known which destination it goes to.
fn hash_apart(rule: &RouteRule, first: &Destination, other: &Destination, sink: &mut Sink) {
    sink.push(
        Diagnostic::error(
            codes::DESTINATIONS_DISAGREE,
            rule.origin.span,
            "the destinations of this rule hash requests by different properties",
        )
        .also(first.origin.span, "one `balance` applies here")
        .also(other.origin.span, "another one applies here")
        .help("use the same `hash` for both, or a rule for each"),
    );
}

/// Whether two destinations that stand in for each other count failures or retries differently: a proxy counts both for a
/// destination and those that stand in for it together.
fn stand_in_differently(context: &Context<'_>, dead_share: DeadShare, callees: [Callee; 2]) -> bool {
    let counted = |callee| {
        let AtCaller { failover: _, health: _, outlier, pool, balance: _ } = AtCaller::of(context, callee);
        let retries = (pool.retry_budget_percent.value, pool.min_concurrent_retries.value);
        (outlier::failing_answers(outlier), retries)
    };
    match dead_share {
        DeadShare::Kept => false,
        DeadShare::ToOthers => {
            let [first, second] = callees.map(counted);
            first != second
        }
    }
}

fn stand_in(rule: &RouteRule, first: &Destination, other: &Destination, sink: &mut Sink) {
    sink.push(
        Diagnostic::error(
            codes::DESTINATIONS_DISAGREE,
            rule.origin.span,
            "the destinations of this rule stand in for each other, and count failures or retries differently",
        )
        .also(first.origin.span, "one set of policies applies here")
        .also(other.origin.span, "another one applies here")
        .help("let the same `outlier`, `retry_budget` and `min_concurrent_retries` apply to them, or leave `failover` out"),
    );
}
