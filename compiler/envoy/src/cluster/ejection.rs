//! When failing endpoints are left out for a while.

use std::time::Duration;

use meshc_plan::Ejection;

use crate::pb::cluster::OutlierDetection;
use crate::pb::{duration, number};

/// The ejection settings of one group; `None` if its endpoints are never ejected.
pub(super) fn outlier_detection(ejection: &Ejection) -> Option<OutlierDetection> {
    match ejection {
        Ejection::Never => None,
        // Failed connections count as 5xx here, so that a dead pod is ejected as fast as a failing one.
        Ejection::OnFailures { consecutive, interval, ejection } => {
            Some(OutlierDetection { consecutive_5xx: number(*consecutive), ..common(*interval, *ejection) })
        }
        // Answers come from applications behind the gateway and say nothing about the gateway itself.
        Ejection::OnLocalOrigin { consecutive, interval, ejection } => Some(OutlierDetection {
            enforcing_consecutive_5xx: number(0),
            enforcing_consecutive_gateway_failure: number(0),
            split_external_local_origin_errors: true,
            consecutive_local_origin_failure: number(*consecutive),
            enforcing_local_origin_success_rate: number(0),
            ..common(*interval, *ejection)
        }),
    }
}

/// Ejections last as long as declared and do not grow; every endpoint may be ejected; and nobody is ejected for
/// being worse than the others, which no mesh declares.
fn common(interval: Duration, ejection: Duration) -> OutlierDetection {
    OutlierDetection {
        interval: duration(interval),
        base_ejection_time: duration(ejection),
        max_ejection_time: duration(ejection),
        max_ejection_percent: number(100),
        enforcing_success_rate: number(0),
        ..Default::default()
    }
}
