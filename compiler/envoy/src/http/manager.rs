//! What every HTTP connection manager has in common: paths, headers, limits, logs.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::{Action, RemoveOnMatch};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;

use crate::http::matches::prefix;
use crate::pb::base::HttpProtocolOptions;
use crate::pb::hcm::http_connection_manager::{
    CodecType, ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
    ServerHeaderTransformation, SetCurrentClientCertDetails,
};
use crate::pb::hcm::{HttpConnectionManager, HttpFilter};
use crate::pb::listener::Filter;
use crate::pb::route::RouteConfiguration;
use crate::pb::{extension, flag, http_filter, network_filter, number, timeout};
use crate::{access_log, limits};

/// Who the clients of a connection manager are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// The application beside the proxy.
    Application,
    /// Strangers, behind so many proxies that are trusted to have set `x-forwarded-for`.
    Strangers {
        /// How many.
        trusted_hops: u32,
    },
    /// Other proxies of the mesh, who prove their identity.
    Peers,
    /// Probes and metrics collectors.
    Operators,
}

/// The network filter that serves HTTP by these routes, through these filters and then the router.
pub(crate) fn filter(
    name: &str,
    clients: Clients,
    routes: RouteConfiguration,
    filters: Vec<HttpFilter>,
) -> Filter {
    let (edge, trusted_hops) = match clients {
        Clients::Strangers { trusted_hops } => (true, trusted_hops),
        Clients::Application | Clients::Peers | Clients::Operators => (false, 0),
    };
    let (forward_client_cert, set_client_cert) = match clients {
        // The application learns from this header who called; whatever a caller sent under the name is replaced.
        Clients::Peers => {
            let details = SetCurrentClientCertDetails { uri: true, ..Default::default() };
            (ForwardClientCertDetails::SanitizeSet, Some(details))
        }
        Clients::Application | Clients::Strangers { .. } | Clients::Operators => {
            (ForwardClientCertDetails::Sanitize, None)
        }
    };
    let router = Router { suppress_envoy_headers: true, ..Default::default() };
    let manager = HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: name.to_owned(),
        http_filters: filters
            .into_iter()
            .chain([http_filter("envoy.filters.http.router", &router)])
            .collect(),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: crate::pb::duration(limits::IDLE_CONNECTION),
            max_headers_count: number(limits::MAX_HEADERS),
            ..Default::default()
        }),
        http2_protocol_options: edge.then(limits::edge_http2),
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        max_request_headers_kb: number(limits::MAX_REQUEST_HEADERS_KIB),
        // Routes say how long a stream may be silent; what arrives before a route is known is bounded at the edge.
        stream_idle_timeout: timeout(edge.then_some(limits::EDGE_STREAM_IDLE)),
        request_headers_timeout: edge.then_some(limits::EDGE_REQUEST_HEADERS).and_then(crate::pb::duration),
        access_log: access_log::http(name, clients),
        use_remote_address: flag(edge),
        xff_num_trusted_hops: trusted_hops,
        early_header_mutation_extensions: vec![without_envoy_headers()],
        forward_client_cert_details: forward_client_cert.into(),
        set_current_client_cert_details: set_client_cert,
        normalize_path: flag(true),
        merge_slashes: true,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::RejectRequest.into(),
        route_specifier: Some(RouteSpecifier::RouteConfig(routes)),
        ..Default::default()
    };
    network_filter("envoy.filters.network.http_connection_manager", &manager)
}

/// Takes `x-envoy-*` away before anything looks at it: with these headers a client could choose its own timeouts
/// and retries, or pretend things to the application.
fn without_envoy_headers() -> crate::pb::base::TypedExtensionConfig {
    let remove = RemoveOnMatch { key_matcher: Some(prefix("x-envoy-")) };
    let mutations = vec![Mutation { action: Some(Action::RemoveOnMatch(remove)) }];
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations })
}
