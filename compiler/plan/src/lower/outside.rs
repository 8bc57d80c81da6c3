//! Hosts outside the mesh: what proxies connect to, and what of them is called.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Diagnostic, Sink};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Cluster, DeadShare, ExternalHost, Gateway, Host, Id, Port, Protocol};

use super::context::Context;
use super::egress::EGRESS_LISTENER;
use super::outbound::CONNECT_ATTEMPTS;
use super::policy::retry::Beside;
use super::policy::{AtCaller, balance, failover, outlier, pool};
use super::upstream;
use crate::{
    Carried, Endpoint, EndpointAddress, ExternalPlan, ExternalPortPlan, Group, PassThrough, PassThroughChain,
    Serves, Upstream, UpstreamProtocol, UpstreamTls, VirtualHost, WeightedUpstream, bounds, codes, paths,
    sni,
};

/// A port of a host outside, as its callers in a cluster see it: the host, or the gateway that connects to it.
pub(super) fn upstream(
    context: &Context<'_>,
    caller: Id<Cluster>,
    id: Id<ExternalHost>,
    position: usize,
    port: &Port,
) -> Upstream {
    let direct = direct(context, caller, id, position, port);
    let Some(gateway) = &context.model.externals.at(id).through else { return direct };
    let (called, gateway) = (context.called(Callee::External(id)), gateway.value);
    let AtCaller { balance, failover: _, health: _, outlier, pool } =
        AtCaller::of(context, Callee::External(id));
    let requests = port.protocol.is_http();
    let at = context.model.gateways.at(gateway).cluster;
    Upstream {
        protocol: match port.protocol {
            Protocol::Http => UpstreamProtocol::HttpLikeDownstream,
            Protocol::Http2 | Protocol::Grpc => UpstreamProtocol::Http2,
            Protocol::Tcp | Protocol::Tls => UpstreamProtocol::Tcp,
        },
        groups: vec![Group {
            name: context.model.clusters.at(at).name.clone(),
            locality: context.locality(at),
            endpoints: gateway_endpoints(context, caller, gateway),
            balance: balance::without_hash(balance),
            ejection: if requests { outlier::of_pods(outlier) } else { outlier::of_connections(outlier) },
            requests_per_connection: if requests { pool.requests_per_connection.value } else { None },
        }],
        tls: Some(UpstreamTls::Mutual {
            sni: sni(called.service, called.subset, called.namespace, port.number),
            peers: context.model.gateway_identity(gateway).into_iter().collect(),
        }),
        ..direct
    }
}

/// An egress gateway: by the name of its Service in its own cluster, by its addresses elsewhere.
fn gateway_endpoints(context: &Context<'_>, caller: Id<Cluster>, id: Id<Gateway>) -> Vec<Endpoint> {
    let gateway = context.model.gateways.at(id);
    let cluster = context.model.clusters.at(gateway.cluster);
    let service = || {
        let (name, namespace) = (&gateway.name, &context.model.mesh.namespace);
        EndpointAddress::Name(format!("{}-{name}.{namespace}.svc.{}", cluster.name, cluster.domain))
    };
    let addresses: Vec<EndpointAddress> = if caller == gateway.cluster {
        vec![service()]
    } else {
        gateway.addresses_for(context.family(caller)).map(place).collect()
    };
    let endpoint = |address| Endpoint {
        address,
        port: gateway.ports.first().map_or(paths::EAST_WEST_PORT, |port| port.number),
        weight: 1,
        copies: 1,
        serves: Serves::Proxy { proxy: context.gateway_proxy_name(id), listener: EGRESS_LISTENER.to_owned() },
    };
    addresses.into_iter().map(endpoint).collect()
}

