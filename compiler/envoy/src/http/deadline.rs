//! Calls of gRPC that name the time that they have.

use std::time::Duration;

use meshc_plan::Deadlines;

use crate::http::matches::{header_matcher, regex};
use crate::pb::route::route_action::MaxStreamDuration;
use crate::pb::route::{HeaderMatcher, Route, route};
use crate::pb::timeout;

const HEADER: &str = "grpc-timeout";

/// The route, and before it one for the calls that name their time where the route bounds it: on a route that takes a
/// call's own time, Envoy forgets the route's for every call that names none.
pub(super) fn routes(deadlines: Deadlines, limit: Option<Duration>, route: Route) -> Vec<Route> {
    match deadlines {
        Deadlines::Unknown => vec![route],
        Deadlines::OfGrpc if limit.is_none() => vec![with_their_own(limit, route)],
        Deadlines::OfGrpc => {
            let mut own = with_their_own(limit, route.clone());
            if let Some(condition) = &mut own.r#match {
                // The form that is agreed; no time at all is not a time.
                let zero = header_matcher(HEADER, regex("0+[HMSmun]"));
                condition.headers.push(header_matcher(HEADER, regex("[0-9]{1,8}[HMSmun]")));
                condition.headers.push(HeaderMatcher { invert_match: true, ..zero });
            }
            vec![own, route]
        }
    }
}

/// At most `limit`; without one, zero stands for the call's own time.
fn with_their_own(limit: Option<Duration>, mut route: Route) -> Route {
    if let Some(route::Action::Route(action)) = &mut route.action {
        action.max_stream_duration =
            Some(MaxStreamDuration { grpc_timeout_header_max: timeout(limit), ..Default::default() });
    }
    route
}
