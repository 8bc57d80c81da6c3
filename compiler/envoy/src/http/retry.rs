//! When a request is sent again.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use meshc_plan::RetryPlan;
use meshc_vocabulary::model::policy::RetryOn;

use crate::pb::route::{RetryPolicy, retry_policy};
use crate::pb::{duration, number};
use crate::proto::any;

/// How often a host that was tried before is picked again before the retry goes there all the same.
const HOST_SELECTION_ATTEMPTS: i64 = 5;

/// Every retry for the methods that may be sent again.
pub(crate) fn full(retry: &RetryPlan) -> RetryPolicy {
    let mut conditions = BTreeSet::new();
    let mut statuses = BTreeSet::new();
    for when in &retry.when {
        match when {
            RetryOn::StatusClass(5) => {
                conditions.insert("5xx");
            }
            RetryOn::StatusClass(class) => {
                // Envoy has no class but this one, so the class is spelled out.
                statuses.extend((0..100).map(|status| u32::from(*class) * 100 + status));
            }
            RetryOn::Status(status) => {
                statuses.insert(u32::from(*status));
            }
            RetryOn::ConnectFailure => {
                conditions.insert("connect-failure");
            }
            RetryOn::Reset => {
                conditions.insert("reset");
            }
        }
    }
    if !statuses.is_empty() {
        conditions.insert("retriable-status-codes");
    }
    // A connection that could not be opened is retried whatever else is declared.
    conditions.insert("connect-failure");
    RetryPolicy { retriable_status_codes: statuses.into_iter().collect(), ..policy(retry, &conditions) }
}

/// Retries for methods that must not reach an application twice: only where no connection came about.
pub(crate) fn connect_only(retry: &RetryPlan) -> RetryPolicy {
    policy(retry, &BTreeSet::from(["connect-failure"]))
}

/// True if the plan retries more than failed connections, so that methods matter.
pub(crate) fn reaches_applications(retry: &RetryPlan) -> bool {
    retry.when.iter().any(|when| match when {
        RetryOn::ConnectFailure => false,
        RetryOn::StatusClass(_) | RetryOn::Status(_) | RetryOn::Reset => true,
    })
}

fn policy(retry: &RetryPlan, conditions: &BTreeSet<&str>) -> RetryPolicy {
    // Without this, a retry never leaves the locality that failed, whatever hosts it avoids.
    let other_localities = retry_policy::RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_policy::retry_priority::ConfigType::TypedConfig(any(
            &PreviousPrioritiesConfig { update_frequency: 1 },
        ))),
    };
    let other_hosts = retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_policy::retry_host_predicate::ConfigType::TypedConfig(any(
            &PreviousHostsPredicate {},
        ))),
    };
    RetryPolicy {
        retry_on: conditions.iter().copied().collect::<Vec<_>>().join(","),
        num_retries: number(retry.attempts),
        per_try_timeout: retry.per_try_timeout.and_then(duration),
        retry_priority: retry.other_localities.then_some(other_localities),
        retry_host_predicate: vec![other_hosts],
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(when: Vec<RetryOn>) -> RetryPlan {
        RetryPlan { attempts: 3, when, other_localities: true, methods: Vec::new(), per_try_timeout: None }
    }

    #[test]
    fn conditions_and_statuses_are_spelled_as_envoy_knows_them() {
        let policy = full(&plan(vec![RetryOn::StatusClass(5), RetryOn::Status(429)]));
        assert_eq!(policy.retry_on, "5xx,connect-failure,retriable-status-codes");
        assert_eq!(policy.retriable_status_codes, [429]);
        assert!(policy.retry_priority.is_some(), "the next attempt leaves the locality");
    }

    #[test]
    fn another_class_is_spelled_out() {
        let policy = full(&plan(vec![RetryOn::StatusClass(4)]));
        assert_eq!(policy.retriable_status_codes.len(), 100);
        assert_eq!(policy.retriable_status_codes.first(), Some(&400));
    }
}
