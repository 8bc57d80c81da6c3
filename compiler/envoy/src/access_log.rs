//! Access logs: one JSON object per request or connection, on standard output.

use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StdoutAccessLog, stdout_access_log::AccessLogFormat,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use crate::http::manager::Clients;
use crate::pb::access_log::{AccessLog, access_log::ConfigType};
use crate::pb::base::{SubstitutionFormatString, substitution_format_string::Format};
use crate::proto::any;

/// What is known of every connection.
const CONNECTION: [(&str, &str); 9] = [
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("downstream", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration_ms", "%DURATION%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("time", "%START_TIME%"),
    ("upstream", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
];

/// What is known of a request.
const REQUEST: [(&str, &str); 8] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("status", "%RESPONSE_CODE%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
];

/// What is known of a connection that is or should be mTLS.
const TLS: [(&str, &str); 4] = [
    ("details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_failure", "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("peer", "%DOWNSTREAM_PEER_URI_SAN%"),
    ("sni", "%REQUESTED_SERVER_NAME%"),
];

/// Requests of these clients. Probes and metrics are not logged: they come every few seconds and say nothing.
pub(crate) fn http(clients: Clients) -> Vec<AccessLog> {
    match clients {
        Clients::Application => vec![json(&[&CONNECTION, &REQUEST])],
        Clients::Strangers { .. } => {
            vec![json(&[&CONNECTION, &REQUEST, &[("forwarded_for", "%REQ(X-FORWARDED-FOR)%")]])]
        }
        Clients::Peers => vec![json(&[&CONNECTION, &REQUEST, &[("peer", "%DOWNSTREAM_PEER_URI_SAN%")]])],
        Clients::Operators => Vec::new(),
    }
}

/// Connections from the application.
pub(crate) fn tcp() -> Vec<AccessLog> {
    vec![json(&[&CONNECTION])]
}

/// Connections from other proxies, passed through or ended here.
pub(crate) fn tls() -> Vec<AccessLog> {
    vec![json(&[&CONNECTION, &TLS])]
}

fn json(groups: &[&[(&str, &str)]]) -> AccessLog {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let fields = groups.iter().flat_map(|group| group.iter());
    let fields = fields.map(|(name, operator)| ((*name).to_owned(), text(operator))).collect();
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
