//! What a proxy connects to: callees of other proxies, its own application, the rate-limit service.

use lang_diagnostics::Origin;
use meshc_topology::{Reach, Via};
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Host, Id, IpFamily, Port, Protocol, Service};

use super::context::Context;
use super::outside;
use super::policy::retry::Beside;
use super::policy::{AtCaller, balance, failover, health, outlier, pool};
use crate::{
    Ejection, Endpoint, EndpointAddress, FailingAnswers, Group, GroupBalance, RATE_LIMIT_UPSTREAM, Serves,
    Spill, Upstream, UpstreamProtocol, UpstreamTls, WeightedUpstream, companion_service, object_name, paths,
    sni, upstream_name,
};

/// The name of the listener on which east-west gateways pass connections through.
pub(super) const EAST_WEST_LISTENER: &str = "eastwest";
/// The name of the listener on which sidecars take mTLS.
pub(super) const INBOUND_LISTENER: &str = "inbound";

/// How often a gateway's address is listed for requests: at least this often, so that HTTP/2 opens several
/// connections and remote pods share evenly (measured: ENVOY 1.40, eight copies in front of eight pods) …
const MIN_COPIES: u32 = 8;
/// … once for each remote replica, and never more than this: every copy is a connection of every worker.
const MAX_COPIES: u32 = 32;

/// What an upstream's connections carry, as the proxy that opens them sees it.
#[derive(Clone, Copy)]
enum Carries {
    /// HTTP requests, which can be counted and sent again.
    Requests,
    /// What a proxy asks before it sends a request on: a few connections that stay, since opening one takes longer than
    /// an answer may.
    Questions,
    /// Bytes: TCP, or the mTLS of others that a gateway passes through.
    Connections,
}

/// The name of a callee port's upstream: `catalog.istioinaction:80`.
pub(super) fn callee_name(context: &Context<'_>, callee: Callee, port: &Port) -> String {
    let called = context.called(callee);
    upstream_name(called.name, called.namespace, port.number)
}

/// What a callee port is called where all its callers share a value.
pub(super) fn origin(context: &Context<'_>, callee: Callee, port: &Port) -> Origin {
    let owner = match callee {
        Callee::Service(id) => &context.model.services.at(id).origin,
        Callee::External(id) => &context.model.externals.at(id).origin,
    };
    Origin::new(port.origin.span, [&port.origin.name, " of ", &owner.name].concat())
}

/// The name of an application port's upstream: `app:8080`.
pub(super) fn app_name(port: u16) -> String {
    ["app:", &port.to_string()].concat()
}

/// A callee port, as a proxy sees it that speaks mTLS to the callee's sidecars, or connects to a host outside.
pub(super) fn callee(context: &Context<'_>, caller: Id<Cluster>, reach: &Reach, port: &Port) -> Upstream {
    match reach.callee {
        Callee::Service(service) => {
            let settings = AtCaller::of(context, reach.callee);
            let carries = match port.protocol.is_http() {
                _ if context.model.limiter == Some(service) => Carries::Questions,
                true => Carries::Requests,
                false => Carries::Connections,
            };
            let groups = failover::groups(settings.failover, &reach.groups).iter().map(|to| {
                let target = Target { service, cluster: to.cluster, weight: to.weight };
                group(context, target, &to.via, &settings, carries)
            });
            Upstream {
                name: callee_name(context, reach.callee, port),
                protocol: match port.protocol {
                    Protocol::Http => UpstreamProtocol::HttpLikeDownstream,
                    Protocol::Http2 | Protocol::Grpc => UpstreamProtocol::Http2,
                    Protocol::Tcp | Protocol::Tls => UpstreamProtocol::Tcp,
                },
                groups: groups.collect(),
                spill: failover::spill(settings.failover),
                failing_answers: outlier::failing_answers(settings.outlier),
                tls: Some(tls(context, service, port)),
                health: health::plan(context, service, port),
                pool: pool::plan(settings.pool),
                origin: origin(context, reach.callee, port),
            }
        }
        Callee::External(id) => outside::upstream(context, caller, id, reach.port, port),
    }
}

