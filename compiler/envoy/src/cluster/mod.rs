//! Upstreams: one cluster per group of endpoints, joined in order by an aggregate where there are several.
//!
//! Envoy's ejection settings hold for a whole cluster. If pods and a gateway shared one, a single 500 from a remote
//! application would eject the gateway, and with it everything behind it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

mod balance;
mod buffers;
pub(crate) mod dns;
mod ejection;
mod endpoints;
mod health;
mod pool;

use std::collections::HashMap;

use envoy_types::pb::envoy::extensions::clusters::aggregate::v3::ClusterConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::google::protobuf::Any;
use meshc_plan::{Group, ListenerKind, Upstream, UpstreamTls, called_by_upstream, paths};

use crate::http::reserved;
use crate::pb::base::Address;
use crate::pb::cluster::Cluster;
use crate::pb::cluster::cluster::{
    ClusterDiscoveryType, CommonLbConfig, CustomClusterType, DiscoveryType, LbPolicy,
};
use crate::pb::endpoint::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint};
use crate::pb::kind::Percent;
use crate::pb::{duration, number, pipe};
use crate::placed::Placed;
use crate::proto::any;
use crate::{inside, keepalive, limits, shares, tls};

/// Name of the cluster that is Envoy's own admin socket.
pub(crate) const ADMIN: &str = "mesh-admin";

/// All clusters of the proxy, in order of name.
pub(crate) fn all(placed: &Placed<'_>) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> =
        placed.plan.upstreams.iter().flat_map(|upstream| of_upstream(placed, upstream)).collect();
    for (name, order) in shares::of_proxy(placed.plan) {
        let named = |wanted: &&str| placed.plan.upstreams.iter().find(|upstream| upstream.name == **wanted);
        let upstreams: Vec<&Upstream> = order.iter().filter_map(named).map(AsRef::as_ref).collect();
        let members: Vec<String> = upstreams.iter().flat_map(|upstream| members(upstream)).collect();
        // The plan has seen to it that they count failures and retries alike.
        if let Some(first) = upstreams.first() {
            let stat = order.iter().map(|upstream| metrics_name(upstream, None)).collect::<Vec<_>>();
            clusters.push(aggregate(first, name, stat.join("/or/"), &members));
        }
    }
    let serves_metrics = placed.plan.listeners.iter().any(|listener| match listener.kind {
        ListenerKind::Metrics(_) => true,
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_) => false,
    });
    if serves_metrics {
        clusters.push(admin(placed));
    }
    clusters.extend(inside::clusters(placed));
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters
}

fn of_upstream(placed: &Placed<'_>, upstream: &Upstream) -> Vec<Cluster> {
    match upstream.groups.as_slice() {
        [only] => vec![member(placed, upstream, only, upstream.name.clone())],
        several => {
            let names = members(upstream);
            let joined =
                aggregate(upstream, upstream.name.clone(), metrics_name(&upstream.name, None), &names);
            let members =
                several.iter().zip(names).map(|(group, name)| member(placed, upstream, group, name));
            std::iter::once(joined).chain(members).collect()
        }
    }
}

/// The clusters of an upstream's groups, in order.
fn members(upstream: &Upstream) -> Vec<String> {
    match upstream.groups.as_slice() {
        [_] => vec![upstream.name.clone()],
        several => several.iter().map(|group| format!("{}/{}", upstream.name, group.name)).collect(),
    }
}

/// Clusters of groups in order. Retries are counted here and nowhere else, so the budget stands here.
fn aggregate(upstream: &Upstream, cluster: String, alt_stat_name: String, members: &[String]) -> Cluster {
    let config = ClusterConfig { clusters: members.to_vec() };
    let Upstream {
        name: _,
        protocol: spoken,
        groups: _,
        spill: _,
        failing_answers: _,
        tls: _,
        health: _,
        pool,
        origin: _,
    } = upstream;
    Cluster {
        name: cluster,
        alt_stat_name,
        connect_timeout: duration(pool.connect_timeout),
        lb_policy: LbPolicy::ClusterProvided.into(),
        circuit_breakers: Some(pool::with_retries(pool, *spoken)),
        common_lb_config: Some(at_once_and_with_a_last_resort()),
        typed_extension_protocol_options: protocol(upstream, None, true),
        cluster_discovery_type: Some(custom("envoy.clusters.aggregate", any(&config))),
        ..Default::default()
    }
}

