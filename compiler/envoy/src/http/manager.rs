//! What every HTTP connection manager has in common: paths, headers, limits, logs.

use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;

use meshc_plan::Told;
use meshc_vocabulary::model::Http10;

use super::clients::Clients;
use super::upgrade;
use crate::http::reserved;
use crate::pb::base::{Http1ProtocolOptions, HttpProtocolOptions};
use crate::pb::hcm::http_connection_manager::{
    CodecType, ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
    ServerHeaderTransformation, SetCurrentClientCertDetails,
};
use crate::pb::hcm::{HttpConnectionManager, HttpFilter, LocalReplyConfig};
use crate::pb::listener::Filter;
use crate::pb::route::RouteConfiguration;
use crate::pb::{flag, http_filter, network_filter, number, timeout};
use crate::{access_log, limits};

/// The network filter that serves HTTP by these routes, through these filters and then the router. `replies` changes what
/// the proxy answers by itself.
pub(crate) fn filter(
    name: &str,
    clients: Clients<'_>,
    routes: RouteConfiguration,
    filters: Vec<HttpFilter>,
    replies: Option<LocalReplyConfig>,
) -> Filter {
    let (edge, trusted_hops) = match clients {
        Clients::Strangers { trusted_hops, show_certificates: _, http10: _, tries: _ } => {
            (true, trusted_hops)
        }
        Clients::Application | Clients::Peers { .. } | Clients::Checkers | Clients::Operators => (false, 0),
    };
    let (forward_client_cert, set_client_cert) = match clients {
        // The application learns from this header who called; whatever a caller sent under the name is replaced.
        Clients::Peers { vouch: _, told: Told::Nothing } => (ForwardClientCertDetails::Sanitize, None),
        Clients::Peers { vouch, told: Told::Caller } => {
            let details = SetCurrentClientCertDetails { uri: true, ..Default::default() };
            let what = if vouch {
                ForwardClientCertDetails::AppendForward
            } else {
                ForwardClientCertDetails::SanitizeSet
            };
            (what, Some(details))
        }
        Clients::Strangers { trusted_hops: _, show_certificates: true, http10: _, tries: _ } => {
            let details = SetCurrentClientCertDetails { uri: true, dns: true, ..Default::default() };
            (ForwardClientCertDetails::SanitizeSet, Some(details))
        }
        Clients::Application
        | Clients::Strangers { trusted_hops: _, show_certificates: false, http10: _, tries: _ }
        | Clients::Checkers
        | Clients::Operators => (ForwardClientCertDetails::Sanitize, None),
    };
    let bounds = match clients {
        Clients::Peers { .. } | Clients::Checkers => limits::BETWEEN_PROXIES,
        Clients::Application | Clients::Strangers { .. } | Clients::Operators => limits::FROM_OUTSIDE,
    };
    // The application may take its time; everybody else may be somebody else, also on a port that takes plain
    // connections or probes.
    let headers_timeout = match clients {
        Clients::Application => None,
        Clients::Strangers { .. } | Clients::Peers { .. } | Clients::Checkers | Clients::Operators => {
            Some(limits::REQUEST_HEADERS)
        }
    };
    // Sidecars take it away as they do everything of Envoy's own; a host outside the mesh has none.
    let own = edge.then(|| String::from("x-envoy-external-address"));
    let routes = RouteConfiguration { request_headers_to_remove: own.into_iter().collect(), ..routes };
    let router = Router { suppress_envoy_headers: true, ..Default::default() };
    let manager = HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: name.to_owned(),
        http_filters: filters
            .into_iter()
            .chain([reserved::without_in_trailers(), http_filter("envoy.filters.http.router", &router)])
            .collect(),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: crate::pb::duration(limits::IDLE_CONNECTION),
            max_headers_count: number(bounds.headers),
            ..Default::default()
        }),
        http_protocol_options: versions_of(clients),
        http2_protocol_options: Some(upgrade::announced(
            clients,
            if edge { limits::edge_http2() } else { limits::inner_http2() },
        )),
        upgrade_configs: upgrade::taken(clients),
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        max_request_headers_kb: number(bounds.kib),
        // Routes say how long a stream may be silent; what arrives before a route is known is bounded at the edge.
        stream_idle_timeout: timeout(edge.then_some(limits::EDGE_STREAM_IDLE)),
        request_headers_timeout: headers_timeout.and_then(crate::pb::duration),
        access_log: access_log::http(name, clients),
        use_remote_address: flag(edge),
        xff_num_trusted_hops: trusted_hops,
        // By default every request gets a new one at an edge, whoever is in front of it.
        preserve_external_request_id: trusted_hops > 0,
        local_reply_config: replies,
        early_header_mutation_extensions: vec![reserved::without(clients)],
        forward_client_cert_details: forward_client_cert.into(),
        set_current_client_cert_details: set_client_cert,
        normalize_path: flag(true),
        merge_slashes: true,
        // A name with a final dot is the same name.
        strip_trailing_host_dot: true,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::RejectRequest.into(),
        route_specifier: Some(RouteSpecifier::RouteConfig(routes)),
        ..Default::default()
    };
    network_filter("envoy.filters.network.http_connection_manager", &manager)
}

/// Probes and collectors of metrics may speak HTTP/1.0, which needs no Host, and so may strangers where that is declared; to
/// others it is refused.
fn versions_of(clients: Clients<'_>) -> Option<Http1ProtocolOptions> {
    let default_host = match clients {
        Clients::Operators => Some("localhost"),
        Clients::Strangers {
            trusted_hops: _,
            show_certificates: _,
            http10: Some(Http10 { default_host }),
            tries: _,
        } => default_host.as_deref(),
        Clients::Application
        | Clients::Peers { .. }
        | Clients::Checkers
        | Clients::Strangers { trusted_hops: _, show_certificates: _, http10: None, tries: _ } => {
            return None;
        }
    };
    Some(Http1ProtocolOptions {
        accept_http_10: true,
        default_host_for_http_10: default_host.unwrap_or_default().to_owned(),
        ..Default::default()
    })
}
