//! An ingress gateway: requests from outside, routed to callees.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang_diagnostics::{Origin, Sink};
use meshc_resolve::{Through, destination_port};
use meshc_topology::Reach;
use meshc_vocabulary::model::{
    AtGateways, Callee, ClientCertificates, Destination, Gateway, GatewayCertificate, GatewayPort,
    GatewayProtocol, GatewayTls, Http10, Id, Route, RouteRule, RouteScope,
};

use super::calls;
use super::context::Context;
use super::headers::Known;
use super::outbound::CONNECT_ATTEMPTS;
use super::policy::authorization::Admission;
use super::policy::clients;
use super::policy::rate_limit::{self, CountedDomain, Limits};
use super::rule::{Reaches, by_port, http_routes};
use super::{Lowered, status, upstream};
use crate as plan;
use crate::bounds;
use crate::filter::Filter;
use crate::listen_port;
use crate::{
    Carried, ClientRanges, Deployment, GatewayDeployment, GatewayPortPlan, HttpListener, Identity, Listener,
    ListenerKind, PassThrough, PassThroughChain, ProxyPlan, RATE_LIMIT_UPSTREAM, Role, ServerCertificate,
    ServerTls, Socket, TcpListener, Upstream, VirtualHost,
};

pub(super) fn lower(context: &Context<'_>, id: Id<Gateway>, reaches: &[Reach], sink: &mut Sink) -> Lowered {
    let model = context.model;
    let gateway = model.gateways.at(id);
    let callees = by_port(reaches);
    let mut limited = Limited { of_all: rate_limit::of_gateway(context, id), of_routes: BTreeMap::new() };

    let mut listeners: Vec<Listener> = gateway
        .ports
        .iter()
        .map(|port| Listener {
            name: format!("ingress_{}", port.name),
            address: context.wildcard(gateway.cluster, listen_port(port.number, &gateway.ports)),
            socket: Socket::Own,
            proxy_protocol: port.proxy_protocol,
            kind: kind(context, id, port, &callees, &mut limited, sink),
            origin: port.origin.clone(),
        })
        .collect();
    listeners.extend(status::gateway(context, gateway.cluster, &gateway.origin));
    listeners.sort_by(|left, right| left.name.cmp(&right.name));

    let mut upstreams: Vec<Arc<Upstream>> = reaches
        .iter()
        .filter_map(|reach| {
            let port = context.called(reach.callee).ports.get(reach.port)?;
            Some(context.shared.upstreams(context, gateway.cluster, reach, port))
        })
        .flat_map(|upstreams| upstreams.to_vec())
        .collect();
    let (asks, domains) = limited.asked();
    if let Some(origin) = &asks {
        upstreams.push(Arc::new(upstream::rate_limit(context, gateway.cluster, origin)));
    }
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
        memory: memory(context, gateway),
        trusted_hops: gateway.trusted_hops,
        rate_limit_upstream: asks.map(|_| RATE_LIMIT_UPSTREAM.to_owned()),
        deployment: Deployment::Gateway(deployment),
        origin: gateway.origin.clone(),
    };
    Lowered { proxy, domains }
}

/// What a gateway counts.
struct Limited {
    /// Whatever arrives.
    of_all: Limits,
    /// What its routes take, each at all its ports alike.
    of_routes: BTreeMap<Id<Route>, Limits>,
}

impl Limited {
    /// Whether the rate-limit service of the cluster is asked, and where that is said; and what is to be counted.
    fn asked(self) -> (Option<Origin>, Vec<CountedDomain>) {
        let Self { of_all, of_routes } = self;
        let all: Vec<Limits> = std::iter::once(of_all).chain(of_routes.into_values()).collect();
        (all.iter().find_map(Limits::asked), all.into_iter().flat_map(|limits| limits.domains).collect())
    }
}

