//! `outlier`: when an endpoint is left out for a while. The policy rules the pods; a gateway that passes connections
//! through must never pay for what the applications behind it answer.

use meshc_vocabulary::model::policy::Outlier;

use crate::Ejection;

/// How many failures of its own in a row eject a gateway: fewer would punish it for one dead pod behind it, and it
/// tries several pods itself (measured with Envoy 1.40).
const GATEWAY_FAILURES: u32 = 3;

/// Pods that answer requests.
pub(in crate::lower) fn of_pods(outlier: &Outlier) -> Ejection {
    Ejection::OnFailures {
        consecutive: outlier.consecutive_5xx,
        interval: outlier.interval,
        ejection: outlier.ejection,
    }
}

/// Pods to which only connections are opened: failed connections are the only failures there are to count.
pub(in crate::lower) fn of_connections(outlier: &Outlier) -> Ejection {
    local_origin(outlier, outlier.consecutive_5xx)
}

/// Gateways that pass connections through.
pub(in crate::lower) fn of_gateways(outlier: &Outlier) -> Ejection {
    local_origin(outlier, GATEWAY_FAILURES)
}

fn local_origin(outlier: &Outlier, consecutive: u32) -> Ejection {
    Ejection::OnLocalOrigin { consecutive, interval: outlier.interval, ejection: outlier.ejection }
}
