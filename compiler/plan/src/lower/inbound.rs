//! The inbound side of a sidecar: one mTLS listener, one chain per port, selected by SNI.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, Mtls, Port, Protocol, Service, SpiffeId};

use super::Extent;
use super::context::Context;
use super::policy::authorization::{self, Admission};
use super::policy::{health, rate_limit::Limits};
use super::upgrade;
use super::upstream::{self, INBOUND_LISTENER};
use crate::filter::Filter;
use crate::{
    AppPort, Audit, Authorization, Carried, InboundChain, InboundListener, InboundProtocol, Limit, Listener,
    ListenerKind, Serves, Socket, Told, Upstream, UpstreamProtocol, codes, paths, sni,
};

/// Refused requests must not use up limits, so authorization comes first; then what is counted here, which asks nobody.
fn filters(authorization: Authorization, audit: Option<Audit>, limits: &Limits) -> Vec<Filter> {
    let limits = limits.in_order();
    let audit = audit.into_iter().map(Filter::Audit);
    let limits = limits.iter().map(Limit::filter);
    std::iter::once(Filter::Authorize(authorization)).chain(audit).chain(limits).collect()
}

/// TCP to the application, which is one endpoint: a second attempt would find what the first one found.
const BYTES: InboundProtocol = InboundProtocol::Tcp { connect_attempts: 1 };

/// The listener, unless the service has no port that the mesh serves.
pub(super) fn listener(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    id: Id<Service>,
    limits: &Limits,
    sink: &mut Sink,
) -> Option<Listener> {
    let service = context.model.services.at(id);
    one_permissive_port(&service.ports, sink);
    match context.extent {
        Extent::Findings if limits.are_none() && !authorization::is_written_for(context, id) => return None,
        Extent::Findings | Extent::Whole => {}
    }
    let served = service.ports.iter().enumerate().filter(|(_, port)| match port.mtls {
        Mtls::Strict | Mtls::Permissive => true,
        Mtls::Off => false,
    });
    let called = context.called(Callee::Service(id));
    let sni = |subset, port: &Port| sni(called.service, subset, called.namespace, port.number);
    let vouching = vouching(context, Callee::Service(id));
    let mut chains: Vec<InboundChain> = served
        .map(|(position, port)| {
            let access = Admission::new(context, cluster, id, position, port);
            let http = |authorization, audit| InboundProtocol::Http {
                app_http2: app_protocol(port) == UpstreamProtocol::Http2,
                upgrades: upgrade::by_default([port]),
                vouching: vouching.clone(),
                told: Told::Caller,
                retry: None,
                filters: filters(authorization, audit, limits),
            };
            let (peers, protocol, plain) = match port.protocol {
                Protocol::Http | Protocol::Http2 | Protocol::Grpc => (
                    access.peers_of_requests(),
                    http(access.of_requests(), access.audit_of_requests()),
                    access.of_plain_requests().map(|plain| http(plain, access.audit_of_plain_requests())),
                ),
                Protocol::Tcp | Protocol::Tls => {
                    access.refuse_conditions(sink);
                    let plain = access.admits_plain_connections().then_some(BYTES);
                    (access.peers_of_connections(), BYTES, plain)
                }
            };
            InboundChain {
                sni: sni(None, port),
                subset_sni: called.subset.map(|subset| sni(Some(subset), port)),
                peers,
                protocol,
                plain,
                app: AppPort { upstream: upstream::app_name(port.target), port: port.target },
                carries: Carried::Calls,
                origin: port.origin.clone(),
            }
        })
        .collect();
    for (position, port) in service.ports.iter().enumerate() {
        let http2 = app_protocol(port) == UpstreamProtocol::Http2;
        chains.extend(health::chains(context, cluster, id, position, http2));
    }
    chains.sort_by(|left, right| left.sni.cmp(&right.sni));
    // Most have one, and each is half a kilobyte.
    chains.shrink_to_fit();
    (!chains.is_empty()).then(|| Listener {
        name: INBOUND_LISTENER.to_owned(),
        address: context.wildcard(cluster, paths::INBOUND_PORT),
        socket: Socket::Own,
        proxy_protocol: false,
        kind: ListenerKind::Inbound(InboundListener { chains }),
        origin: service.origin.clone(),
    })
}

/// The gateways that tell a service what certificates their clients show, in order: all that ask for them, as soon as one
/// of these sends it requests.
fn vouching(context: &Context<'_>, callee: Callee) -> Vec<SpiffeId> {
    let asks = |gateway: &Gateway| {
        gateway.ports.iter().filter_map(|port| port.tls.as_ref()).any(|tls| tls.clients.is_some())
    };
    let asking = || context.model.gateways.iter().filter(|(_, gateway)| asks(gateway)).map(|(id, _)| id);
    let reached = |gateway| {
        let reaches = context.topology.reaches.get(&ProxyKey::Gateway(gateway));
        reaches.into_iter().flatten().any(|reach| reach.callee == callee)
    };
    if !asking().any(reached) {
        return Vec::new();
    }
    let mut known: Vec<SpiffeId> =
        asking().filter_map(|gateway| context.model.gateway_identity(gateway)).collect();
    known.sort();
    known
}

/// The application's ports, each once.
pub(super) fn upstreams(context: &Context<'_>, cluster: Id<Cluster>, id: Id<Service>) -> Vec<Upstream> {
    let service = context.model.services.at(id);
    // What counts for the whole mesh counts for its own cluster too.
    let serves = if context.model.limiter == Some(id) { Serves::RateLimit } else { Serves::App };
    let mut upstreams: Vec<Upstream> = Vec::with_capacity(service.ports.len());
    for port in &service.ports {
        if !upstreams.iter().any(|known| known.name == upstream::app_name(port.target)) {
            let protocol = app_protocol(port);
            let (serves, origin) = (serves.clone(), &port.origin);
            upstreams.push(upstream::app(context, cluster, port.target, protocol, serves, origin));
        }
    }
    upstreams
}

const fn app_protocol(port: &Port) -> UpstreamProtocol {
    match port.protocol {
        Protocol::Http => UpstreamProtocol::Http1,
        Protocol::Http2 | Protocol::Grpc => UpstreamProtocol::Http2,
        Protocol::Tcp | Protocol::Tls => UpstreamProtocol::Tcp,
    }
}

/// A plain connection carries no SNI, so nothing says which of two permissive ports it means.
fn one_permissive_port(ports: &[Port], sink: &mut Sink) {
    let mut permissive = ports.iter().filter(|port| port.mtls == Mtls::Permissive);
    let Some(first) = permissive.next() else { return };
    for port in permissive {
        sink.push(
            Diagnostic::error(
                codes::SECOND_PERMISSIVE_PORT,
                port.origin.span,
                "a service can have only one permissive port",
            )
            .label("plain connections carry no name, so this port could not be told apart")
            .also(first.origin.span, "this port is permissive already")
            .help("make one of them strict first"),
        );
    }
}
