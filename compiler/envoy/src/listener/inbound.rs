//! mTLS from other proxies: one chain per port of the service, chosen by SNI.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use meshc_plan::filter::Filter;
use meshc_plan::{AppPort, Carried, InboundChain, InboundListener, InboundProtocol, RetryPlan, bounds};
use meshc_vocabulary::model::Upgrade;

use super::{or_closed, tls_inspector};
use crate::http::authorization;
use crate::http::clients::Clients;
use crate::http::manager;
use crate::http::matches;
use crate::http::{filters, replies, retry, routes, upgrade};
use crate::pb::base::TrafficDirection;
use crate::pb::listener::{FilterChain, FilterChainMatch, Listener};
use crate::pb::route::route_action::ClusterSpecifier as RouteCluster;
use crate::pb::route::{self, Route, RouteAction, VirtualHost};
use crate::pb::{duration, long, number, timeout};
use crate::placed::Placed;
use crate::{access_log, inside, keepalive, limits, tls};

/// The listener. It logs connections itself: those that no chain takes, or that fail in the handshake, are seen nowhere
/// else.
pub(super) fn listener(placed: &Placed<'_>, name: &str, inbound: &InboundListener) -> Listener {
    let InboundListener { chains } = inbound;
    Listener {
        filter_chains: or_closed(chains.iter().flat_map(|chain| both(placed, name, chain)).collect()),
        listener_filters: vec![tls_inspector()],
        listener_filters_timeout: duration(bounds::HELLO_TIMEOUT),
        // A plain client of a protocol in which the server speaks first sends nothing that could be inspected.
        continue_on_listener_filters_timeout: chains.iter().any(|chain| chain.plain.is_some()),
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        traffic_direction: TrafficDirection::Inbound.into(),
        socket_options: keepalive::downstream(),
        access_log: access_log::tls(name, chains.iter().map(|chain| chain.carries)),
        ..Default::default()
    }
}

/// The chain for mTLS, unless nobody may call, and the one for plain connections to a permissive port.
fn both(placed: &Placed<'_>, listener: &str, planned: &InboundChain) -> Vec<FilterChain> {
    let InboundChain { sni, subset_sni, peers, protocol, plain, app, carries, origin: _ } = planned;
    let (served, alpn) = chain(listener, app, protocol, *carries);
    let mutual = tls::downstream(placed, peers, alpn).map(|transport_socket| FilterChain {
        name: sni.clone(),
        filter_chain_match: Some(FilterChainMatch {
            server_names: [sni].into_iter().chain(subset_sni).cloned().collect(),
            transport_protocol: "tls".to_owned(),
            ..Default::default()
        }),
        transport_socket: Some(transport_socket),
        ..served
    });
    let plain = plain.as_ref().map(|protocol| FilterChain {
        name: format!("plain:{sni}"),
        filter_chain_match: Some(FilterChainMatch {
            transport_protocol: "raw_buffer".to_owned(),
            ..Default::default()
        }),
        ..chain(listener, app, protocol, *carries).0
    });
    mutual.into_iter().chain(plain).collect()
}

/// What is done with the connections of a chain, and what may be spoken on them (ALPN).
fn chain(
    listener: &str,
    app: &AppPort,
    protocol: &InboundProtocol,
    carries: Carried,
) -> (FilterChain, &'static [&'static str]) {
    let AppPort { upstream, port } = app;
    let name = match carries {
        Carried::Calls => format!("{listener}_{port}"),
        Carried::Checks => format!("checks_{port}"),
    };
    match protocol {
        InboundProtocol::Http { app_http2, upgrades, vouching, told, retry, filters } => {
            let replies = replies::of(filters);
            let action = RouteAction {
                upgrade_configs: upgrade::refused(upgrades),
                ..to_application(upstream, *app_http2, retry.as_ref())
            };
            let mut routes = every_request(&name, upstream, action, upgrades, filters);
            keep_bodies(&mut routes, retry.as_ref());
            let filters = filters::before_the_router(filters);
            let filters = authorization::vouching(vouching).into_iter().chain(filters).collect();
            let clients = match carries {
                Carried::Calls => Clients::Peers { vouch: !vouching.is_empty(), told: *told },
                Carried::Checks => Clients::Checkers,
            };
            let manager = manager::filter(&name, clients, routes, filters, Some(replies));
            (FilterChain { filters: vec![manager], ..Default::default() }, &["h2", "http/1.1"])
        }
        // Whoever completed the handshake may speak: RBAC acts on the client's first byte, and by then a server that
        // speaks first would have said too much.
        InboundProtocol::Tcp { connect_attempts } => {
            let bytes = super::tcp_proxy(&TcpProxy {
                stat_prefix: name,
                idle_timeout: crate::pb::timeout(None),
                // Envoy's own number.
                max_connect_attempts: if *connect_attempts == 1 { None } else { number(*connect_attempts) },
                cluster_specifier: Some(ClusterSpecifier::Cluster(upstream.clone())),
                ..Default::default()
            });
            (bytes, &[])
        }
        InboundProtocol::Tls { names: _, hello_timeout: _, connect_attempts: _ } => {
            (FilterChain { filters: inside::handed_over(name, upstream), ..Default::default() }, &[])
        }
    }
}

/// Every request to the application, or to a host outside. How long it may take is for the caller to say, who knows the route.
fn to_application(upstream: &str, http2: bool, retry: Option<&RetryPlan>) -> RouteAction {
    let refused = || http2.then(retry::refused);
    RouteAction {
        timeout: timeout(None),
        idle_timeout: timeout(None),
        cluster_specifier: Some(RouteCluster::Cluster(upstream.to_owned())),
        retry_policy: retry.map_or_else(refused, retry::full),
        ..Default::default()
    }
}

/// How much of a body is kept for another attempt, where there is one.
fn keep_bodies(routes: &mut route::RouteConfiguration, retry: Option<&RetryPlan>) {
    let Some(retry) = retry else { return };
    for host in &mut routes.virtual_hosts {
        host.request_body_buffer_limit = long(retry.max_body);
    }
}

fn every_request(
    name: &str,
    upstream: &str,
    action: RouteAction,
    upgrades: &[Upgrade],
    filters: &[Filter],
) -> route::RouteConfiguration {
    let mut every_request = Route {
        r#match: Some(matches::route(&meshc_vocabulary::model::HttpMatch::default())),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    };
    filters::at_the_router(filters, &mut every_request);
    let with_key = upgrades.contains(&Upgrade::WebSocket).then(|| upgrade::with_key(&every_request));
    let host = VirtualHost {
        name: upstream.to_owned(),
        domains: vec!["*".to_owned()],
        routes: with_key.into_iter().chain([every_request]).collect(),
        ..Default::default()
    };
    routes::of(name, vec![host])
}
