//! mTLS of others, passed through by SNI: an east-west gateway has no certificate and ends no TLS.

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use meshc_plan::{PassThrough, PassThroughChain};

use super::{or_closed, tls_inspector};
use crate::pb::base::TrafficDirection;
use crate::pb::listener::{FilterChain, FilterChainMatch, Listener};
use crate::pb::{duration, number, timeout};
use crate::{access_log, keepalive, limits};

/// The listener. What is not TLS, or carries an SNI that is not exported, finds no chain and is closed; so it is the
/// listener that logs connections.
pub(super) fn listener(planned: &meshc_plan::Listener, pass_through: &PassThrough) -> Listener {
    Listener {
        filter_chains: or_closed(pass_through.chains.iter().map(|one| chain(&planned.name, one)).collect()),
        listener_filters: vec![tls_inspector()],
        listener_filters_timeout: duration(pass_through.hello_timeout),
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        traffic_direction: TrafficDirection::Inbound.into(),
        socket_options: keepalive::downstream(),
        access_log: access_log::tls(&planned.name),
        ..Default::default()
    }
}

fn chain(listener: &str, planned: &PassThroughChain) -> FilterChain {
    FilterChain {
        name: planned.sni.clone(),
        filter_chain_match: Some(FilterChainMatch {
            server_names: vec![planned.sni.clone()],
            transport_protocol: "tls".to_owned(),
            ..Default::default()
        }),
        ..super::tcp_proxy(&TcpProxy {
            stat_prefix: listener.to_owned(),
            // A connection is ended by those who speak on it, not by the gateway in the middle.
            idle_timeout: timeout(None),
            // A live gateway in front of dead pods must not look dead.
            max_connect_attempts: number(planned.connect_attempts),
            cluster_specifier: Some(ClusterSpecifier::Cluster(planned.upstream.clone())),
            ..Default::default()
        })
    }
}
