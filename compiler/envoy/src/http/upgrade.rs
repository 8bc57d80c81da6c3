//! What requests may change to. A connection manager takes every upgrade that there is, and routes refuse those that they
//! do not carry, with 403: so a request that no route takes is answered with 404 whatever it asks for.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use meshc_vocabulary::model::Upgrade;

use crate::http::clients::Clients;
use crate::http::matches;
use crate::pb::base::Http2ProtocolOptions;
use crate::pb::flag;
use crate::pb::hcm::http_connection_manager::UpgradeConfig;
use crate::pb::matcher::StringMatcher;
use crate::pb::route::{Route, route_action};

const ALL: [Upgrade; 1] = [Upgrade::WebSocket];

const fn token(upgrade: Upgrade) -> &'static str {
    match upgrade {
        Upgrade::WebSocket => "websocket",
    }
}

/// Those that a connection manager takes.
pub(crate) fn taken(clients: Clients<'_>) -> Vec<UpgradeConfig> {
    let all =
        ALL.map(|upgrade| UpgradeConfig { upgrade_type: token(upgrade).to_owned(), ..Default::default() });
    match clients {
        Clients::Application | Clients::Strangers { .. } | Clients::Peers { .. } => all.to_vec(),
        Clients::Checkers | Clients::Operators => Vec::new(),
    }
}

/// HTTP/2 on which clients may ask for them (RFC 8441). Between proxies each must announce it before any asks: a request in
/// this form that was not announced ends the connection.
pub(crate) fn announced(clients: Clients<'_>, options: Http2ProtocolOptions) -> Http2ProtocolOptions {
    Http2ProtocolOptions { allow_connect: !taken(clients).is_empty(), ..options }
}

/// What a route with these says to refuse the others.
pub(crate) fn refused(carried: &[Upgrade]) -> Vec<route_action::UpgradeConfig> {
    let others = ALL.into_iter().filter(|upgrade| !carried.contains(upgrade));
    let refuse = |upgrade| route_action::UpgradeConfig {
        upgrade_type: token(upgrade).to_owned(),
        enabled: flag(false),
        ..Default::default()
    };
    others.map(refuse).collect()
}

/// The route for WebSockets beside one for every request to an application: whoever came over HTTP/2 has sent no key
/// (RFC 8441, section 5.1), and the application wants one, which Envoy does not add. It is always the same: all that it does
/// is to keep caches from answering (RFC 6455, section 10.3).
pub(crate) fn with_key(every_request: &Route) -> Route {
    let mut route = every_request.clone();
    let asked = StringMatcher { ignore_case: true, ..matches::exact(token(Upgrade::WebSocket)) };
    if let Some(condition) = &mut route.r#match {
        condition.headers.push(matches::header_matcher("upgrade", asked));
    }
    route.request_headers_to_add.push(HeaderValueOption {
        header: Some(HeaderValue {
            key: "sec-websocket-key".to_owned(),
            value: "bWVzaCBvdmVyIEhUVFAvMg==".to_owned(),
            ..Default::default()
        }),
        append_action: HeaderAppendAction::AddIfAbsent.into(),
        ..Default::default()
    });
    route
}
