//! When failing endpoints are left out for a while.
//!
//! Envoy records a request that exceeds its timeout exactly as a failed connection, so whatever counts failed connections
//! in a row counts slow pages too, and 40 requests to one slow page would eject a healthy endpoint. Here only answers
//! count in a row, and everything else is judged by its share at the end of an interval (all measured with Envoy 1.40).
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::common::matcher::v3::{
    HttpHeadersMatch, MatchPredicate, match_predicate,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options;
use meshc_plan::{Ejection, EjectionTiming, FailingAnswers, Group, PodFailures, Share};

use crate::pb::cluster::OutlierDetection;
use crate::pb::{duration, matcher, number, route};

/// The ejection settings of one group; `None` if its endpoints are never ejected.
pub(super) fn outlier_detection(ejection: &Ejection, failing: &FailingAnswers) -> Option<OutlierDetection> {
    match ejection {
        Ejection::Never => None,
        Ejection::Pods { judged, most, timing } => {
            let detection = match *judged {
                PodFailures::InARow { consecutive, unanswered } => {
                    pods(consecutive, unanswered, failing, timing)
                }
                PodFailures::ByShare { failed } => by_share(failed, timing),
                PodFailures::Compared { deviation, attempts, endpoints } => OutlierDetection {
                    enforcing_consecutive_5xx: number(0),
                    enforcing_success_rate: number(100),
                    success_rate_stdev_factor: number(deviation),
                    success_rate_request_volume: number(attempts),
                    success_rate_minimum_hosts: number(endpoints),
                    ..common(timing)
                },
            };
            Some(OutlierDetection { max_ejection_percent: number(*most), ..detection })
        }
        Ejection::Gateway { consecutive_connections: _, failed, timing } => Some(by_share(*failed, timing)),
        // There are no requests that could be slow: what fails is a connection.
        Ejection::Connections { consecutive, timing } => {
            Some(OutlierDetection { consecutive_5xx: number(*consecutive), ..common(timing) })
        }
    }
}

/// Everything is a failure here that is not answered well, and all of it counts in one share.
fn by_share(failed: Share, timing: &EjectionTiming) -> OutlierDetection {
    let Share { percent, attempts } = failed;
    OutlierDetection {
        enforcing_consecutive_5xx: number(0),
        failure_percentage_threshold: number(percent),
        enforcing_failure_percentage: number(100),
        failure_percentage_minimum_hosts: number(1),
        failure_percentage_request_volume: number(attempts),
        ..common(timing)
    }
}

/// Answers and what has no answer are kept apart. The latter's share counts each connection that a request gets as a
/// success beforehand, so a request without an answer is one failure in two, and half of the percentage is meant.
fn pods(
    consecutive: u32,
    unanswered: Share,
    failing: &FailingAnswers,
    timing: &EjectionTiming,
) -> OutlierDetection {
    let (server_errors, gateway_errors) = match failing {
        // What the matcher below finds counts as it is if it is a 5xx, and as 500 if it is not (measured with Envoy 1.40).
        FailingAnswers::ServerErrors | FailingAnswers::Statuses(_) => (number(100), number(0)),
        // The matcher finds nothing else, and gRPC's statuses are reported as what stands for them.
        FailingAnswers::GatewayErrors => (number(0), number(100)),
    };
    let Share { percent, attempts } = unanswered;
    OutlierDetection {
        split_external_local_origin_errors: true,
        consecutive_5xx: number(consecutive),
        enforcing_consecutive_5xx: server_errors,
        consecutive_gateway_failure: number(consecutive),
        enforcing_consecutive_gateway_failure: gateway_errors,
        enforcing_consecutive_local_origin_failure: number(0),
        enforcing_local_origin_success_rate: number(0),
        failure_percentage_threshold: number(percent / 2),
        enforcing_failure_percentage_local_origin: number(100),
        failure_percentage_minimum_hosts: number(1),
        failure_percentage_request_volume: number(attempts),
        ..common(timing)
    }
}

/// Ejections last as long as declared and do not grow; every endpoint may be ejected; and none is ejected for being
/// worse than the others, which no mesh declares.
fn common(timing: &EjectionTiming) -> OutlierDetection {
    let EjectionTiming { interval, ejection } = *timing;
    OutlierDetection {
        interval: duration(interval),
        base_ejection_time: duration(ejection),
        max_ejection_time: duration(ejection),
        max_ejection_percent: number(100),
        enforcing_success_rate: number(0),
        ..Default::default()
    }
}

/// Which answers are failures, for the cluster that routes name: on the members of an aggregate it has no effect.
/// `None` if it is every 5xx, as Envoy has it by itself, or if nothing is ever ejected.
pub(super) fn error_matcher(
    groups: &[Group],
    failing: &FailingAnswers,
) -> Option<http_protocol_options::OutlierDetection> {
    let ejects = groups.iter().any(|group| match group.ejection {
        Ejection::Pods { judged: _, most: _, timing: _ }
        | Ejection::Gateway { consecutive_connections: _, failed: _, timing: _ } => true,
        Ejection::Never | Ejection::Connections { consecutive: _, timing: _ } => false,
    });
    let statuses = match failing {
        FailingAnswers::ServerErrors => return None,
        FailingAnswers::GatewayErrors => String::from("50[2-4]"),
        FailingAnswers::Statuses(ranges) => {
            let ranges: Vec<String> = ranges.iter().copied().map(range).collect();
            ranges.join("|")
        }
    };
    ejects.then(|| http_protocol_options::OutlierDetection { error_matcher: Some(status_is(statuses)) })
}

/// A single status, or the hundred of a class, as a regular expression.
fn range((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{}[0-9][0-9]", first / 100) }
}

fn status_is(regex: String) -> MatchPredicate {
    let status = matcher::StringMatcher {
        match_pattern: Some(matcher::string_matcher::MatchPattern::SafeRegex(matcher::RegexMatcher {
            regex,
            ..Default::default()
        })),
        ..Default::default()
    };
    let header = route::HeaderMatcher {
        name: ":status".to_owned(),
        header_match_specifier: Some(route::header_matcher::HeaderMatchSpecifier::StringMatch(status)),
        ..Default::default()
    };
    MatchPredicate {
        rule: Some(match_predicate::Rule::HttpResponseHeadersMatch(HttpHeadersMatch {
            headers: vec![header],
        })),
    }
}
