//! `outlier`: when an endpoint is left out for a while.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::policy::{FailuresInARow, Outlier};

use crate::{Ejection, EjectionTiming, FailingAnswers, Share};

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
    match outlier.in_a_row {
        FailuresInARow::GatewayErrors(_) => FailingAnswers::GatewayErrors,
        FailuresInARow::ServerErrors(_) => FailingAnswers::ServerErrors,
    }
}

/// Pods that answer requests.
pub(in crate::lower) fn of_pods(outlier: &Outlier) -> Ejection {
    enabled(outlier, |in_a_row, timing| Ejection::Pods {
        consecutive: in_a_row.count(),
        unanswered: OF_PODS,
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
    enabled(outlier, |in_a_row, timing| Ejection::Connections { consecutive: in_a_row.count(), timing })
}

/// Gateways to which only connections are opened.
pub(in crate::lower) fn of_gateway_connections(outlier: &Outlier) -> Ejection {
    enabled(outlier, |_, timing| Ejection::Connections { consecutive: GATEWAY_CONNECTIONS, timing })
}

fn enabled(outlier: &Outlier, ejection: impl FnOnce(FailuresInARow, EjectionTiming) -> Ejection) -> Ejection {
    let Outlier { origin: _, enabled, in_a_row, interval, ejection: length } = outlier;
    if *enabled {
        ejection(*in_a_row, EjectionTiming { interval: *interval, ejection: *length })
    } else {
        Ejection::Never
    }
}
