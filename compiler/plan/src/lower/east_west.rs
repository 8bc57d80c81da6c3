//! An east-west gateway: passes mTLS through by SNI, and has no identity of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshc_vocabulary::model::{Callee, DeadShare, Gateway, Id, Port};

use super::context::Context;
use super::policy::health;
use super::upstream::EAST_WEST_LISTENER;
use super::{Extent, Lowered, ingress, status, upstream};
use crate::{
    Carried, Deployment, Listener, ListenerKind, PassThrough, PassThroughChain, ProxyPlan, Role, Socket,
    WeightedUpstream, bounds, check_sni, listen_port, paths, sni,
};

/// How many pods are tried before the client is closed, so that dead pods do not look like a dead gateway.
const CONNECT_ATTEMPTS: u32 = 3;

pub(super) fn lower(context: &Context<'_>, id: Id<Gateway>) -> Lowered {
    let model = context.model;
    let gateway = model.gateways.at(id);
    let exports = match context.extent {
        Extent::Whole => context.topology.exports.get(&id).map_or(&[][..], Vec::as_slice),
        Extent::Findings => &[],
    };
    let mut chains = BTreeMap::new();
    let mut upstreams = BTreeMap::new();
    for export in exports {
        let Some(port) = model.services.at(export.service).ports.get(export.port) else { continue };
        let hops = export.hops.iter().map(|hop| (hop.cluster, &hop.via, hop.weight));
        let upstream = upstream::passed_through(context, export.service, port, hops);
        if upstream.groups.is_empty() {
            continue;
        }
        let called = context.called(Callee::Service(export.service));
        let names = |sni: fn(&str, Option<&str>, &str, u16) -> String| {
            vec![sni(called.service, called.subset, called.namespace, port.number)]
        };
        let calls = chain(names(sni), Carried::Calls, port, &upstream.name);
        let checks = health::plan(context, export.service, port)
            .map(|_| chain(names(check_sni), Carried::Checks, port, &upstream.name));
        for chain in [calls].into_iter().chain(checks) {
            chains.insert(chain.names.clone(), chain);
        }
        upstreams.insert(upstream.name.clone(), Arc::new(upstream));
    }

    let number = gateway.ports.first().map_or(paths::EAST_WEST_PORT, |port| port.number);
    let mut listeners = vec![Listener {
        name: EAST_WEST_LISTENER.to_owned(),
        address: context.wildcard(gateway.cluster, listen_port(number, &gateway.ports)),
        socket: Socket::Own,
        proxy_protocol: false,
        kind: ListenerKind::PassThrough(PassThrough {
            hello_timeout: bounds::HELLO_TIMEOUT,
            chains: chains.into_values().collect(),
        }),
        origin: gateway.origin.clone(),
    }];
    listeners.extend(status::gateway(context, gateway.cluster, &gateway.origin));

    let proxy = ProxyPlan {
        name: context.gateway_proxy_name(id),
        role: Role::EastWestGateway(id),
        cluster: gateway.cluster,
        data_plane: model.data_plane(gateway.cluster),
        ip_family: model.clusters.at(gateway.cluster).ip_family,
        locality: context.locality(gateway.cluster),
        identity: None,
        listeners,
        upstreams: upstreams.into_values().collect(),
        capture: None,
        host_aliases: Vec::new(),
        memory: ingress::memory(context, gateway),
        trusted_hops: 0,
        rate_limit_upstream: None,
        deployment: Deployment::Gateway(ingress::deployment(context, gateway)),
        origin: gateway.origin.clone(),
    };
    Lowered { proxy, domains: Vec::new() }
}

fn chain(names: Vec<String>, carries: Carried, port: &Port, upstream: &str) -> PassThroughChain {
    PassThroughChain {
        names,
        to: vec![WeightedUpstream { upstream: upstream.to_owned(), weight: 1 }],
        dead_share: DeadShare::Kept,
        idle_timeout: None,
        connect_attempts: CONNECT_ATTEMPTS,
        carries,
        clients: None,
        origin: port.origin.clone(),
    }
}