/// What happens at a port.
fn kind(
    context: &Context<'_>,
    id: Id<Gateway>,
    port: &GatewayPort,
    callees: &Reaches<'_>,
    limited: &mut Limited,
    sink: &mut Sink,
) -> ListenerKind {
    match port.protocol {
        GatewayProtocol::Http => ListenerKind::Http(HttpListener {
            edge: true,
            entrance: clients::of_requests(context.model, &context.resolved.gateway(id).clients, port),
            tls: port.tls.as_ref().map(|tls| server_tls(context, tls)),
            http10: port
                .http10
                .as_ref()
                .map(|Http10 { default_host }| Http10 { default_host: default_host.clone() }),
            limits: limited.of_all.in_order(),
            virtual_hosts: virtual_hosts(context, id, port, callees, limited, sink),
        }),
        GatewayProtocol::Tls => {
            let mut chains = Vec::new();
            for (route, at) in served(context, id, port) {
                let Some((to, dead_share, idle_timeout)) = calls::shares(context, route, callees, sink)
                else {
                    continue;
                };
                let clients = admitted(context, id, route, port, sink);
                chains.push(PassThroughChain {
                    names: at.hosts.iter().map(|host| host.value.clone()).collect(),
                    to,
                    dead_share,
                    idle_timeout,
                    connect_attempts: CONNECT_ATTEMPTS,
                    carries: Carried::Calls,
                    clients,
                    origin: context.model.routes.at(route).origin.clone(),
                });
            }
            ListenerKind::PassThrough(PassThrough { hello_timeout: bounds::HELLO_TIMEOUT, chains })
        }
        GatewayProtocol::Tcp => {
            let shares = served(context, id, port)
                .find_map(|(route, _)| Some((route, calls::shares(context, route, callees, sink)?)));
            match shares {
                Some((route, (to, dead_share, idle_timeout))) => ListenerKind::Tcp(TcpListener {
                    tls: port.tls.as_ref().map(|tls| of_bytes(server_tls(context, tls))),
                    to,
                    connect_attempts: CONNECT_ATTEMPTS,
                    dead_share,
                    idle_timeout,
                    clients: admitted(context, id, route, port, sink),
                }),
                // Without a route, every connection is closed.
                None => ListenerKind::PassThrough(PassThrough {
                    hello_timeout: bounds::HELLO_TIMEOUT,
                    chains: Vec::new(),
                }),
            }
        }
    }
}

/// From which addresses a port takes connections for a route.
fn admitted(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    route: Id<Route>,
    port: &GatewayPort,
    sink: &mut Sink,
) -> Option<ClientRanges> {
    let rules = [&context.resolved.gateway(gateway).clients, &context.resolved.route(route).clients];
    clients::of_connections(&rules, port, sink)
}

/// The routes of a port.
fn served<'m>(
    context: &Context<'m>,
    gateway: Id<Gateway>,
    port: &GatewayPort,
) -> impl Iterator<Item = (Id<Route>, &'m AtGateways)> {
    let model = context.model;
    context.routes(gateway).iter().filter_map(move |id| match &model.routes.at(*id).scope {
        RouteScope::Gateways(at) => at.serves(gateway, port).then_some((*id, at)),
        RouteScope::Calls(_) => None,
    })
}

/// Memory of a gateway's container in bytes.
pub(super) fn memory(context: &Context<'_>, gateway: &Gateway) -> u64 {
    let usual = || bounds::memory(context.model.data_plane(gateway.cluster));
    gateway.resources.memory_limit.unwrap_or_else(usual)
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
        autoscale,
        account: _,
        service,
        resources,
        labels,
        annotations,
        // What kind of proxy it is, and what that one trusts.
        role: _,
        trusted_hops: _,
    } = gateway;
    let mut secrets = BTreeSet::new();
    let mut planned = Vec::with_capacity(ports.len());
    let mut client_roots = BTreeSet::new();
    for port in ports {
        let GatewayPort {
            origin: _,
            name,
            number,
            node_port,
            protocol: _,
            proxy_protocol: _,
            http10: _,
            tls,
        } = port;
        secrets.extend(tls.iter().flat_map(|tls| &tls.certificates).map(|one| one.secret.value.clone()));
        let clients = tls.iter().filter_map(|tls| tls.clients.as_ref());
        client_roots.extend(clients.map(|clients| clients.ca.value.clone()));
        planned.push(GatewayPortPlan {
            name: name.clone(),
            number: *number,
            listen: listen_port(*number, ports),
            node_port: node_port.as_ref().map(|number| number.value),
        });
    }
    GatewayDeployment {
        name: name.clone(),
        object: format!("{}-{name}", context.model.clusters.at(*cluster).name),
        account: context.model.gateway_account(gateway),
        replicas: *replicas,
        autoscale: autoscale.clone(),
        service: service.clone(),
        resources: resources.clone(),
        addresses: addresses.iter().map(|address| address.value.clone()).collect(),
        ports: planned,
        server_tls_secrets: secrets.into_iter().collect(),
        client_ca_secrets: client_roots.into_iter().collect(),
        labels: [(String::from("mesh.meshc.dev/gateway"), name.clone())]
            .into_iter()
            .chain(labels.clone())
            .collect(),
        annotations: annotations.clone(),
    }
}

