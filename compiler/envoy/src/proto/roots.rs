//! The messages that this crate writes as documents of their own or packs into `Any`.
//!
//! The committed descriptors contain these and whatever they refer to, so packing another type must not compile: it
//! would be found only while a mesh with that feature is built. To add one, name it here and run
//! `MESH_BLESS=1 cargo test -p meshc-envoy --test descriptors`.

use prost::{Message, Name};

/// A message that the committed descriptors contain.
pub(crate) trait Root: Message + Name {}

/// Lists the roots once, for the compiler and for the test that writes the descriptors.
macro_rules! roots {
    ($($message:path,)+) => {
        $(impl Root for $message {})+

        /// The full names of all messages that are written as documents or packed into `Any`: what the committed
        /// descriptors must contain.
        #[must_use]
        pub fn roots() -> Vec<String> {
            vec![$(<$message as Name>::full_name()),+]
        }
    };
}

roots! {
    envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap,
    envoy_types::pb::envoy::config::cluster::v3::Cluster,
    envoy_types::pb::envoy::config::listener::v3::Listener,
    envoy_types::pb::envoy::config::overload::v3::ScaleTimersOverloadActionConfig,
    envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter,
    envoy_types::pb::envoy::extensions::access_loggers::stream::v3::StdoutAccessLog,
    envoy_types::pb::envoy::extensions::bootstrap::internal_listener::v3::InternalListener,
    envoy_types::pb::envoy::extensions::clusters::aggregate::v3::ClusterConfig,
    envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster,
    envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors,
    envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy,
    envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault,
    envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutation,
    envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec,
    envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac,
    envoy_types::pb::envoy::extensions::filters::http::health_check::v3::HealthCheck,
    envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3::Config,
    envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit,
    envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua,
    envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::RateLimit,
    envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::RateLimitPerRoute,
    envoy_types::pb::envoy::extensions::filters::http::rbac::v3::Rbac,
    envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute,
    envoy_types::pb::envoy::extensions::filters::http::router::v3::Router,
    envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst,
    envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol,
    envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector,
    envoy_types::pb::envoy::extensions::filters::network::direct_response::v3::Config,
    envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager,
    envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config,
    envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy,
    envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation,
    envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig,
    envoy_types::pb::envoy::extensions::resource_monitors::cgroup_memory::v3::CgroupMemoryConfig,
    envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig,
    envoy_types::pb::envoy::extensions::resource_monitors::fixed_heap::v3::FixedHeapConfig,
    envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate,
    envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig,
    envoy_types::pb::envoy::extensions::transport_sockets::internal_upstream::v3::InternalUpstreamTransport,
    envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer,
    envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext,
    envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret,
    envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext,
    envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions,
    envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse,
}