/// Reports callers that no way leads from to the egress gateway of a host.
pub(super) fn check(context: &Context<'_>, sink: &mut Sink) {
    let mut known = BTreeSet::new();
    for (key, reaches) in &context.topology.reaches {
        let caller = match *key {
            ProxyKey::Sidecar { cluster, service: _ } => cluster,
            ProxyKey::Gateway(gateway) => context.model.gateways.at(gateway).cluster,
        };
        for reach in reaches {
            let Callee::External(id) = reach.callee else { continue };
            let Some(through) = &context.model.externals.at(id).through else { continue };
            let gateway = context.model.gateways.at(through.value);
            let family = context.family(caller);
            let reached = gateway.addresses_for(family).next().is_some();
            if caller == gateway.cluster || reached || !known.insert((id, caller)) {
                continue;
            }
            let lacking = if gateway.addresses.is_empty() { "" } else { family.words() };
            let lacking =
                if lacking.is_empty() { String::from("no address") } else { format!("no {lacking} address") };
            let name = &context.model.clusters.at(caller).name;
            let message = format!("callers in `{name}` cannot reach {}", gateway.origin.name);
            let report = Diagnostic::error(codes::EGRESS_WITHOUT_ADDRESS, through.span, message)
                .label(format!("it is in another cluster, and has {lacking}"))
                .also(gateway.origin.span, "declared here")
                .help("give the gateway the `address` at which other clusters reach it");
            sink.push(match reach.origins.first() {
                Some(call) => report.also(call.span, "called here"),
                None => report,
            });
        }
    }
}

/// A port of a host outside, as a proxy of a cluster sees it that connects to it. All addresses that its pods reach are
/// equally good, and each fallback is a group of its own.
pub(super) fn direct(
    context: &Context<'_>,
    caller: Id<Cluster>,
    id: Id<ExternalHost>,
    position: usize,
    port: &Port,
) -> Upstream {
    let external = context.model.externals.at(id);
    let callee = Callee::External(id);
    let AtCaller { balance, failover: _, health: _, outlier, pool } = AtCaller::of(context, callee);
    let requests = port.protocol.is_http();
    let family = context.family(caller);
    let reached = groups(external)
        .map(|addresses| addresses.iter().filter(|address| family.reaches(address)).collect::<Vec<_>>())
        .filter(|addresses| !addresses.is_empty());
    let groups = reached.map(|addresses| Group {
        name: addresses.first().map(ToString::to_string).unwrap_or_default(),
        locality: context.locality(caller),
        endpoints: addresses.into_iter().map(|address| endpoint(context, callee, port, address)).collect(),
        balance: if requests { balance::of_pods(balance) } else { balance::without_hash(balance) },
        ejection: if requests { outlier::of_pods(outlier) } else { outlier::of_connections(outlier) },
        requests_per_connection: if requests { pool.requests_per_connection.value } else { None },
    });
    Upstream {
        name: upstream::callee_name(context, callee, port),
        protocol: match port.protocol {
            Protocol::Http => UpstreamProtocol::Http1,
            Protocol::Http2 | Protocol::Grpc => UpstreamProtocol::Http2,
            Protocol::Tcp | Protocol::Tls => UpstreamProtocol::Tcp,
        },
        groups: groups.collect(),
        spill: failover::spill(AtCaller::of(context, callee).failover),
        failing_answers: outlier::failing_answers(outlier),
        tls: external.tls(position).cloned().map(UpstreamTls::Outside),
        // Checks need a sidecar that takes them.
        health: None,
        pool: pool::plan(pool),
        origin: upstream::origin(context, callee, port),
    }
}

/// Its addresses, those first that are used while one of them answers.
fn groups(external: &ExternalHost) -> impl Iterator<Item = &[Host]> {
    let fallback = external.fallback.iter().map(std::slice::from_ref);
    std::iter::once(external.addresses.as_slice()).chain(fallback).filter(|group| !group.is_empty())
}

fn endpoint(context: &Context<'_>, callee: Callee, port: &Port, address: &Host) -> Endpoint {
    Endpoint {
        address: place(address),
        port: port.target,
        weight: 1,
        copies: 1,
        serves: Serves::External { external: context.model.callee_name(callee), number: port.number },
    }
}

