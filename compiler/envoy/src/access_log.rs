//! Access logs: one JSON object per request or connection, on standard output.
//!
//! What meshd logs too has the same name here, so that one query finds both.

use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StdoutAccessLog, stdout_access_log::AccessLogFormat,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use meshc_plan::{CHECK_SNI, Carried};

use crate::http::clients::Clients;
use crate::pb::access_log::access_log_filter::FilterSpecifier;
use crate::pb::access_log::{
    AccessLog, AccessLogFilter, ExtensionFilter, access_log::ConfigType, extension_filter,
};
use crate::pb::base::{SubstitutionFormatString, substitution_format_string::Format};
use crate::pb::literal;
use crate::proto::any;

/// What is known of every connection.
const CONNECTION: [(&str, &str); 8] = [
    ("bytes", "%BYTES_SENT%"),
    ("duration_ms", "%DURATION%"),
    ("endpoint", "%UPSTREAM_HOST%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("remote", REMOTE),
    ("time", "%START_TIME%"),
    ("upstream", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
];

/// What is known of a request.
const REQUEST: [(&str, &str); 9] = [
    ("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("host", "%REQ(:AUTHORITY)%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("status", "%RESPONSE_CODE%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
];

/// What is known of a connection of bytes.
const BYTES: [(&str, &str); 2] =
    [("details", "%CONNECTION_TERMINATION_DETAILS%"), ("received", "%BYTES_RECEIVED%")];

/// What is known of a connection that is or should be mTLS.
const TLS: [(&str, &str); 3] = [
    ("downstream_failure", "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("peer", PEER),
    ("sni", "%REQUESTED_SERVER_NAME%"),
];

/// The rule in `audit` that would have refused the request.
const AUDIT: &str = "%DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_effective_policy_id)%";

/// Who called.
pub(crate) const PEER: &str = "%DOWNSTREAM_PEER_URI_SAN%";

/// From where.
pub(crate) const REMOTE: &str = "%DOWNSTREAM_REMOTE_ADDRESS%";

/// Under this name a connection inside another one is told who called.
pub(crate) const INSIDE_PEER: &str = "mesh.peer";

/// Under this name it is told from where.
pub(crate) const INSIDE_REMOTE: &str = "mesh.remote";

/// The same operators for a connection inside another one, and why it found no chain.
const INSIDE: [(&str, &str); 3] = [
    ("details", r#"%COALESCE({"operators":["RESPONSE_CODE_DETAILS","CONNECTION_TERMINATION_DETAILS"]})%"#),
    ("peer", "%FILTER_STATE(mesh.peer:PLAIN)%"),
    ("remote", "%FILTER_STATE(mesh.remote:PLAIN)%"),
];

/// Requests of these clients. Probes, checks and metrics are not logged: they come every few seconds and say nothing.
pub(crate) fn http(listener: &str, clients: Clients<'_>) -> Vec<AccessLog> {
    match clients {
        Clients::Application => vec![json(listener, &[&CONNECTION, &REQUEST])],
        Clients::Strangers { trusted_hops: _, show_certificates: _, http10: _, tries } => {
            let tried: &[_] = if tries { &[("audit", AUDIT)] } else { &[] };
            let told = [("forwarded_for", "%REQ(X-FORWARDED-FOR)%")];
            vec![json(listener, &[&CONNECTION, &REQUEST, &told, tried])]
        }
        Clients::Peers { .. } => {
            vec![json(listener, &[&CONNECTION, &REQUEST, &[("audit", AUDIT), ("peer", PEER)]])]
        }
        Clients::Checkers | Clients::Operators => Vec::new(),
    }
}

/// Connections from the application.
pub(crate) fn tcp(listener: &str) -> Vec<AccessLog> {
    vec![json(listener, &[&CONNECTION, &BYTES])]
}

/// Connections from other proxies, passed through or ended here. Where health checks are among `carried`, those that are made
/// are left out; one whose handshake fails is not.
pub(crate) fn tls(listener: &str, mut carried: impl Iterator<Item = Carried>) -> Vec<AccessLog> {
    let log = json(listener, &[&CONNECTION, &BYTES, &TLS]);
    let filter = carried.any(|carried| carried == Carried::Checks).then(|| {
        let expression = format!(
            "!connection.requested_server_name.startsWith('{CHECK_SNI}') || connection.transport_failure_reason != ''"
        );
        let calls = ExpressionFilter { expression, ..Default::default() };
        let extension = ExtensionFilter {
            name: "envoy.access_loggers.extension_filters.cel".to_owned(),
            config_type: Some(extension_filter::ConfigType::TypedConfig(any(&calls))),
        };
        AccessLogFilter { filter_specifier: Some(FilterSpecifier::ExtensionFilter(extension)) }
    });
    vec![AccessLog { filter, ..log }]
}

/// Connections inside those that a listener has ended the TLS of. Names that are given twice are the last ones.
pub(crate) fn inside(listener: &str) -> Vec<AccessLog> {
    vec![json(listener, &[&CONNECTION, &BYTES, &TLS, &INSIDE])]
}

fn json(listener: &str, groups: &[&[(&str, &str)]]) -> AccessLog {
    let listener = literal(listener);
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let fields = groups.iter().copied().flatten().copied().chain([("listener", listener.as_str())]);
    let fields = fields.map(|(name, operator)| (name.to_owned(), text(operator))).collect();
    let format = SubstitutionFormatString {
        format: Some(Format::JsonFormat(Struct { fields })),
        ..Default::default()
    };
    let log = StdoutAccessLog { access_log_format: Some(AccessLogFormat::LogFormat(format)) };
    AccessLog {
        name: "envoy.access_loggers.stdout".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&log))),
        ..Default::default()
    }
}