/// The same port as its callers need it: by itself, and once more for each cluster that has a share of the requests, so that
/// clusters stand in for each other as the destinations of a rule do. Copies of requests have no shares.
pub(super) fn callees(
    context: &Context<'_>,
    caller: Id<Cluster>,
    reach: &Reach,
    port: &Port,
) -> Vec<Upstream> {
    let whole = callee(context, caller, reach, port);
    let shares = failover::shares(context, AtCaller::of(context, reach.callee).failover, &reach.groups);
    if shares.is_empty() {
        return vec![whole];
    }
    let of_cluster = |(cluster, _): &(&str, u32)| Upstream {
        name: share_name(context, reach.callee, port, cluster),
        groups: whole.groups.iter().filter(|group| group.name == *cluster).cloned().collect(),
        ..whole.clone()
    };
    let shares: Vec<Upstream> = shares.iter().map(of_cluster).collect();
    // Nothing but copies goes there, so what they are for need not be checked once more.
    [Upstream { health: None, ..whole }].into_iter().chain(shares).collect()
}

/// Where calls of a port go where clusters have shares of them; `None` where they have an order.
pub(super) fn shares(context: &Context<'_>, reach: &Reach, port: &Port) -> Option<Vec<WeightedUpstream>> {
    let shares = failover::shares(context, AtCaller::of(context, reach.callee).failover, &reach.groups);
    let shares = shares.into_iter().map(|(cluster, weight)| {
        let upstream = share_name(context, reach.callee, port, cluster);
        WeightedUpstream { upstream, weight }
    });
    let shares: Vec<_> = shares.collect();
    (!shares.is_empty()).then_some(shares)
}

/// The name of the upstream for one cluster's share: `cart@west.shop:80`.
fn share_name(context: &Context<'_>, callee: Callee, port: &Port, cluster: &str) -> String {
    let called = context.called(callee);
    upstream_name(&format!("{}@{cluster}", called.name), called.namespace, port.number)
}

/// What there is beside an endpoint of a callee that failed.
pub(super) fn beside(context: &Context<'_>, reach: &Reach) -> Beside {
    match reach.callee {
        Callee::Service(_) => {}
        Callee::External(id) => return outside::beside(context, id),
    }
    let groups = failover::groups(AtCaller::of(context, reach.callee).failover, &reach.groups);
    let [nearest, _, ..] = groups else { return Beside::OnlyEndpoints };
    let several = match &nearest.via {
        Via::Pods | Via::External => nearest.weight > 1,
        Via::Gateways { gateways, from, hops: _ } => addresses(context, gateways, *from) > 1,
    };
    if several { Beside::EndpointsAndGroups } else { Beside::OnlyGroups }
}

/// At how many addresses pods of a family reach gateways.
fn addresses(context: &Context<'_>, gateways: &[Id<Gateway>], from: IpFamily) -> usize {
    gateways.iter().map(|id| context.model.gateways.at(*id).addresses_for(from).count()).sum()
}

/// An exported port, as an east-west gateway passes it through: no TLS of its own, connections only.
pub(super) fn passed_through<'a>(
    context: &Context<'_>,
    service: Id<Service>,
    port: &Port,
    hops: impl Iterator<Item = (Id<Cluster>, &'a Via, u32)>,
) -> Upstream {
    let settings = AtCaller::of(context, Callee::Service(service));
    // Connections of many callers, each with many requests: only turns spread them evenly, whatever callers want.
    let groups = hops.map(|(cluster, via, weight)| Group {
        balance: GroupBalance::EVENLY,
        ..group(context, Target { service, cluster, weight }, via, &settings, Carries::Connections)
    });
    Upstream {
        name: callee_name(context, Callee::Service(service), port),
        protocol: UpstreamProtocol::Tcp,
        groups: groups.collect(),
        spill: Spill::WhenEmpty,
        failing_answers: outlier::failing_answers(settings.outlier),
        tls: None,
        health: None,
        pool: pool::unbounded(settings.pool.connect_timeout),
        origin: port.origin.clone(),
    }
}