fn server_tls(context: &Context<'_>, tls: &GatewayTls) -> ServerTls {
    let GatewayTls { origin: _, certificates, minimum_version, alpn, clients } = tls;
    let certificate = |one: &GatewayCertificate| {
        let GatewayCertificate { secret, hosts } = one;
        let hosts = hosts.iter().map(|host| host.value.clone()).collect();
        ServerCertificate { secret: secret.value.clone(), hosts }
    };
    ServerTls {
        certificates: certificates.iter().map(certificate).collect(),
        minimum_version: *minimum_version,
        alpn: alpn.clone(),
        clients: clients.as_ref().map(|ClientCertificates { ca, presence }| plan::ClientCertificates {
            secret: ca.value.clone(),
            presence: *presence,
            refused: trust_domains(context),
        }),
    }
}

/// How TLS ends where no application is told of the client, which therefore can be taken for nobody else.
fn of_bytes(tls: ServerTls) -> ServerTls {
    let clients = tls.clients.map(|clients| plan::ClientCertificates { refused: Vec::new(), ..clients });
    ServerTls { clients, ..tls }
}

/// What the destinations of a rule ask of the clients of a gateway: the gateway knows their certificates.
fn of_clients(context: &Context<'_>, gateway: Id<Gateway>, rule: &RouteRule) -> Vec<Filter> {
    let cluster = context.model.gateways.at(gateway).cluster;
    let mut filters = Vec::new();
    for Destination { origin: _, callee, port: named, weight: _ } in rule.action.destinations() {
        let Callee::Service(service) = *callee else { continue };
        let ports = &context.model.services.at(service).ports;
        let position = destination_port(ports, named.as_ref());
        let Some((position, port)) = position.and_then(|position| Some((position, ports.get(position)?)))
        else {
            continue;
        };
        let admission = Admission::new(context, cluster, service, position, port);
        filters.extend(admission.at_gateway(gateway).map(Filter::Authorize));
    }
    filters
}

/// All trust domains of the mesh, each once, in order.
fn trust_domains(context: &Context<'_>) -> Vec<String> {
    let clusters = context.model.clusters.iter().map(|(id, _)| context.model.trust_domain(id).to_owned());
    clusters.collect::<BTreeSet<_>>().into_iter().collect()
}

fn virtual_hosts(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    port: &GatewayPort,
    callees: &Reaches<'_>,
    limited: &mut Limited,
    sink: &mut Sink,
) -> Arc<[VirtualHost]> {
    let mut hosts = Vec::new();
    for (id, at) in served(context, gateway, port) {
        let Route { origin, name, namespace, scope: _, rules } = context.model.routes.at(id);
        let AtGateways { gateways: _, ports: _, protocol: _, hosts: names } = at;
        let namespace = &context.model.namespaces.at(*namespace).name;
        let rules = rules.iter().enumerate().flat_map(|(position, rule)| {
            let through = Through::Rule { route: id, position, rule };
            let known = Known { port: port.number, caller: None };
            let mut routes = http_routes(context, through, rule, callees, known, sink);
            for route in &mut routes {
                route.filters.splice(0..0, of_clients(context, gateway, rule));
            }
            routes
        });
        let routes = rules.collect();
        let limits = limited.of_routes.entry(id).or_insert_with(|| rate_limit::of_route(context, id));
        hosts.push(VirtualHost {
            name: format!("{name}.{namespace}"),
            entrance: clients::of_requests(context.model, &context.resolved.route(id).clients, port),
            limits: limits.in_order(),
            hosts: names.iter().map(|host| host.value.clone()).collect(),
            routes,
            origin: origin.clone(),
        });
    }
    hosts.into()
}
