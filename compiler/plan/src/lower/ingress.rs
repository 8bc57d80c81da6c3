//! An ingress gateway: requests from outside, routed to callees.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_resolve::{Through, destination_port};
use meshc_topology::Reach;
use meshc_vocabulary::model::{
    AtGateways, Callee, Destination, Gateway, GatewayPort, GatewayTls, HttpMatch, Id, Port, Route, RouteRule,
    RouteScope,
};

use super::context::Context;
use super::policy::conduct::Handling;
use super::policy::retry::Beside;
use super::{Lowered, filter, status, upstream};
use crate::listen_port;
use crate::{
    Deployment, GatewayDeployment, GatewayPortPlan, HttpAction, HttpListener, HttpRoute, Identity, Listener,
    ListenerKind, ProxyPlan, Role, ServerTls, Socket, Upstream, VirtualHost, WeightedUpstream, codes,
};

pub(super) fn lower(context: &Context<'_>, id: Id<Gateway>, reaches: &[Reach], sink: &mut Sink) -> Lowered {
    let model = context.model;
    let gateway = model.gateways.at(id);
    let callees = by_port(reaches);

    let mut listeners: Vec<Listener> = gateway
        .ports
        .iter()
        .map(|port| Listener {
            name: format!("ingress_{}", port.name),
            address: context.wildcard(gateway.cluster, listen_port(port.number)),
            socket: Socket::Own,
            kind: ListenerKind::Http(HttpListener {
                edge: true,
                tls: port.tls.as_ref().map(|tls| ServerTls { secret: tls.secret.value.clone() }),
                virtual_hosts: virtual_hosts(context, id, port, &callees, sink),
            }),
            origin: port.origin.clone(),
        })
        .collect();
    listeners.extend(status::gateway(context, gateway.cluster, &gateway.origin));
    listeners.sort_by(|left, right| left.name.cmp(&right.name));

    let mut upstreams: Vec<Arc<Upstream>> = reaches
        .iter()
        .filter_map(|reach| {
            let port = context.called(reach.callee).ports.get(reach.port)?;
            Some(context.shared.upstream(context, gateway.cluster, reach, port))
        })
        .collect();
    upstreams.sort_by(|left, right| left.name.cmp(&right.name));

    let deployment = deployment(context, gateway);
    let proxy = ProxyPlan {
        name: context.gateway_proxy_name(id),
        role: Role::IngressGateway(id),
        cluster: gateway.cluster,
        data_plane: model.data_plane(gateway.cluster),
        ip_family: model.clusters.at(gateway.cluster).ip_family,
        locality: context.locality(gateway.cluster),
        identity: model
            .gateway_identity(id)
            .map(|spiffe| Identity { secret: format!("mesh-id-{}", spiffe.account), spiffe }),
        listeners,
        upstreams,
        capture: None,
        host_aliases: Vec::new(),
        trusted_hops: gateway.trusted_hops,
        rate_limit_upstream: None,
        deployment: Deployment::Gateway(deployment),
        origin: gateway.origin.clone(),
    };
    Lowered { proxy, domains: Vec::new() }
}

/// How a gateway is deployed.
pub(super) fn deployment(context: &Context<'_>, gateway: &Gateway) -> GatewayDeployment {
    let Gateway {
        origin: _,
        name,
        cluster,
        addresses,
        ports,
        replicas,
        // What kind of proxy it is, and what that one trusts.
        role: _,
        trusted_hops: _,
    } = gateway;
    let mut secrets = BTreeSet::new();
    let mut planned = Vec::with_capacity(ports.len());
    for GatewayPort { origin: _, name, number, tls } in ports {
        secrets.extend(tls.as_ref().map(|GatewayTls { secret }| secret.value.clone()));
        planned.push(GatewayPortPlan { name: name.clone(), number: *number, listen: listen_port(*number) });
    }
    GatewayDeployment {
        name: name.clone(),
        account: format!("{}-{name}", context.model.clusters.at(*cluster).name),
        replicas: *replicas,
        addresses: addresses.iter().map(|address| address.value.clone()).collect(),
        ports: planned,
        server_tls_secrets: secrets.into_iter().collect(),
        labels: BTreeMap::from([(String::from("mesh.meshc.dev/gateway"), name.clone())]),
    }
}

fn virtual_hosts(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    port: &GatewayPort,
    callees: &Reaches<'_>,
    sink: &mut Sink,
) -> Arc<[VirtualHost]> {
    let mut hosts = Vec::new();
    for id in context.routes(gateway) {
        let Route { origin, name, namespace, scope, rules } = context.model.routes.at(*id);
        let AtGateways { gateways: _, port: named, hosts: names } = match scope {
            RouteScope::Gateways(at) => at,
            RouteScope::Calls(_) => continue,
        };
        if named.as_ref().is_some_and(|name| name.value != port.name) {
            continue;
        }
        let namespace = &context.model.namespaces.at(*namespace).name;
        let rules = rules.iter().enumerate().flat_map(|(position, rule)| {
            http_routes(context, Through::Rule { route: *id, position, rule }, rule, callees, sink)
        });
        hosts.push(VirtualHost {
            name: format!("{name}.{namespace}"),
            hosts: names.iter().map(|host| host.value.clone()).collect(),
            routes: rules.collect(),
            origin: origin.clone(),
        });
    }
    hosts.into()
}

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
    sink: &mut Sink,
) -> Vec<HttpRoute> {
    // What it says of timeouts and retries is part of the conduct.
    let RouteRule { origin, matches, to: destinations, filters, timeout: _, retry: _ } = rule;
    let mut first: Option<(&Destination, Handling)> = None;
    let mut to = Vec::with_capacity(destinations.len());
    let beside = beside(context, rule, callees);
    for destination in destinations {
        let Destination { origin: _, callee, port: _, weight } = destination;
        let Some(port) = reached(context, destination, callees, sink) else { continue };
        let handling = Handling::of(context, through, *callee, port, beside);
        match &first {
            Some((other, known)) if *known != handling => {
                disagree(rule, other, destination, sink);
            }
            Some(_) => {}
            None => first = Some((destination, handling)),
        }
        to.push(WeightedUpstream {
            upstream: upstream::callee_name(context, *callee, port),
            weight: *weight,
        });
    }
    let Some((_, Handling { timeout, idle_timeout, retry })) = first else { return Vec::new() };
    let action = HttpAction::Forward { to, timeout, idle_timeout, retry };
    let filters = filter::of_rule(filters, |copied| {
        let port = reached(context, copied, callees, sink)?;
        Some(upstream::callee_name(context, copied.callee, port))
    });
    let route = |matches: &HttpMatch| HttpRoute {
        matches: matches.clone(),
        filters: filters.clone(),
        action: action.clone(),
        origin: origin.clone(),
    };
    matches.iter().map(route).collect()
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
fn beside(context: &Context<'_>, rule: &RouteRule, callees: &Reaches<'_>) -> Beside {
    let reaches = rule.to.iter().filter_map(|destination| {
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