/// The application beside a sidecar. Its callers' pools bound it, so it has no bounds of its own; and what it refuses to
/// take on one connection may be sent again on another, however much of it there is.
pub(super) fn app(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    port: u16,
    protocol: UpstreamProtocol,
    serves: Serves,
    origin: &Origin,
) -> Upstream {
    let address = EndpointAddress::Ip(context.localhost(cluster));
    let endpoint = Endpoint { address, port, weight: 1, copies: 1, serves };
    Upstream {
        name: app_name(port),
        protocol,
        groups: vec![plain_group(context, cluster, endpoint)],
        spill: Spill::WhenEmpty,
        failing_answers: FailingAnswers::GatewayErrors,
        tls: None,
        health: None,
        pool: pool::of_application(context.model.defaults.pool.connect_timeout),
        origin: origin.clone(),
    }
}

/// The rate-limit service of a cluster.
pub(super) fn rate_limit(context: &Context<'_>, cluster: Id<Cluster>, origin: &Origin) -> Upstream {
    let domain = &context.model.clusters.at(cluster).domain;
    let namespace = &context.model.mesh.namespace;
    let name = format!("{}.{namespace}.svc.{domain}", paths::RATE_LIMIT_SERVICE);
    let endpoint = Endpoint {
        address: EndpointAddress::Name(name),
        port: paths::RATE_LIMIT_GRPC_PORT,
        weight: 1,
        copies: 1,
        serves: Serves::RateLimit,
    };
    Upstream {
        name: RATE_LIMIT_UPSTREAM.to_owned(),
        protocol: UpstreamProtocol::Http2,
        groups: vec![plain_group(context, cluster, endpoint)],
        spill: Spill::WhenEmpty,
        failing_answers: FailingAnswers::GatewayErrors,
        tls: None,
        health: None,
        pool: pool::unbounded(context.model.defaults.pool.connect_timeout),
        origin: origin.clone(),
    }
}

/// A service's pods in one cluster.
#[derive(Clone, Copy)]
struct Target {
    service: Id<Service>,
    cluster: Id<Cluster>,
    /// Declared replicas.
    weight: u32,
}

fn group(
    context: &Context<'_>,
    target: Target,
    via: &Via,
    settings: &AtCaller<'_>,
    carries: Carries,
) -> Group {
    let (endpoints, balance, ejection, requests_per_connection) = match via {
        Via::Pods | Via::External => {
            let ejection = match carries {
                Carries::Requests | Carries::Questions => outlier::of_pods(settings.outlier),
                Carries::Connections => outlier::of_connections(settings.outlier),
            };
            let balance = match carries {
                Carries::Requests | Carries::Questions => balance::of_pods(settings.balance),
                Carries::Connections => balance::without_hash(settings.balance),
            };
            let requests = settings.pool.requests_per_connection.value;
            (pods(context, target), balance, ejection, requests)
        }
        Via::Gateways { gateways, from, hops: _ } => {
            let endpoints = gateway_endpoints(context, target, (gateways, *from), carries);
            let requests = pool::requests_through_gateway(settings.pool);
            let ejection = match carries {
                Carries::Requests | Carries::Questions => outlier::of_gateways(settings.outlier),
                Carries::Connections => outlier::of_gateway_connections(settings.outlier),
            };
            (endpoints, balance::without_hash(settings.balance), ejection, Some(requests))
        }
    };
    Group {
        name: context.model.clusters.at(target.cluster).name.clone(),
        locality: context.locality(target.cluster),
        endpoints,
        balance,
        ejection,
        requests_per_connection: match carries {
            Carries::Requests => requests_per_connection,
            Carries::Questions | Carries::Connections => None,
        },
    }
}