fn member(placed: &Placed<'_>, upstream: &Upstream, group: &Group, cluster: String) -> Cluster {
    let Upstream { name, protocol: spoken, groups, spill, failing_answers, tls, health, pool, origin: _ } =
        upstream;
    // Requests on a connection are bounded by the protocol.
    let Group { name: group_name, locality, endpoints, balance, ejection, requests_per_connection: _ } =
        group;
    let (lb_policy, lb_config) = balance::policy(*balance);
    let is_only = groups.len() == 1;
    let endpoints = endpoints::placed(placed, endpoints);
    let discovery = if endpoints.iter().all(endpoints::is_literal) {
        ClusterDiscoveryType::Type(DiscoveryType::Static.into())
    } else {
        custom("envoy.clusters.dns", any(&dns::cluster(placed)))
    };
    Cluster {
        alt_stat_name: metrics_name(name, Some(group_name)),
        connect_timeout: duration(pool.connect_timeout),
        lb_policy: lb_policy.into(),
        lb_config,
        load_assignment: Some(endpoints::assignment(&cluster, locality, &endpoints, *spill)),
        circuit_breakers: Some(if is_only {
            pool::with_retries(pool, *spoken)
        } else {
            pool::limits(pool, *spoken)
        }),
        typed_extension_protocol_options: protocol(upstream, Some(group), is_only),
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        upstream_bind_config: buffers::of_application(group),
        upstream_connection_options: keepalive::upstream(group),
        outlier_detection: ejection::outlier_detection(ejection, failing_answers)
            .map(|detection| health::beside(detection, health.as_ref())),
        health_checks: health.iter().map(health::check).collect(),
        transport_socket_matches: health::sockets(placed, health.as_ref(), tls.as_ref()),
        common_lb_config: Some(at_once_and_with_a_last_resort()),
        transport_socket: tls.as_ref().map(|settings| tls::upstream(placed, settings)),
        cluster_discovery_type: Some(discovery),
        name: cluster,
        ..Default::default()
    }
}

/// The protocol of one group, or of the aggregate, which holds no connections but says which answers are failures.
fn protocol(upstream: &Upstream, group: Option<&Group>, routed: bool) -> HashMap<String, Any> {
    // Whoever is behind mutual TLS is a proxy.
    let bounds = match upstream.tls {
        Some(UpstreamTls::Mutual { sni: _, peers: _ }) => limits::BETWEEN_PROXIES,
        Some(UpstreamTls::Outside(_)) | None => limits::FROM_OUTSIDE,
    };
    let requests = group.and_then(|group| group.requests_per_connection);
    let options = pool::protocol(upstream.protocol, requests, bounds).map(|options| HttpProtocolOptions {
        // The filters of the cluster that a route names, whatever members it has.
        http_filters: match upstream.tls {
            Some(UpstreamTls::Outside(_)) if routed => reserved::without_on_the_way_out(),
            Some(UpstreamTls::Outside(_) | UpstreamTls::Mutual { sni: _, peers: _ }) | None => Vec::new(),
        },
        outlier_detection: if routed {
            ejection::error_matcher(&upstream.groups, &upstream.failing_answers)
        } else {
            None
        },
        ..options
    });
    let needed = |options: &HttpProtocolOptions| {
        group.is_some() || options.outlier_detection.is_some() || !options.http_filters.is_empty()
    };
    let entry =
        |options| ("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), any(&options));
    options.filter(needed).map(entry).into_iter().collect()
}

/// What a cluster is called in metrics: `istioinaction/catalog/80`, and the group behind it where it is one. A dot ends
/// a name there, so that Prometheus would find a part of it in the label and the rest in the metric's own name.
pub(crate) fn metrics_name(upstream: &str, group: Option<&str>) -> String {
    let name = match called_by_upstream(upstream) {
        Some((service, namespace, port)) => {
            let callee = format!("{namespace}/{service}/{port}");
            group.map_or_else(|| callee.clone(), |group| format!("{callee}/{group}"))
        }
        // The application's own ports, and services of the mesh itself.
        None => upstream.to_owned(),
    };
    name.replace(['.', ':'], "/")
}

/// Ejections reach the workers at once; by default all but the first of a second wait for its end, and requests keep
/// going to hosts that are known to fail. Ejection never refuses a request by itself: with fewer than one in a hundred
/// hosts left in the last group, all are tried, and the overprovisioning of each group keeps this from beginning as
/// long as any group has a host (measured with Envoy 1.40).
fn at_once_and_with_a_last_resort() -> CommonLbConfig {
    CommonLbConfig {
        healthy_panic_threshold: Some(Percent { value: 1.0 }),
        update_merge_window: duration(std::time::Duration::ZERO),
        ..Default::default()
    }
}

fn custom(name: &str, config: Any) -> ClusterDiscoveryType {
    ClusterDiscoveryType::ClusterType(CustomClusterType { name: name.to_owned(), typed_config: Some(config) })
}

/// Envoy's own admin socket, which has the metrics.
fn admin(placed: &Placed<'_>) -> Cluster {
    at_address(ADMIN, pipe(placed.path(paths::ADMIN_SOCKET), 0))
}

/// A cluster that is one address inside this pod, which is looked up nowhere.
pub(crate) fn at_address(name: &str, address: Address) -> Cluster {
    let endpoint = LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(address),
            ..Default::default()
        })),
        ..Default::default()
    };
    Cluster {
        name: name.to_owned(),
        load_assignment: Some(ClusterLoadAssignment {
            cluster_name: name.to_owned(),
            endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..Default::default() }],
            ..Default::default()
        }),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        ..Default::default()
    }
}
