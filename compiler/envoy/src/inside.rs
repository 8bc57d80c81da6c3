//! TLS inside the mesh's own: once that is ended, the bytes go to a listener of Envoy's own process, which reads the inner
//! ClientHello and passes on what asks for a name that is declared.
//!
//! A listener reads one ClientHello of a connection, so the inner one needs a second listener. Measured with Envoy 1.40:
//! it closes other names and bytes that are no TLS at once, and what has no name in time; who called and from where is
//! known there only if it is handed over, and only once the outer handshake is complete.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::bootstrap::internal_listener::v3::InternalListener;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::filter_state_value::{
    Key, SharedWithUpstream, Value,
};
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, UpstreamConnectMode, tcp_proxy::ClusterSpecifier,
};
use envoy_types::pb::envoy::extensions::transport_sockets::internal_upstream::v3::InternalUpstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use meshc_plan::{InboundChain, InboundProtocol, ListenerKind, PassThrough, PassThroughChain, Role};
use meshc_vocabulary::model::DeadShare;

use crate::listener::pass_through;
use crate::pb::base::{
    Address, DataSource, EnvoyInternalAddress, SubstitutionFormatString, TypedExtensionConfig, address,
    data_source, envoy_internal_address, substitution_format_string,
};
use crate::pb::cluster::{CircuitBreakers, Cluster, circuit_breakers::Thresholds};
use crate::pb::listener::listener::{InternalListenerConfig, ListenerSpecifier};
use crate::pb::listener::{Filter, Listener};
use crate::pb::{extension, network_filter, number, timeout, transport_socket};
use crate::placed::Placed;
use crate::{access_log, cluster, limits};

/// What lets Envoy have such listeners. Whoever may need it always has it: a bootstrap that changes would start the proxy
/// anew.
pub(crate) fn of_process(role: Role) -> Vec<TypedExtensionConfig> {
    match role {
        Role::EgressGateway(_) => {
            let settings = InternalListener { buffer_size_kb: number(limits::BUFFER / 1024) };
            vec![extension("envoy.bootstrap.internal_listener", &settings)]
        }
        Role::Sidecar(_) | Role::IngressGateway(_) | Role::EastWestGateway(_) => Vec::new(),
    }
}

/// The listener and the cluster that leads to it, for an upstream.
fn name(upstream: &str) -> String {
    format!("inside/{upstream}")
}

/// Hands the bytes of a chain over, with who sent them: only once the handshake is complete, when that is known and the
/// time for the inner ClientHello begins.
pub(crate) fn handed_over(stat_prefix: String, upstream: &str) -> Vec<Filter> {
    let told = [(access_log::INSIDE_PEER, access_log::PEER), (access_log::INSIDE_REMOTE, access_log::REMOTE)];
    let told = SetFilterState {
        on_downstream_tls_handshake: told.map(|(key, operator)| text(key, operator)).to_vec(),
        ..Default::default()
    };
    let bytes = TcpProxy {
        stat_prefix,
        idle_timeout: timeout(None),
        cluster_specifier: Some(ClusterSpecifier::Cluster(name(upstream))),
        upstream_connect_mode: UpstreamConnectMode::OnDownstreamTlsHandshake.into(),
        max_early_data_bytes: number(0),
        ..Default::default()
    };
    vec![
        network_filter("envoy.filters.network.set_filter_state", &told),
        network_filter("envoy.filters.network.tcp_proxy", &bytes),
    ]
}

/// A text that the connection inside is told.
fn text(key: &str, operator: &str) -> FilterStateValue {
    let format = SubstitutionFormatString {
        format: Some(substitution_format_string::Format::TextFormatSource(DataSource {
            specifier: Some(data_source::Specifier::InlineString(operator.to_owned())),
            ..Default::default()
        })),
        ..Default::default()
    };
    FilterStateValue {
        factory_key: "envoy.string".to_owned(),
        shared_with_upstream: SharedWithUpstream::Once.into(),
        key: Some(Key::ObjectKey(key.to_owned())),
        value: Some(Value::FormatString(format)),
        ..Default::default()
    }
}

/// The listeners for the chains of all listeners. A connection is counted where it came in.
pub(crate) fn listeners(placed: &Placed<'_>) -> Vec<Listener> {
    let listener = |(outer, chain, names): (&str, &InboundChain, PassThrough)| Listener {
        name: name(&chain.app.upstream),
        stat_prefix: format!("{outer}_{}_inside", chain.app.port),
        listener_specifier: Some(ListenerSpecifier::InternalListener(InternalListenerConfig::default())),
        ignore_global_conn_limit: true,
        // It has no socket.
        socket_options: Vec::new(),
        access_log: access_log::inside(outer),
        ..pass_through::listener(outer, &names)
    };
    chains(placed).map(listener).collect()
}

/// The clusters that lead to them.
pub(crate) fn clusters(placed: &Placed<'_>) -> Vec<Cluster> {
    let cluster = |(_, chain, _): (&str, &InboundChain, PassThrough)| {
        let name = name(&chain.app.upstream);
        let place = EnvoyInternalAddress {
            address_name_specifier: Some(envoy_internal_address::AddressNameSpecifier::ServerListenerName(
                name.clone(),
            )),
            ..Default::default()
        };
        let raw = transport_socket("envoy.transport_sockets.raw_buffer", &RawBuffer::default());
        let handing_over = InternalUpstreamTransport { transport_socket: Some(raw), ..Default::default() };
        // What may be open at once is for the listener before and the cluster behind to say.
        let any = Thresholds { max_connections: number(u32::MAX), ..Default::default() };
        let address = Address { address: Some(address::Address::EnvoyInternalAddress(place)) };
        Cluster {
            alt_stat_name: cluster::metrics_name(&name, None),
            per_connection_buffer_limit_bytes: number(limits::BUFFER),
            circuit_breakers: Some(CircuitBreakers { thresholds: vec![any], ..Default::default() }),
            transport_socket: Some(transport_socket(
                "envoy.transport_sockets.internal_upstream",
                &handing_over,
            )),
            ..cluster::at_address(&name, address)
        }
    };
    chains(placed).map(cluster).collect()
}

/// All chains with TLS inside, with the names of their listeners, and what is done with the TLS inside.
fn chains<'a>(placed: &Placed<'a>) -> impl Iterator<Item = (&'a str, &'a InboundChain, PassThrough)> {
    let listeners = placed.plan.listeners.iter().filter_map(|listener| match &listener.kind {
        ListenerKind::Inbound(inbound) => Some((listener.name.as_str(), inbound)),
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    });
    let chains = listeners.flat_map(|(name, inbound)| inbound.chains.iter().map(move |chain| (name, chain)));
    chains.filter_map(|(name, chain)| Some((name, chain, names(chain)?)))
}

fn names(chain: &InboundChain) -> Option<PassThrough> {
    let InboundChain { sni: _, subset_sni: _, peers: _, protocol, plain: _, app, carries, origin } = chain;
    match protocol {
        InboundProtocol::Tls { names, hello_timeout, connect_attempts } => Some(PassThrough {
            hello_timeout: *hello_timeout,
            chains: vec![PassThroughChain {
                names: names.clone(),
                to: vec![meshc_plan::WeightedUpstream { upstream: app.upstream.clone(), weight: 1 }],
                dead_share: DeadShare::Kept,
                idle_timeout: None,
                connect_attempts: *connect_attempts,
                carries: *carries,
                clients: None,
                origin: origin.clone(),
            }],
        }),
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters: _ }
        | InboundProtocol::Tcp { connect_attempts: _ } => None,
    }
}