/// The pods of a callee in a cluster: one name for all of them, or one for each subset, whose pods then count alike.
fn pods(context: &Context<'_>, target: Target) -> Vec<Endpoint> {
    let model = context.model;
    let runs_here = |subset: &&Id<Service>| model.services.at(**subset).presence(target.cluster).is_some();
    let subsets: Vec<_> = model.services.at(target.service).subsets.iter().filter(runs_here).collect();
    if subsets.is_empty() {
        return pods_of(context, target);
    }
    subsets
        .into_iter()
        .flat_map(|subset| pods_of(context, Target { service: *subset, weight: 1, ..target }))
        .collect()
}

/// By one name in Kubernetes; machines at their addresses, which together weigh what there is.
fn pods_of(context: &Context<'_>, target: Target) -> Vec<Endpoint> {
    let called = context.called(Callee::Service(target.service));
    let presence = context.model.services.at(target.service).presence(target.cluster);
    let machines = presence.map_or(&[][..], |presence| presence.addresses.as_slice());
    let addresses: Vec<EndpointAddress> = if machines.is_empty() {
        let companion = companion_service(&object_name(called.service, called.subset));
        let domain = &context.model.clusters.at(target.cluster).domain;
        vec![EndpointAddress::Name([&companion, ".", called.namespace, ".svc.", domain].concat())]
    } else {
        machines.iter().map(|address| outside::place(&address.value)).collect()
    };
    let share = target.weight / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let endpoint = |address| Endpoint {
        address,
        port: paths::INBOUND_PORT,
        weight: share.max(1),
        copies: 1,
        serves: Serves::Proxy {
            proxy: context.sidecar_name(target.cluster, target.service),
            listener: INBOUND_LISTENER.to_owned(),
        },
    };
    addresses.into_iter().map(endpoint).collect()
}

/// One endpoint for each address of each gateway that these pods reach. Together they weigh what stands behind them; none weighs nothing.
fn gateway_endpoints(
    context: &Context<'_>,
    target: Target,
    (gateways, from): (&[Id<Gateway>], IpFamily),
    carries: Carries,
) -> Vec<Endpoint> {
    let model = context.model;
    let addresses = addresses(context, gateways, from);
    let share = target.weight / u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    let copies = match carries {
        Carries::Requests => target.weight.clamp(MIN_COPIES, MAX_COPIES),
        Carries::Questions | Carries::Connections => 1,
    };
    let mut endpoints = Vec::with_capacity(addresses);
    for id in gateways {
        let gateway = model.gateways.at(*id);
        let port = gateway.ports.first().map_or(paths::EAST_WEST_PORT, |port| port.number);
        endpoints.extend(gateway.addresses_for(from).map(|address| Endpoint {
            address: match address {
                Host::Ip(ip) => EndpointAddress::Ip(*ip),
                Host::Name(name) => EndpointAddress::Name(name.clone()),
            },
            port,
            weight: share.max(1),
            copies,
            serves: Serves::Proxy {
                proxy: context.gateway_proxy_name(*id),
                listener: EAST_WEST_LISTENER.to_owned(),
            },
        }));
    }
    endpoints
}

fn tls(context: &Context<'_>, service: Id<Service>, port: &Port) -> UpstreamTls {
    let called = context.called(Callee::Service(service));
    UpstreamTls::Mutual {
        sni: sni(called.service, called.subset, called.namespace, port.number),
        peers: context.model.service_identities(service),
    }
}

fn plain_group(context: &Context<'_>, cluster: Id<Cluster>, endpoint: Endpoint) -> Group {
    Group {
        name: context.model.clusters.at(cluster).name.clone(),
        locality: context.locality(cluster),
        endpoints: vec![endpoint],
        balance: GroupBalance::EVENLY,
        ejection: Ejection::Never,
        requests_per_connection: None,
    }
}
