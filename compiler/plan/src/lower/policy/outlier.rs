//! `outlier`: when an endpoint is left out for a while.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::policy::{Failures, Judged, Outlier};

use crate::{Ejection, EjectionTiming, FailingAnswers, PodFailures, Share};

/// Failed connections in a row that eject a gateway: fewer would punish it for one dead pod behind it, and it tries
/// several pods itself (measured with Envoy 1.40).
const GATEWAY_CONNECTIONS: u32 = 3;

/// A gateway is left out when nearly all fails that goes through it. Each of its copies sees a part of the requests, so
/// one in an interval is enough to judge a copy: the others stay. With a single bad pod among several, no more copies
/// are ejected than are connected to it (measured with Envoy 1.40: all of eight pods fail, and all copies are out
/// within two intervals; one of eight fails, and the group stays).
const OF_GATEWAYS: Share = Share { percent: 85, attempts: 1 };

/// A pod is left out when nearly nothing that is sent to it is answered. One slow page alone must not do that, so a
/// few attempts are needed.
const OF_PODS: Share = Share { percent: 85, attempts: 3 };

/// Which answers are failures.
pub(in crate::lower) fn failing_answers(outlier: &Outlier) -> FailingAnswers {
    match &outlier.failures {
        Failures::GatewayErrors => FailingAnswers::GatewayErrors,
        Failures::ServerErrors => FailingAnswers::ServerErrors,
        Failures::Statuses(ranges) => FailingAnswers::Statuses(ranges.clone()),
    }
}

/// Pods that answer requests.
pub(in crate::lower) fn of_pods(outlier: &Outlier) -> Ejection {
    enabled(outlier, |consecutive, timing| Ejection::Pods {
        judged: match outlier.judged {
            Judged::InARow => PodFailures::InARow { consecutive, unanswered: OF_PODS },
            Judged::ByShare { percent, requests } => {
                PodFailures::ByShare { failed: Share { percent, attempts: requests } }
            }
            Judged::Compared { deviation, requests, endpoints } => {
                PodFailures::Compared { deviation, attempts: requests, endpoints }
            }
        },
        most: outlier.max_ejected.value,
        timing,
    })
}

/// Gateways that pass requests through.
pub(in crate::lower) fn of_gateways(outlier: &Outlier) -> Ejection {
    enabled(outlier, |_, timing| Ejection::Gateway {
        consecutive_connections: GATEWAY_CONNECTIONS,
        failed: OF_GATEWAYS,
        timing,
    })
}

/// Pods to which only connections are opened: failed connections are the only failures there are to count.
pub(in crate::lower) fn of_connections(outlier: &Outlier) -> Ejection {
    enabled(outlier, |consecutive, timing| Ejection::Connections { consecutive, timing })
}

/// Gateways to which only connections are opened.
pub(in crate::lower) fn of_gateway_connections(outlier: &Outlier) -> Ejection {
    enabled(outlier, |_, timing| Ejection::Connections { consecutive: GATEWAY_CONNECTIONS, timing })
}

fn enabled(outlier: &Outlier, ejection: impl FnOnce(u32, EjectionTiming) -> Ejection) -> Ejection {
    let Outlier {
        origin: _,
        enabled,
        // Which answers are failures is said of the upstream.
        failures: _,
        consecutive,
        // Only pods that answer requests are judged otherwise, and have a bound.
        judged: _,
        of_requests: _,
        max_ejected: _,
        interval,
        ejection: length,
    } = outlier;
    if *enabled {
        ejection(*consecutive, EjectionTiming { interval: *interval, ejection: *length })
    } else {
        Ejection::Never
    }
}
