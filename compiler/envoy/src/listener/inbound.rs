//! mTLS from other proxies: one chain per port of the service, chosen by SNI.

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use meshc_plan::{InboundChain, InboundListener, InboundProtocol};

use super::{or_closed, tls_inspector};
use crate::http::clients::Clients;
use crate::http::manager;
use crate::http::matches;
use crate::http::{authorization, local_limit, rate_limit, replies, retry, routes};
use crate::pb::base::TrafficDirection;
use crate::pb::hcm::HttpFilter;
use crate::pb::listener::{FilterChain, FilterChainMatch, Listener};
use crate::pb::route::route_action::ClusterSpecifier as RouteCluster;
use crate::pb::route::{self, Route, RouteAction, VirtualHost};
use crate::pb::{duration, number, timeout};
use crate::placed::Placed;
use crate::{access_log, keepalive, limits, tls};

/// The listener. It logs connections itself: those that no chain takes, or that fail in the handshake, are seen nowhere
/// else.
pub(super) fn listener(
    placed: &Placed<'_>,
    planned: &meshc_plan::Listener,
    inbound: &InboundListener,
) -> Listener {
    Listener {
        filter_chains: or_closed(
            inbound.chains.iter().flat_map(|chain| chains(placed, &planned.name, chain)).collect(),
        ),
        listener_filters: vec![tls_inspector()],
        listener_filters_timeout: duration(limits::HELLO_TIMEOUT),
        // A plain client of a protocol in which the server speaks first sends nothing that could be inspected.
        continue_on_listener_filters_timeout: inbound.chains.iter().any(|chain| chain.plain.is_some()),
        per_connection_buffer_limit_bytes: number(limits::BUFFER),
        traffic_direction: TrafficDirection::Inbound.into(),
        socket_options: keepalive::downstream(),
        access_log: access_log::tls(&planned.name),
        ..Default::default()
    }
}

/// The chain for mTLS, unless nobody may call, and the one for plain connections to a permissive port.
fn chains(placed: &Placed<'_>, listener: &str, planned: &InboundChain) -> Vec<FilterChain> {
    let alpn: &[&str] = match planned.protocol {
        InboundProtocol::Http { .. } => &["h2", "http/1.1"],
        InboundProtocol::Tcp => &[],
    };
    let mutual = tls::downstream(placed, &planned.peers, alpn).map(|transport_socket| FilterChain {
        name: planned.sni.clone(),
        filter_chain_match: Some(FilterChainMatch {
            server_names: vec![planned.sni.clone()],
            transport_protocol: "tls".to_owned(),
            ..Default::default()
        }),
        transport_socket: Some(transport_socket),
        ..chain(placed, listener, planned, &planned.protocol)
    });
    let plain = planned.plain.as_ref().map(|protocol| FilterChain {
        name: format!("plain:{}", planned.sni),
        filter_chain_match: Some(FilterChainMatch {
            transport_protocol: "raw_buffer".to_owned(),
            ..Default::default()
        }),
        ..chain(placed, listener, planned, protocol)
    });
    mutual.into_iter().chain(plain).collect()
}

fn chain(
    placed: &Placed<'_>,
    listener: &str,
    planned: &InboundChain,
    protocol: &InboundProtocol,
) -> FilterChain {
    let name = format!("{listener}_{}", planned.app.port);
    match protocol {
        InboundProtocol::Http { app_http2, authorization, local_limits, global_limits } => {
            // Refused requests must not use up limits, so authorization comes first.
            let mut filters: Vec<HttpFilter> = authorization::filters(authorization);
            filters.extend(local_limits.iter().map(local_limit::filter));
            if let Some(service) = &placed.plan.rate_limit_upstream {
                filters.extend(global_limits.iter().map(|limit| rate_limit::filter(limit, service)));
            }
            let routes = to_application(&name, &planned.app.upstream, *app_http2);
            let replies = replies::of(global_limits);
            let manager = manager::filter(&name, Clients::Peers, routes, filters, Some(replies));
            FilterChain { filters: vec![manager], ..Default::default() }
        }
        // Whoever completed the handshake may speak: RBAC acts on the client's first byte, and by then a server that
        // speaks first would have said too much.
        InboundProtocol::Tcp => super::tcp_proxy(&TcpProxy {
            stat_prefix: name,
            idle_timeout: crate::pb::timeout(None),
            cluster_specifier: Some(ClusterSpecifier::Cluster(planned.app.upstream.clone())),
            ..Default::default()
        }),
    }
}

/// Every request to the application. How long it may take is for the caller to say, who knows the route.
fn to_application(name: &str, upstream: &str, http2: bool) -> route::RouteConfiguration {
    let action = RouteAction {
        timeout: timeout(None),
        idle_timeout: timeout(None),
        cluster_specifier: Some(RouteCluster::Cluster(upstream.to_owned())),
        retry_policy: http2.then(retry::refused),
        ..Default::default()
    };
    let every_request = Route {
        r#match: Some(matches::route(&meshc_vocabulary::model::HttpMatch::default())),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    };
    let host = VirtualHost {
        name: upstream.to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![every_request],
        ..Default::default()
    };
    routes::of(name, vec![host])
}
