//! Routes for calls of TCP ports: shares of connections, and nothing about requests.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Origin, Sink, Span};
use meshc_resolve::{Through, destination_port, routed_ports};
use meshc_vocabulary::model::answer::RuleAction;
use meshc_vocabulary::model::policy::Timeout;
use meshc_vocabulary::model::{
    AtGateways, DeadShare, Destination, GatewayProtocol, HttpMatch, Id, OfCalls, Port, Route, RouteRule,
    RouteScope, RoutedCallee,
};

use super::context::Context;
use super::rule::{self, Reaches};
use super::upstream;
use crate::{WeightedUpstream, codes};

/// Reports routes that say of connections what can be said of requests only.
pub(super) fn check(context: &Context<'_>, sink: &mut Sink) {
    for (id, route) in context.model.routes.iter() {
        let Route { origin: _, name: _, namespace: _, scope, rules } = route;
        let (word, port) = match scope {
            RouteScope::Calls(OfCalls { callees, from: _ }) => {
                let Some(port) = callees.iter().find_map(|callee| tcp_port(context, callee)) else {
                    continue;
                };
                for callee in callees.iter().filter(|callee| tcp_port(context, callee).is_none()) {
                    let message = "this callee takes requests";
                    sink.push(refusal(
                        callee.span,
                        message,
                        "tcp",
                        &port.origin,
                        "write a route of its own for it",
                    ));
                }
                ("tcp", &port.origin)
            }
            RouteScope::Gateways(at) => match at.protocol {
                GatewayProtocol::Http => continue,
                GatewayProtocol::Tcp => ("tcp", gateway_port(context, at)),
                GatewayProtocol::Tls => ("tls", gateway_port(context, at)),
            },
        };
        let mut refuse = |at: Span, what: &str, help: &str| sink.push(refusal(at, what, word, port, help));
        for rule in rules.iter().skip(1) {
            refuse(rule.origin.span, "a second rule would choose by request", "keep one rule");
        }
        for rule in rules {
            // Connections have shares as requests have, and what becomes of one is the same.
            // The proof asks the model what is critical.
            let RouteRule {
                origin,
                matches,
                action,
                dead_share: _,
                filters,
                timeout,
                retry,
                critical: _,
                upgrade,
            } = rule;
            if matches.iter().any(|matches| *matches != HttpMatch::EVERYTHING) {
                refuse(origin.span, "conditions choose by request", "remove the `match`");
            }
            if timeout.is_some() {
                refuse(
                    origin.span,
                    "a timeout is for requests",
                    "remove `timeout`; a policy's `idle` bounds silence",
                );
            }
            if let Some(retry) = retry {
                refuse(retry.origin.span, "only requests are sent again", "remove `retry`");
            }
            if let Some(upgrade) = upgrade {
                refuse(upgrade.span, "only requests change to something else", "remove `upgrade`");
            }
            if !filters.is_empty() {
                refuse(origin.span, "filters change requests and answers", "remove them");
            }
            let answered = match action {
                RuleAction::Forward(_) => None,
                RuleAction::Redirect(redirect) => Some(&redirect.origin),
                RuleAction::Respond(respond) => Some(&respond.origin),
            };
            if let Some(answered) = answered {
                refuse(answered.span, "only requests are answered", "write `to`");
            }
            for Destination { origin, callee, port: named, weight: _ } in action.destinations() {
                let ports = context.called(*callee).ports;
                let place = destination_port(ports, named.as_ref());
                if place.and_then(|place| ports.get(place)).is_some_and(|port| port.protocol.is_http()) {
                    refuse(origin.span, "this destination takes requests", "name a `tcp` port");
                }
            }
        }
        policies(context, id, port, sink);
    }
}

/// What cannot be said of the connections of a port.
fn refusal(at: Span, what: &str, word: &str, port: &Origin, help: &str) -> Diagnostic {
    let message = format!("{what}, and the protocol of the port is `{word}`");
    Diagnostic::error(codes::ROUTE_OF_TCP, at, message)
        .label("this is about requests")
        .also(port.span, "declared here")
        .help(help)
}