pub(super) fn place(address: &Host) -> EndpointAddress {
    match address {
        Host::Ip(ip) => EndpointAddress::Ip(*ip),
        Host::Name(name) => EndpointAddress::Name(name.clone()),
    }
}

/// What a caller has beside an endpoint that failed: through a gateway, only other addresses of the gateway.
pub(super) fn beside(context: &Context<'_>, id: Id<ExternalHost>) -> Beside {
    let external = context.model.externals.at(id);
    if external.through.is_some() { Beside::OnlyEndpoints } else { beside_address(external) }
}

/// What whoever connects to the host has beside an address that failed.
pub(super) fn beside_address(external: &ExternalHost) -> Beside {
    match (external.fallback.is_empty(), external.addresses.len()) {
        (true, _) => Beside::OnlyEndpoints,
        (false, 0 | 1) => Beside::OnlyGroups,
        (false, _) => Beside::EndpointsAndGroups,
    }
}

/// TLS that applications begin, told apart by the server name: what asks for another host is closed.
pub(super) fn pass_through(context: &Context<'_>, id: Id<ExternalHost>, port: &Port) -> PassThrough {
    let callee = Callee::External(id);
    let chain = PassThroughChain {
        names: hosts(context.model.externals.at(id)),
        to: vec![WeightedUpstream { upstream: upstream::callee_name(context, callee, port), weight: 1 }],
        dead_share: DeadShare::Kept,
        idle_timeout: context.resolved.conduct(meshc_resolve::Through::Call, callee, port).idle.value,
        connect_attempts: CONNECT_ATTEMPTS,
        carries: Carried::Calls,
        clients: None,
        origin: upstream::origin(context, callee, port),
    };
    PassThrough { hello_timeout: bounds::HELLO_TIMEOUT, chains: vec![chain] }
}

/// The same routes for the hosts of an external, and for nothing else: who may send requests to one name of a server may
/// not ask it for the sites of others.
pub(super) fn of_hosts(context: &Context<'_>, id: Id<ExternalHost>, all: VirtualHost) -> VirtualHost {
    VirtualHost { hosts: hosts(context.model.externals.at(id)).into(), ..all }
}

pub(super) fn hosts(external: &ExternalHost) -> Vec<String> {
    external.hosts.iter().map(|host| host.value.clone()).collect()
}

/// The hosts outside that any proxy connects to, with the ports that are called.
pub(super) fn called(context: &Context<'_>) -> Vec<ExternalPlan> {
    let mut called: BTreeMap<Id<ExternalHost>, BTreeSet<usize>> = BTreeMap::new();
    for reach in context.topology.reaches.values().flatten() {
        if let Callee::External(id) = reach.callee {
            called.entry(id).or_default().insert(reach.port);
        }
    }
    let plan = |(id, positions): (Id<ExternalHost>, BTreeSet<usize>)| {
        let external = context.model.externals.at(id);
        let ExternalHost {
            origin,
            name: _,
            namespace: _,
            hosts: _,
            addresses: _,
            fallback: _,
            // Its callers'.
            through: _,
            vip: _,
            ports,
            tls: _,
        } = external;
        let port = |position: usize| {
            let Port { origin: _, name: _, number, target, protocol, bind: _, mtls: _ } =
                ports.get(position)?;
            Some(ExternalPortPlan {
                number: *number,
                target: *target,
                protocol: *protocol,
                tls: external.tls(position).cloned(),
            })
        };
        ExternalPlan {
            name: context.model.callee_name(Callee::External(id)),
            hosts: hosts(external),
            addresses: groups(external).flatten().map(place).collect(),
            ports: positions.into_iter().filter_map(port).collect(),
            origin: origin.clone(),
        }
    };
    let mut called: Vec<ExternalPlan> = called.into_iter().map(plan).collect();
    called.sort_by(|left, right| left.name.cmp(&right.name));
    called
}
