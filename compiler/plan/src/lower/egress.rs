//! An egress gateway: takes mTLS from proxies that call hosts outside through it, and connects to these.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;
use std::sync::Arc;

use meshc_topology::{ProxyKey, Reach};
use meshc_vocabulary::model::{Callee, ExternalHost, Gateway, Id, Port, Protocol, SpiffeId};

use super::callers::identity;
use super::context::Context;
use super::outbound::CONNECT_ATTEMPTS;
use super::policy::retry;
use super::{Lowered, ingress, outside, status, upgrade, upstream};
use crate::filter::Filter;
use crate::{
    AccessRequests, AccessRule, AppPort, Authorization, Carried, Deployment, Identity, InboundChain,
    InboundListener, InboundProtocol, Listener, ListenerKind, PeerCheck, Principal, ProxyPlan, Role, Socket,
    Told, Upstream, UpstreamProtocol, bounds, listen_port, paths, sni,
};

/// The name of the listener on which egress gateways take mTLS.
pub(super) const EGRESS_LISTENER: &str = "egress";

pub(super) fn lower(context: &Context<'_>, id: Id<Gateway>, reaches: &[Reach]) -> Lowered {
    let model = context.model;
    let gateway = model.gateways.at(id);
    let mut chains = Vec::with_capacity(reaches.len());
    let mut upstreams: Vec<Arc<Upstream>> = Vec::with_capacity(reaches.len());
    for reach in reaches {
        let Callee::External(external) = reach.callee else { continue };
        let Some(port) = model.externals.at(external).ports.get(reach.port) else { continue };
        let towards = outside::direct(context, gateway.cluster, external, reach.port, port);
        chains.push(chain(context, id, external, reach.port, port, &towards));
        upstreams.push(Arc::new(towards));
    }
    chains.sort_by(|left, right| left.sni.cmp(&right.sni));
    upstreams.sort_by(|left, right| left.name.cmp(&right.name));

    let number = gateway.ports.first().map_or(paths::EAST_WEST_PORT, |port| port.number);
    let mut listeners = vec![Listener {
        name: EGRESS_LISTENER.to_owned(),
        address: context.wildcard(gateway.cluster, listen_port(number, &gateway.ports)),
        socket: Socket::Own,
        proxy_protocol: false,
        kind: ListenerKind::Inbound(InboundListener { chains }),
        origin: gateway.origin.clone(),
    }];
    listeners.extend(status::gateway(context, gateway.cluster, &gateway.origin));
    listeners.sort_by(|left, right| left.name.cmp(&right.name));

    let proxy = ProxyPlan {
        name: context.gateway_proxy_name(id),
        role: Role::EgressGateway(id),
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
        memory: ingress::memory(context, gateway),
        trusted_hops: 0,
        rate_limit_upstream: None,
        deployment: Deployment::Gateway(ingress::deployment(context, gateway)),
        origin: gateway.origin.clone(),
    };
    Lowered { proxy, domains: Vec::new() }
}

/// One port of a host outside: who has declared its call may use it, for the names that are declared.
fn chain(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    external: Id<ExternalHost>,
    position: usize,
    port: &Port,
    towards: &Upstream,
) -> InboundChain {
    let callee = Callee::External(external);
    let called = context.called(callee);
    let callers = callers(context, gateway, callee, position);
    let hosts = outside::hosts(context.model.externals.at(external));
    let requests = |callers: BTreeSet<SpiffeId>, hosts| {
        let domains: BTreeSet<_> = callers.iter().map(|caller| caller.trust_domain.clone()).collect();
        let rule = AccessRule {
            name: String::from("callers"),
            principals: callers.into_iter().map(Principal::Identity).collect(),
            requests: AccessRequests { hosts, ..AccessRequests::default() },
            except: Vec::new(),
            origin: port.origin.clone(),
        };
        let authorization = Authorization { deny: Vec::new(), allow: vec![rule] };
        let protocol = InboundProtocol::Http {
            app_http2: towards.protocol == UpstreamProtocol::Http2,
            upgrades: upgrade::by_default([port]),
            vouching: Vec::new(),
            // The identities of the mesh are no affair of a host outside.
            told: Told::Nothing,
            // What the caller declares about answers is done at the caller; where a host cannot be connected to is seen here.
            retry: Some(retry::plan(None, outside::beside_address(context.model.externals.at(external)))),
            filters: vec![Filter::Authorize(authorization)],
        };
        (PeerCheck::TrustDomains(domains.into_iter().collect()), protocol)
    };
    let exactly = |callers: BTreeSet<SpiffeId>| PeerCheck::Exactly(callers.into_iter().collect());
    let (peers, protocol) = match port.protocol {
        Protocol::Http | Protocol::Http2 | Protocol::Grpc => requests(callers, hosts),
        Protocol::Tcp => (exactly(callers), InboundProtocol::Tcp { connect_attempts: CONNECT_ATTEMPTS }),
        // The caller's own sidecar chose the chain by the name; whoever has its key can ask past it.
        Protocol::Tls => (
            exactly(callers),
            InboundProtocol::Tls {
                names: hosts,
                hello_timeout: bounds::HELLO_TIMEOUT,
                connect_attempts: CONNECT_ATTEMPTS,
            },
        ),
    };
    InboundChain {
        sni: sni(called.service, called.subset, called.namespace, port.number),
        subset_sni: None,
        peers,
        protocol,
        plain: None,
        app: AppPort { upstream: towards.name.clone(), port: port.number },
        carries: Carried::Calls,
        origin: upstream::origin(context, callee, port),
    }
}

/// Everybody who reaches a port of a host outside through the gateway.
fn callers(
    context: &Context<'_>,
    gateway: Id<Gateway>,
    callee: Callee,
    position: usize,
) -> BTreeSet<SpiffeId> {
    let reaches = context.topology.reaches.iter().filter(|(key, _)| **key != ProxyKey::Gateway(gateway));
    let calls = reaches
        .filter(|(_, reaches)| reaches.iter().any(|reach| (reach.callee, reach.port) == (callee, position)));
    calls.filter_map(|(key, _)| identity(context.model, *key)).map(|(identity, _)| identity).collect()
}