/// The first port of a gateway at which a route is served.
fn gateway_port<'m>(context: &Context<'m>, at: &'m AtGateways) -> &'m Origin {
    let AtGateways { gateways, ports: _, protocol: _, hosts: _ } = at;
    let served = gateways.iter().find_map(|gateway| {
        let declared = &context.model.gateways.at(gateway.value).ports;
        declared.iter().find(|port| at.serves(gateway.value, port)).map(|port| &port.origin)
    });
    // A route has gateways, and the model has reported a port that none of them has.
    served.unwrap_or(&context.model.mesh.origin)
}

/// Reports what a policy on the route says of requests.
fn policies(context: &Context<'_>, route: Id<Route>, port: &Origin, sink: &mut Sink) {
    let settings = context.resolved.route(route);
    let retry = settings.retry.value.map(|retry| ("retry", &retry.origin));
    let timeout = settings.timeout.value.and_then(|Timeout { origin, request, idle: _ }| {
        request.declared.map(|_| ("timeout.request", origin))
    });
    for (setting, at) in retry.into_iter().chain(timeout) {
        let message = format!("`{setting}` is about requests, and a TCP port has none");
        sink.push(
            Diagnostic::error(codes::SETTING_WITHOUT_REQUESTS, at.span, message)
                .also(port.span, "the policy names a route for calls of this port")
                .help("leave it out, or name routes of requests only"),
        );
    }
}

/// The port of a callee whose connections a route takes, if it carries bytes.
fn tcp_port<'m>(context: &Context<'m>, callee: &RoutedCallee) -> Option<&'m Port> {
    let RoutedCallee { span: _, service, port: named } = callee;
    let ports = &context.model.services.at(*service).ports;
    let first = routed_ports(ports, named.as_ref()).into_iter().next()?;
    ports.get(first).filter(|port| !port.protocol.is_http())
}

/// Where the connections of a route go, what becomes of the share of what is dead, and how long they may stay silent; `None` if no destination can be reached, which
/// the topology has reported.
pub(super) fn shares(
    context: &Context<'_>,
    id: Id<Route>,
    reaches: &Reaches<'_>,
    sink: &mut Sink,
) -> Option<(Vec<WeightedUpstream>, DeadShare, Option<Duration>)> {
    let Route { origin: _, name: _, namespace: _, scope: _, rules } = context.model.routes.at(id);
    let rule = rules.first()?;
    let through = Through::Rule { route: id, position: 0, rule };
    let destinations = rule.action.destinations();
    let mut told = false;
    let mut to = Vec::with_capacity(destinations.len());
    let mut first: Option<(&Origin, Option<Duration>)> = None;
    for Destination { origin, callee, port: named, weight } in destinations {
        let ports = context.called(*callee).ports;
        let Some(position) = destination_port(ports, named.as_ref()) else { continue };
        let Some(port) = ports.get(position) else { continue };
        let Some(reach) = reaches.get(&(*callee, position)) else { continue };
        let idle = context.resolved.conduct(through, *callee, port).idle.value;
        match first {
            Some((other, known)) if known != idle => sink.push(
                Diagnostic::error(
                    codes::DESTINATIONS_DISAGREE,
                    rule.origin.span,
                    "the destinations of this rule bound silence differently",
                )
                .also(other.span, "one set of policies applies here")
                .also(origin.span, "another one applies here")
                .help("set `timeout { idle = … }` in a policy that names the route"),
            ),
            Some(_) => {}
            None => first = Some((origin, idle)),
        }
        if let Some(shares) = upstream::shares(context, reach, port) {
            if let [_] = destinations {
                let (_, idle) = first?;
                return Some((shares, DeadShare::ToOthers, idle));
            }
            if !std::mem::replace(&mut told, true) {
                rule::shares_in_shares(rule, origin, sink);
            }
        }
        let upstream = upstream::callee_name(context, *callee, port);
        to.push(WeightedUpstream { upstream, weight: *weight });
    }
    let (_, idle) = first?;
    Some((to, rule.dead_share, idle))
}
