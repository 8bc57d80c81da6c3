//! When a request is sent again.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use meshc_plan::{Elsewhere, RetryPlan, RetryReason};
use meshc_vocabulary::model::policy::{BackOff, GrpcStatus};

use crate::pb::route::{HedgePolicy, RetryPolicy, retry_policy};
use crate::pb::{duration, number};
use crate::proto::any;

/// How often a request is sent again that an application refused to take.
const REFUSALS: u32 = 3;
/// How often a host that was tried before is picked again before the retry goes there all the same.
const HOST_SELECTION_ATTEMPTS: i64 = 5;

/// Every retry for the methods that may be sent again; none where nothing is sent again.
pub(crate) fn full(retry: &RetryPlan) -> Option<RetryPolicy> {
    let mut conditions = BTreeSet::new();
    let mut statuses = BTreeSet::new();
    for reason in &retry.when {
        match reason {
            RetryReason::ServerError => conditions.extend(["5xx"]),
            RetryReason::Statuses(these) => {
                statuses.extend(these.iter().copied().map(u32::from));
                conditions.insert("retriable-status-codes");
            }
            RetryReason::Grpc(these) => conditions.extend(these.iter().copied().map(of_grpc)),
            RetryReason::ConnectFailure => conditions.extend(["connect-failure"]),
            RetryReason::Reset => conditions.extend(["reset"]),
        }
    }
    // Envoy sends nothing again that a limit refused, whatever its status, unless it is asked to.
    let of_limits = statuses.contains(&429) || conditions.contains(of_grpc(GrpcStatus::ResourceExhausted));
    conditions.extend(of_limits.then_some("envoy-ratelimited"));
    let policy = policy(retry, &conditions)?;
    Some(RetryPolicy { retriable_status_codes: statuses.into_iter().collect(), ..policy })
}

/// Retries for methods that must not reach an application twice: only where no connection came about.
pub(crate) fn connect_only(retry: &RetryPlan) -> Option<RetryPolicy> {
    policy(retry, &BTreeSet::new())
}

/// Retries towards the application itself: of what it refused to take. An application that allows few streams on a
/// connection says so only after it has been connected to, and then the others go to another connection.
pub(crate) fn refused() -> RetryPolicy {
    RetryPolicy { retry_on: "refused-stream".to_owned(), num_retries: number(REFUSALS), ..Default::default() }
}

/// Envoy's condition for a status of gRPC.
const fn of_grpc(status: GrpcStatus) -> &'static str {
    match status {
        GrpcStatus::Cancelled => "cancelled",
        GrpcStatus::DeadlineExceeded => "deadline-exceeded",
        GrpcStatus::ResourceExhausted => "resource-exhausted",
        GrpcStatus::Internal => "internal",
        GrpcStatus::Unavailable => "unavailable",
    }
}

/// True if the plan retries more than failed connections, so that methods matter.
pub(crate) fn reaches_applications(retry: &RetryPlan) -> bool {
    retry.attempts > 0
        && (retry.hedge
            || retry.when.iter().any(|reason| match reason {
                RetryReason::ConnectFailure => false,
                RetryReason::ServerError
                | RetryReason::Statuses(_)
                | RetryReason::Grpc(_)
                | RetryReason::Reset => true,
            }))
}

/// Whether attempts go on that take longer than their time, for the methods that may be sent again.
pub(crate) fn hedge(retry: &RetryPlan) -> Option<HedgePolicy> {
    let hedges = retry.hedge && retry.attempts > 0;
    hedges.then(|| HedgePolicy { hedge_on_per_try_timeout: true, ..Default::default() })
}

