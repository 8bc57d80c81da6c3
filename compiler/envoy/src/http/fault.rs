//! Requests that wait or are refused on purpose. Envoy has one filter for both; here each has one of its own, since they are
//! for different requests where a refusal is gRPC's.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::filters::common::fault::v3::FaultDelay;
use envoy_types::pb::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::fault_abort::ErrorType;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::{FaultAbort, HttpFault};
use meshc_plan::filter::{Abort, Delay};
use meshc_vocabulary::model::filter::Refused;

use crate::http::filters::{Made, of_a_million};
use crate::http::matches;
use crate::pb::{duration, http_filter};
use crate::proto::any;

/// Requests that wait.
pub(crate) fn delay(delay: &Delay) -> Made {
    let Delay { headers, share, time } = delay;
    let delay = FaultDelay {
        percentage: Some(of_a_million(*share)),
        fault_delay_secifier: duration(*time).map(FaultDelaySecifier::FixedDelay),
    };
    let headers = headers.iter().map(matches::header).collect();
    made("mesh.delay", &HttpFault { delay: Some(delay), headers, ..Default::default() })
}

/// Requests that are refused.
pub(crate) fn abort(abort: &Abort) -> Made {
    let Abort { headers, share, with } = abort;
    let abort = FaultAbort {
        // Without a share, none.
        percentage: Some(of_a_million(*share)),
        error_type: Some(match with {
            Refused::Status(status) => ErrorType::HttpStatus((*status).into()),
            Refused::Grpc(status) => ErrorType::GrpcStatus((*status).into()),
        }),
        ..Default::default()
    };
    let headers = headers.iter().map(matches::header).collect();
    made("mesh.abort", &HttpFault { abort: Some(abort), headers, ..Default::default() })
}

fn made(name: &str, fault: &HttpFault) -> Made {
    Made { filter: http_filter(name, fault), on_route: any(fault) }
}
