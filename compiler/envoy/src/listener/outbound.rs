//! HTTP and TCP from the application, and HTTP from outside the mesh.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy,
    tcp_proxy::{ClusterSpecifier, WeightedCluster, weighted_cluster},
};
use meshc_plan::filter::Filter;
use meshc_plan::{
    Entrance, HttpListener, Limit, ServerTls, TcpListener, VirtualHost, WeightedUpstream, bounds,
};
use meshc_vocabulary::model::DeadShare;

use super::certificates::{self, Served};
use super::tls_inspector;
use crate::http::authorization;
use crate::http::clients::Clients;
use crate::http::manager;
use crate::http::{filters, replies, routes};
use crate::pb::base::TrafficDirection;
use crate::pb::listener::{FilterChain, Listener};
use crate::pb::{duration, flag, listener_filter, number, route, timeout};
use crate::placed::Placed;
use crate::{access_log, keepalive, limits, shares, tls};

/// HTTP by host and path.
pub(super) fn http(placed: &Placed<'_>, name: &str, http: &HttpListener) -> Listener {
    let HttpListener { edge, tls, http10, entrance, limits, virtual_hosts } = http;
    let mut of_all = filters::of_entrance(entrance);
    of_all.extend(limits.iter().map(Limit::filter));
    let tries = |entrance: &Entrance| entrance.tried.is_some();
    let clients = if *edge {
        let certificates = tls.as_ref().and_then(|tls| tls.clients.as_ref());
        Clients::Strangers {
            trusted_hops: placed.plan.trusted_hops,
            show_certificates: certificates.is_some(),
            http10: http10.as_ref(),
            tries: tries(entrance) || virtual_hosts.iter().any(|host| tries(&host.entrance)),
        }
    } else {
        Clients::Application
    };
    let chain = |hosts: &[VirtualHost], others: Vec<route::VirtualHost>| {
        let (routes, filters) = routes::configuration(name, hosts, others);
        let clients_of = tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let counting = filters::of_every_request(&of_all);
        let filters =
            clients_of.map(authorization::clients).into_iter().chain(counting).chain(filters).collect();
        let of_hosts: Vec<Filter> = hosts.iter().flat_map(|host| &host.limits).map(Limit::filter).collect();
        let of_routes = hosts.iter().flat_map(|host| &host.routes).flat_map(|route| &route.filters);
        let replies = replies::of(of_all.iter().chain(&of_hosts).chain(of_routes));
        FilterChain {
            filters: vec![manager::filter(name, clients, routes, filters, Some(replies))],
            ..Default::default()
        }
    };
    let listener = Listener {
        per_connection_buffer_limit_bytes: number(if *edge { limits::EDGE_BUFFER } else { limits::BUFFER }),
        socket_options: vec![keepalive::unsent()],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..Default::default()
    };
    let Some(tls) = tls else {
        return Listener { filter_chains: vec![chain(virtual_hosts, Vec::new())], ..listener };
    };
    ends_tls(placed, tls, listener, |position| {
        let Served { hosts, others } = certificates::served(tls, position, virtual_hosts);
        chain(&hosts, others)
    })
}

/// One upstream, or several by weight. Envoy refuses a weight of 0 here, where it may as well be left out.
pub(super) fn clusters(to: &[WeightedUpstream], dead_share: DeadShare) -> ClusterSpecifier {
    let shares = shares::clusters(to, dead_share);
    if let [(cluster, _)] = shares.as_slice() {
        return ClusterSpecifier::Cluster(cluster.clone());
    }
    let shares = shares.into_iter().filter(|(_, weight)| *weight > 0);
    let shares =
        shares.map(|(name, weight)| weighted_cluster::ClusterWeight { name, weight, ..Default::default() });
    ClusterSpecifier::WeightedClusters(WeightedCluster { clusters: shares.collect() })
}

/// Bytes, each connection to one upstream.
pub(super) fn tcp(placed: &Placed<'_>, name: &str, tcp: &TcpListener) -> Listener {
    let TcpListener { tls, to, connect_attempts, dead_share, idle_timeout, clients } = tcp;
    let log = access_log::tcp(name);
    // What no chain takes is in the log of the listener only.
    let (of_chain, of_listener) =
        if clients.is_some() || tls.is_some() { (Vec::new(), log) } else { (log, Vec::new()) };
    let chain = super::tcp_proxy(&TcpProxy {
        stat_prefix: name.to_owned(),
        idle_timeout: timeout(*idle_timeout),
        access_log: of_chain,
        max_connect_attempts: number(*connect_attempts),
        cluster_specifier: Some(clusters(to, *dead_share)),
        ..Default::default()
    });
    let listener = Listener {
        access_log: of_listener,
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        socket_options: vec![keepalive::unsent()],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..Default::default()
    };
    let listener = match tls {
        Some(tls) => ends_tls(placed, tls, listener, |_| chain.clone()),
        None => Listener { filter_chains: vec![chain], ..listener },
    };
    let chains = listener.filter_chains.into_iter();
    let chains = chains.flat_map(|chain| super::of_clients(clients.as_ref(), chain)).collect();
    Listener { filter_chains: super::or_closed(chains), ..listener }
}

/// A listener with the chains of each certificate, which `chain` makes from the certificate's position.
fn ends_tls(
    placed: &Placed<'_>,
    tls: &ServerTls,
    listener: Listener,
    chain: impl Fn(usize) -> FilterChain,
) -> Listener {
    let mut chains = Vec::new();
    for (position, certificate) in tls.certificates.iter().enumerate() {
        for (number, chosen) in certificates::chosen_by(certificate).into_iter().enumerate() {
            chains.push(FilterChain {
                name: format!("{}.{number}", certificate.secret),
                filter_chain_match: Some(chosen),
                transport_socket: Some(tls::server(placed, tls, certificate)),
                ..chain(position)
            });
        }
    }
    Listener {
        filter_chains: chains,
        listener_filters: vec![tls_inspector()],
        listener_filters_timeout: duration(bounds::HELLO_TIMEOUT),
        ..listener
    }
}

/// Where the kernel sends connections to virtual addresses. Each is handed to the listener of the address that the
/// application meant; one that means no callee is closed.
pub(super) fn redirected() -> Listener {
    Listener {
        filter_chains: vec![super::close_at_once()],
        use_original_dst: flag(true),
        listener_filters: vec![listener_filter("envoy.filters.listener.original_dst", &OriginalDst {})],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..Default::default()
    }
}
