//! `retry`: when a request is sent again.

use meshc_vocabulary::model::policy::{Retry, RetryOn};

use crate::RetryPlan;

/// What the policy or the rule says; without either, once on a failed connection to another host of the same group,
/// whatever the method, since nothing can have reached an application.
pub(in crate::lower) fn plan(retry: Option<&Retry>) -> RetryPlan {
    match retry {
        Some(retry) => RetryPlan {
            attempts: retry.attempts,
            when: retry.when.clone(),
            other_localities: retry.other_localities,
            methods: retry.methods.clone(),
            per_try_timeout: retry.per_try_timeout,
        },
        None => RetryPlan {
            attempts: 1,
            when: vec![RetryOn::ConnectFailure],
            other_localities: false,
            methods: Vec::new(),
            per_try_timeout: None,
        },
    }
}
