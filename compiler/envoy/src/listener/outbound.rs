//! HTTP and TCP from the application, and HTTP from outside the mesh.

use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use meshc_plan::{HttpListener, TcpListener};

use crate::http::clients::Clients;
use crate::http::manager;
use crate::http::{replies, routes};
use crate::pb::base::TrafficDirection;
use crate::pb::listener::{FilterChain, Listener};
use crate::pb::{flag, listener_filter, number, timeout};
use crate::placed::Placed;
use crate::{access_log, keepalive, limits, tls};

/// How many endpoints a connection is tried at: once more than the first, as HTTP requests are by default.
const CONNECT_ATTEMPTS: u32 = 2;

/// HTTP by host and path.
pub(super) fn http(placed: &Placed<'_>, planned: &meshc_plan::Listener, http: &HttpListener) -> Listener {
    let clients = if http.edge {
        Clients::Strangers { trusted_hops: placed.plan.trusted_hops }
    } else {
        Clients::Application
    };
    let routes = routes::configuration(&planned.name, &http.virtual_hosts);
    let chain = FilterChain {
        filters: vec![manager::filter(&planned.name, clients, routes, Vec::new(), Some(replies::of(&[])))],
        transport_socket: http.tls.as_ref().map(|settings| tls::server(placed, settings)),
        ..Default::default()
    };
    Listener {
        filter_chains: vec![chain],
        per_connection_buffer_limit_bytes: number(if http.edge {
            limits::EDGE_BUFFER
        } else {
            limits::BUFFER
        }),
        socket_options: vec![keepalive::unsent()],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..Default::default()
    }
}

/// Bytes to one upstream.
pub(super) fn tcp(planned: &meshc_plan::Listener, tcp: &TcpListener) -> Listener {
    let chain = super::tcp_proxy(&TcpProxy {
        stat_prefix: planned.name.clone(),
        idle_timeout: timeout(tcp.idle_timeout),
        access_log: access_log::tcp(&planned.name),
        max_connect_attempts: number(CONNECT_ATTEMPTS),
        cluster_specifier: Some(ClusterSpecifier::Cluster(tcp.upstream.clone())),
        ..Default::default()
    });
    Listener {
        filter_chains: vec![chain],
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        socket_options: vec![keepalive::unsent()],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..Default::default()
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
