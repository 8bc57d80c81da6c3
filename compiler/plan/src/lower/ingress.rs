//! An ingress gateway: requests from outside, routed to callees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_topology::{Reach, destination_port};
use meshc_vocabulary::model::{Callee, Destination, Gateway, GatewayPort, Id, Protocol, Route, RouteRule};

use super::context::Context;
use super::policy::retry::Beside;
use super::policy::{retry, timeout};
use super::{Lowered, status, upstream};
use crate::listen_port;
use crate::{
    Deployment, GatewayDeployment, GatewayPortPlan, HttpAction, HttpListener, HttpRoute, Identity, Listener,
    ListenerKind, ProxyPlan, RetryPlan, Role, ServerTls, Socket, Upstream, VirtualHost, WeightedUpstream,
    codes,
};

pub(super) fn lower(context: &Context<'_>, id: Id<Gateway>, reaches: &[Reach], sink: &mut Sink) -> Lowered {
    let model = context.model;
    let gateway = model.gateways.at(id);
    let callees: BTreeMap<(Callee, usize), &Reach> =
        reaches.iter().map(|reach| ((reach.callee, reach.port), reach)).collect();

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
    let cluster = context.model.clusters.at(gateway.cluster);
    let secrets: BTreeSet<_> = gateway
        .ports
        .iter()
        .filter_map(|port| port.tls.as_ref())
        .map(|tls| tls.secret.value.clone())
        .collect();
    let ports = gateway.ports.iter().map(|port| GatewayPortPlan {
        name: port.name.clone(),
        number: port.number,
        listen: listen_port(port.number),
    });
    GatewayDeployment {
        name: gateway.name.clone(),
        account: format!("{}-{}", cluster.name, gateway.name),
        replicas: gateway.replicas,
        addresses: gateway.addresses.iter().map(|address| address.value.clone()).collect(),
        ports: ports.collect(),
        server_tls_secrets: secrets.into_iter().collect(),
        labels: BTreeMap::from([(String::from("mesh.meshc.dev/gateway"), gateway.name.clone())]),
    }
}

fn virtual_hosts(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    port: &GatewayPort,
    callees: &BTreeMap<(Callee, usize), &Reach>,
    sink: &mut Sink,
) -> Arc<[VirtualHost]> {
    let mut hosts = Vec::new();
    for id in context.routes(gateway) {
        let route = context.model.routes.at(*id);
        if route.port.as_ref().is_some_and(|name| name.value != port.name) {
            continue;
        }
        let namespace = &context.model.namespaces.at(route.namespace).name;
        let rules = route.rules.iter().filter_map(|rule| http_route(context, *id, rule, callees, sink));
        hosts.push(VirtualHost {
            name: format!("{}.{namespace}", route.name),
            hosts: route.hosts.iter().map(|host| host.value.clone()).collect(),
            routes: rules.collect(),
            origin: route.origin.clone(),
        });
    }
    hosts.into()
}

/// A rule's route; `None` if no destination can be reached, which the topology has reported.
fn http_route(
    context: &Context<'_>,
    route: Id<Route>,
    rule: &RouteRule,
    callees: &BTreeMap<(Callee, usize), &Reach>,
    sink: &mut Sink,
) -> Option<HttpRoute> {
    let mut first: Option<(&Destination, Handling)> = None;
    let mut to = Vec::with_capacity(rule.to.len());
    let beside = beside(context, rule, callees);
    for destination in &rule.to {
        let ports = context.called(destination.callee).ports;
        let Some(position) = destination_port(ports, destination.port.as_ref()) else { continue };
        let Some(port) = ports.get(position) else { continue };
        if !port.protocol.is_http() {
            sink.push(
                Diagnostic::error(
                    codes::ROUTE_TO_TCP,
                    destination.origin.span,
                    "a route carries HTTP requests, and the protocol of this port is `tcp`",
                )
                .also(port.origin.span, "declared here")
                .help("name an `http`, `http2` or `grpc` port"),
            );
            continue;
        }
        if !callees.contains_key(&(destination.callee, position)) {
            continue;
        }
        let handling = Handling::of(context, route, rule, (destination.callee, port.protocol), beside);
        match &first {
            Some((other, known)) if *known != handling => {
                disagree(rule, other, destination, sink);
            }
            Some(_) => {}
            None => first = Some((destination, handling)),
        }
        to.push(WeightedUpstream {
            upstream: upstream::callee_name(context, destination.callee, port),
            weight: destination.weight,
        });
    }
    let (_, handling) = first?;
    Some(HttpRoute {
        matches: rule.matches.clone(),
        action: HttpAction::Forward {
            to,
            timeout: handling.timeout,
            idle_timeout: handling.idle_timeout,
            retry: handling.retry,
        },
        origin: rule.origin.clone(),
    })
}

/// What there is beside an endpoint that failed, at the destination that has most. It is not known yet to which of them
/// a request goes when it is decided how it is sent again.
fn beside(context: &Context<'_>, rule: &RouteRule, callees: &BTreeMap<(Callee, usize), &Reach>) -> Beside {
    let reaches = rule.to.iter().filter_map(|destination| {
        let ports = context.called(destination.callee).ports;
        callees.get(&(destination.callee, destination_port(ports, destination.port.as_ref())?))
    });
    reaches.map(|reach| upstream::beside(context, reach)).max().unwrap_or(Beside::OnlyEndpoints)
}

/// How requests to a destination are handled: the rule's own words, else those of a policy on the route, else those
/// that hold at the callee.
#[derive(PartialEq, Eq)]
struct Handling {
    timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    retry: RetryPlan,
}

impl Handling {
    fn of(
        context: &Context<'_>,
        route: Id<Route>,
        rule: &RouteRule,
        (callee, protocol): (Callee, Protocol),
        beside: Beside,
    ) -> Self {
        let at_callee = match callee {
            Callee::Service(id) => Some(context.settings(id)),
            Callee::External(_) => None,
        };
        let retries = rule.retry.as_ref();
        let retries = retries
            .or_else(|| context.attached.on_route(route, |it| it.retry.as_ref()).map(|(_, retry)| retry));
        let timeouts = context.attached.on_route(route, |it| it.timeout.as_ref()).map(|(_, timeout)| timeout);
        let timeouts = timeouts.or(at_callee.as_ref().map(|settings| settings.timeout));
        let timeouts = timeouts.unwrap_or(&context.model.defaults.timeout);
        let timeout = rule.timeout.or_else(|| timeout::request(timeouts, protocol));
        Self {
            timeout,
            idle_timeout: timeout::idle_of_request(timeouts, protocol, timeout),
            retry: retry::plan(retries.or_else(|| at_callee.and_then(|settings| settings.retry)), beside),
        }
    }
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
