//! Where the proxy listens: one file per kind of listener.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

mod certificates;
mod inbound;
mod outbound;
pub(crate) mod pass_through;
mod status;

use meshc_plan::{ClientRanges, ListenerKind, bounds};

use crate::http::matches;
use crate::inside;
use crate::pb::listener::{Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter};
use crate::pb::rbac::{self, Permission, Policy, Principal, permission, principal};
use crate::pb::{duration, flag, network_filter};
use crate::placed::Placed;
use crate::ranges;

/// All listeners of the proxy, in order of name. On a developer's machine nothing is redirected, so the listener for
/// redirected connections is left out there; and Envoy refuses a listener without a single chain, so one that nobody
/// may use is left out, too: its port is closed.
pub(crate) fn all(placed: &Placed<'_>) -> Vec<Listener> {
    let needed = |listener: &&meshc_plan::Listener| match listener.kind {
        ListenerKind::Redirected => placed.in_pod(),
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => true,
    };
    let mut listeners: Vec<Listener> =
        placed.plan.listeners.iter().filter(needed).map(|listener| one(placed, listener)).collect();
    listeners.extend(inside::listeners(placed));
    listeners.retain(|listener| !listener.filter_chains.is_empty());
    listeners.sort_by(|a, b| a.name.cmp(&b.name));
    listeners
}

fn one(placed: &Placed<'_>, planned: &meshc_plan::Listener) -> Listener {
    let meshc_plan::Listener { name, address, socket, proxy_protocol, kind, origin: _ } = planned;
    let settings = match kind {
        ListenerKind::Http(http) => outbound::http(placed, name, http),
        ListenerKind::Tcp(tcp) => outbound::tcp(placed, name, tcp),
        ListenerKind::Inbound(inbound) => inbound::listener(placed, name, inbound),
        ListenerKind::PassThrough(pass_through) => pass_through::listener(name, pass_through),
        ListenerKind::Readiness(status) => status::readiness(name, status),
        ListenerKind::Metrics(metrics) => status::metrics(name, metrics),
        ListenerKind::Redirected => outbound::redirected(),
    };
    // Whoever the header names is the client of everything that comes after.
    let header = proxy_protocol.then(self::proxy_protocol);
    let listener_filters = header.into_iter().chain(settings.listener_filters).collect();
    Listener {
        name: name.clone(),
        listener_filters,
        listener_filters_timeout: if *proxy_protocol {
            duration(bounds::HELLO_TIMEOUT)
        } else {
            settings.listener_filters_timeout
        },
        address: Some(placed.listen(name, *address)),
        stat_prefix: name.clone(),
        // Without a socket, the listener for redirected connections hands over those that meant this address.
        bind_to_port: if placed.binds(*socket) { None } else { flag(false) },
        ..settings
    }
}

/// Reads the ClientHello for its SNI, without which no chain of a TLS listener is chosen.
fn tls_inspector() -> ListenerFilter {
    use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
    crate::pb::listener_filter("envoy.filters.listener.tls_inspector", &TlsInspector::default())
}

/// Reads the header of the PROXY protocol, version 1 or 2, and closes what does not begin with one.
fn proxy_protocol() -> ListenerFilter {
    use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;
    crate::pb::listener_filter("envoy.filters.listener.proxy_protocol", &ProxyProtocol::default())
}

/// A chain that hands bytes to an upstream.
fn tcp_proxy(
    config: &envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy,
) -> FilterChain {
    FilterChain {
        filters: vec![network_filter("envoy.filters.network.tcp_proxy", config)],
        ..Default::default()
    }
}

/// What operators must reach even when clients have used up all connections.
fn beyond_the_connection_limit() -> Listener {
    Listener { ignore_global_conn_limit: true, ..Default::default() }
}

/// Closes TLS whose server name is none; `unnamed` may do without one. It acts on the first bytes, which are not passed on
/// before.
fn names_only(unnamed: bool) -> Filter {
    use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac;
    let name = if unnamed { format!("(?:{})?", matches::NAME) } else { matches::NAME.to_owned() };
    let named = permission::Rule::RequestedServerName(matches::regex(&name));
    let policy = Policy {
        permissions: vec![Permission { rule: Some(named) }],
        principals: vec![Principal { identifier: Some(principal::Identifier::Any(true)) }],
        ..Default::default()
    };
    let rules = rbac::Rbac { policies: [("mesh.name".to_owned(), policy)].into(), ..Default::default() };
    let config = Rbac { rules: Some(rules), stat_prefix: "mesh.name.".to_owned(), ..Default::default() };
    network_filter("envoy.filters.network.rbac", &config)
}

/// The chain, for connections from the addresses that are admitted, and one for the others among them that closes them: Envoy
/// takes the chain with the most specific range. None, if there is no address: an empty list would be all.
fn of_clients(clients: Option<&ClientRanges>, chain: FilterChain) -> Vec<FilterChain> {
    let Some(ClientRanges { admitted, refused }) = clients else { return vec![chain] };
    let closed = FilterChain {
        name: format!("{} refused", chain.name).trim_start().to_owned(),
        filter_chain_match: chain.filter_chain_match.clone(),
        ..close_at_once()
    };
    let chains = [(admitted, chain), (refused, closed)];
    let chosen = chains.into_iter().filter(|(ranges, _)| !ranges.is_empty()).map(|(ranges, chain)| {
        let chosen = FilterChainMatch {
            source_prefix_ranges: ranges::written(ranges).collect(),
            ..chain.filter_chain_match.unwrap_or_default()
        };
        FilterChain { filter_chain_match: Some(chosen), ..chain }
    });
    chosen.collect()
}

/// These chains, or one that closes every connection: Envoy refuses a listener without any, and with it the whole
/// configuration. A gateway that exports nothing yet, and a sidecar that nobody may call, have none.
fn or_closed(chains: Vec<FilterChain>) -> Vec<FilterChain> {
    if chains.is_empty() { vec![close_at_once()] } else { chains }
}

/// A chain that closes every connection before a byte is exchanged.
fn close_at_once() -> FilterChain {
    use envoy_types::pb::envoy::extensions::filters::network::direct_response::v3::Config;
    let close = network_filter("envoy.filters.network.direct_response", &Config::default());
    FilterChain { filters: vec![close], ..Default::default() }
}