fn policy(retry: &RetryPlan, conditions: &BTreeSet<&str>) -> Option<RetryPolicy> {
    // The reasons are the conditions; methods have a route each.
    let RetryPlan {
        attempts,
        when: _,
        elsewhere,
        methods: _,
        per_try_timeout,
        // The route has it.
        hedge: _,
        per_try_idle,
        back_off,
        max_retry_after,
        // The route has it.
        max_body: _,
    } = retry;
    if *attempts == 0 {
        return None;
    }
    let other_hosts = retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_policy::retry_host_predicate::ConfigType::TypedConfig(any(
            &PreviousHostsPredicate {},
        ))),
    };
    // What no application can have seen is sent again whatever else is declared: a connection that could not be opened,
    // a stream that was refused (RFC 9113, section 8.7).
    let unseen = ["connect-failure", "refused-stream"];
    let conditions: BTreeSet<&str> = conditions.iter().copied().chain(unseen).collect();
    Some(RetryPolicy {
        retry_on: conditions.into_iter().collect::<Vec<_>>().join(","),
        num_retries: number(*attempts),
        // Envoy's own bound of silence goes on while the answer comes, and counts against the endpoint when it is the client
        // who does not read. Its bound of an attempt begins once the endpoint has the request, and ends with the head of the
        // answer.
        per_try_timeout: (*per_try_timeout).into_iter().chain(*per_try_idle).min().and_then(duration),
        retry_back_off: (*back_off != BackOff::DEFAULT).then(|| self::back_off(*back_off)),
        rate_limited_retry_back_off: max_retry_after.map(as_asked),
        retry_priority: other_groups(*elsewhere),
        retry_host_predicate: vec![other_hosts],
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..Default::default()
    })
}

fn back_off(back_off: BackOff) -> retry_policy::RetryBackOff {
    let BackOff { base, most } = back_off;
    retry_policy::RetryBackOff { base_interval: duration(base), max_interval: duration(most) }
}

/// Waits that answers ask for. Both are in seconds: what limits of the mesh answer with, too.
fn as_asked(most: Duration) -> retry_policy::RateLimitedRetryBackOff {
    let header = |name: &str| retry_policy::ResetHeader {
        name: name.to_owned(),
        format: retry_policy::ResetHeaderFormat::Seconds.into(),
    };
    retry_policy::RateLimitedRetryBackOff {
        reset_headers: vec![header("retry-after"), header("x-ratelimit-reset")],
        max_interval: duration(most),
    }
}

/// Without this, a retry never leaves the group that failed, whatever hosts it avoids.
fn other_groups(elsewhere: Elsewhere) -> Option<retry_policy::RetryPriority> {
    let after = match elsewhere {
        Elsewhere::SameGroup => return None,
        Elsewhere::AfterAnotherEndpoint => 2,
        Elsewhere::AtOnce => 1,
    };
    Some(retry_policy::RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_policy::retry_priority::ConfigType::TypedConfig(any(
            &PreviousPrioritiesConfig { update_frequency: after },
        ))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(when: Vec<RetryReason>) -> RetryPlan {
        RetryPlan {
            attempts: 3,
            when,
            elsewhere: Elsewhere::AtOnce,
            methods: Vec::new(),
            per_try_timeout: None,
            hedge: false,
            per_try_idle: None,
            back_off: BackOff::DEFAULT,
            max_retry_after: None,
            max_body: meshc_plan::REPLAYED_BODY,
        }
    }

    #[test]
    fn no_attempts_are_no_policy() {
        let none = RetryPlan { attempts: 0, ..plan(vec![RetryReason::ServerError]) };
        assert_eq!((full(&none), connect_only(&none)), (None, None));
        assert!(!reaches_applications(&none), "one route is enough");
    }

    #[test]
    fn conditions_and_statuses_are_spelled_as_envoy_knows_them() {
        let grpc = vec![GrpcStatus::ResourceExhausted, GrpcStatus::Internal, GrpcStatus::Unavailable];
        let reasons =
            vec![RetryReason::ServerError, RetryReason::Statuses(vec![429]), RetryReason::Grpc(grpc)];
        let policy = full(&plan(reasons)).unwrap();
        assert_eq!(
            policy.retry_on,
            "5xx,connect-failure,envoy-ratelimited,internal,refused-stream,resource-exhausted,retriable-status-codes,unavailable"
        );
        assert_eq!(policy.retriable_status_codes, [429]);
        assert!(policy.retry_priority.is_some(), "the next attempt leaves the locality");
    }
}
