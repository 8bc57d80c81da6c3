//! An ingress gateway: requests from outside, routed to callees.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang_diagnostics::Sink;
use meshc_resolve::Through;
use meshc_topology::Reach;
use meshc_vocabulary::model::{
    AtGateways, Gateway, GatewayCertificate, GatewayPort, GatewayTls, Id, Route, RouteScope,
};

use super::context::Context;
use super::rule::{Reaches, by_port, http_routes};
use super::{Lowered, status};
use crate::bounds;
use crate::listen_port;
use crate::{
    Deployment, GatewayDeployment, GatewayPortPlan, HttpListener, Identity, Listener, ListenerKind,
    ProxyPlan, Role, ServerCertificate, ServerTls, Socket, Upstream, VirtualHost,
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
                tls: port.tls.as_ref().map(server_tls),
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
        memory: memory(gateway),
        trusted_hops: gateway.trusted_hops,
        rate_limit_upstream: None,
        deployment: Deployment::Gateway(deployment),
        origin: gateway.origin.clone(),
    };
    Lowered { proxy, domains: Vec::new() }
}

/// Memory of a gateway's container in bytes.
pub(super) fn memory(gateway: &Gateway) -> u64 {
    gateway.resources.memory_limit.unwrap_or(bounds::PROXY_MEMORY)
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
        // What kind of proxy it is, and what that one trusts.
        role: _,
        trusted_hops: _,
    } = gateway;
    let mut secrets = BTreeSet::new();
    let mut planned = Vec::with_capacity(ports.len());
    for GatewayPort { origin: _, name, number, tls } in ports {
        secrets.extend(tls.iter().flat_map(|tls| &tls.certificates).map(|one| one.secret.value.clone()));
        planned.push(GatewayPortPlan { name: name.clone(), number: *number, listen: listen_port(*number) });
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
        labels: BTreeMap::from([(String::from("mesh.meshc.dev/gateway"), name.clone())]),
    }
}

fn server_tls(tls: &GatewayTls) -> ServerTls {
    let GatewayTls { origin: _, certificates, minimum_version, alpn } = tls;
    let certificate = |one: &GatewayCertificate| {
        let GatewayCertificate { secret, hosts } = one;
        let hosts = hosts.iter().map(|host| host.value.clone()).collect();
        ServerCertificate { secret: secret.value.clone(), hosts }
    };
    ServerTls {
        certificates: certificates.iter().map(certificate).collect(),
        minimum_version: *minimum_version,
        alpn: alpn.clone(),
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
        let at = match scope {
            RouteScope::Gateways(at) => at,
            RouteScope::Calls(_) => continue,
        };
        if !at.serves(gateway, &port.name) {
            continue;
        }
        let AtGateways { gateways: _, ports: _, hosts: names } = at;
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
