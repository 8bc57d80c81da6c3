//! Health checks of the endpoints of a group.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::google::protobuf::{Struct, Value, value};
use meshc_plan::{CheckPlan, HealthPlan, UpstreamTls};

use crate::pb::base::health_check::{
    GrpcHealthCheck, HealthChecker, HttpHealthCheck, Payload, TcpHealthCheck, payload,
};
use crate::pb::base::{HeaderValue, HeaderValueOption, HealthCheck};
use crate::pb::cluster::OutlierDetection;
use crate::pb::cluster::cluster::TransportSocketMatch;
use crate::pb::kind::Int64Range;
use crate::pb::{duration, flag, number};
use crate::placed::Placed;
use crate::tls;

/// What is added to an interval at random, in percent, so that many proxies do not ask at once.
const JITTER: u32 = 10;

/// What a check calls itself.
const USER_AGENT: &str = "mesh-health-check";

/// The check of each endpoint.
pub(super) fn check(health: &HealthPlan) -> HealthCheck {
    let HealthPlan { check, sni: _, host, interval, timeout, unhealthy, healthy } = health;
    let checker = match check {
        CheckPlan::Http { path } => HealthChecker::HttpHealthCheck(HttpHealthCheck {
            host: host.clone(),
            path: path.clone(),
            request_headers_to_add: vec![HeaderValueOption {
                header: Some(HeaderValue {
                    key: "user-agent".to_owned(),
                    value: USER_AGENT.to_owned(),
                    ..Default::default()
                }),
                append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
                ..Default::default()
            }],
            expected_statuses: vec![Int64Range { start: 200, end: 400 }],
            // An answer that is neither of these would make an endpoint unhealthy at once, whatever the threshold is.
            retriable_statuses: vec![
                Int64Range { start: 100, end: 200 },
                Int64Range { start: 400, end: 600 },
            ],
            ..Default::default()
        }),
        CheckPlan::Grpc { service } => HealthChecker::GrpcHealthCheck(GrpcHealthCheck {
            service_name: service.clone(),
            authority: host.clone(),
            ..Default::default()
        }),
        CheckPlan::Tcp { send, receive } => HealthChecker::TcpHealthCheck(TcpHealthCheck {
            send: send.as_deref().map(payload),
            receive: receive.as_deref().map(payload).into_iter().collect(),
            ..Default::default()
        }),
    };
    HealthCheck {
        timeout: duration(*timeout),
        interval: duration(*interval),
        // Where a cluster gets no requests it would be a minute, and an endpoint that is late for its first check would stay
        // out for so long.
        no_traffic_interval: duration(*interval),
        interval_jitter_percent: JITTER,
        unhealthy_threshold: number(*unhealthy),
        healthy_threshold: number(*healthy),
        // On a connection that stays open, a server that speaks first would not speak again.
        reuse_connection: match check {
            CheckPlan::Http { path: _ } | CheckPlan::Grpc { service: _ } => None,
            CheckPlan::Tcp { send: _, receive: _ } => flag(false),
        },
        transport_socket_match_criteria: Some(marked()),
        health_checker: Some(checker),
        ..Default::default()
    }
}

/// Ejection beside checks. It lasts as long as it was declared, also where checks find nothing wrong: an application that
/// answers checks well may answer requests badly.
pub(super) fn beside(detection: OutlierDetection, health: Option<&HealthPlan>) -> OutlierDetection {
    match health {
        None => detection,
        Some(_) => OutlierDetection { successful_active_health_check_uneject_host: flag(false), ..detection },
    }
}

/// The bytes of a text, which Envoy wants in hexadecimal.
fn payload(text: &str) -> Payload {
    let hexadecimal = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    Payload { payload: Some(payload::Payload::Text(hexadecimal)) }
}

/// How checks connect: with a server name of their own. Requests find no mark at any endpoint.
pub(super) fn sockets(
    placed: &Placed<'_>,
    health: Option<&HealthPlan>,
    tls: Option<&UpstreamTls>,
) -> Vec<TransportSocketMatch> {
    let (Some(health), Some(UpstreamTls::Mutual { sni: _, peers })) = (health, tls) else {
        return Vec::new();
    };
    let checks = UpstreamTls::Mutual { sni: health.sni.clone(), peers: peers.clone() };
    vec![TransportSocketMatch {
        name: "checks".to_owned(),
        r#match: Some(marked()),
        transport_socket: Some(tls::upstream(placed, &checks)),
    }]
}

fn marked() -> Struct {
    let yes = Value { kind: Some(value::Kind::BoolValue(true)) };
    Struct { fields: [("check".to_owned(), yes)].into_iter().collect() }
}
