//! mTLS of others, passed through by SNI: an east-west gateway has no certificate and ends no TLS.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use meshc_plan::{PassThrough, PassThroughChain};

use super::outbound::clusters;
use super::{or_closed, tls_inspector};
use crate::pb::base::TrafficDirection;
use crate::pb::listener::{FilterChain, FilterChainMatch, Listener};
use crate::pb::{duration, number, timeout};
use crate::{access_log, keepalive, limits};

/// The listener. What is not TLS, or carries an SNI that is not exported, finds no chain and is closed; so it is the
/// listener that logs connections.
pub(crate) fn listener(name: &str, pass_through: &PassThrough) -> Listener {
    let PassThrough { hello_timeout, chains } = pass_through;
    Listener {
        filter_chains: or_closed(chains.iter().flat_map(|one| chain(name, one)).collect()),
        listener_filters: vec![tls_inspector()],
        listener_filters_timeout: duration(*hello_timeout),
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        traffic_direction: TrafficDirection::Inbound.into(),
        socket_options: keepalive::downstream(),
        access_log: access_log::tls(name, chains.iter().map(|chain| chain.carries)),
        ..Default::default()
    }
}

fn chain(listener: &str, planned: &PassThroughChain) -> Vec<FilterChain> {
    let PassThroughChain {
        names,
        to,
        dead_share,
        idle_timeout,
        connect_attempts,
        carries: _,
        clients,
        origin: _,
    } = planned;
    // Without names it is chosen where no other chain is.
    let every = names.iter().any(|name| name == "*");
    // A pattern would take what is no name, too.
    let guard = names.iter().any(|name| name.starts_with('*')).then(|| super::names_only(every));
    let passed = super::tcp_proxy(&TcpProxy {
        stat_prefix: listener.to_owned(),
        // Without one, a connection is ended by those who speak on it, not by the gateway in the middle.
        idle_timeout: timeout(*idle_timeout),
        // A live gateway in front of dead pods must not look dead.
        max_connect_attempts: number(*connect_attempts),
        cluster_specifier: Some(clusters(to, *dead_share)),
        ..Default::default()
    });
    let chain = FilterChain {
        name: names.join(" "),
        filters: guard.into_iter().chain(passed.filters).collect(),
        filter_chain_match: Some(FilterChainMatch {
            server_names: if every { Vec::new() } else { names.clone() },
            transport_protocol: "tls".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    super::of_clients(clients.as_ref(), chain)
}
