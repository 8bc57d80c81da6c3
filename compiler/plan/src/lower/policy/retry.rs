//! `retry`: when a request is sent again.

use meshc_vocabulary::model::policy::{Retry, RetryOn};

use crate::RetryPlan;

/// What the policy or the rule says; without either, once on a failed connection to another host of the same group,
/// whatever the method, since nothing can have reached an application.
pub(in crate::lower) fn plan(retry: Option<&Retry>) -> RetryPlan {
    match retry {
        Some(retry) => RetryPlan {
            attempts: retry.attempts,
            when: conditions(&retry.when),
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

/// What was asked for, and failed connections in any case: nothing can have reached an application there either.
fn conditions(asked: &[RetryOn]) -> Vec<RetryOn> {
    let covered = asked.iter().any(|on| match on {
        RetryOn::StatusClass(class) => *class == 5,
        RetryOn::ConnectFailure => true,
        RetryOn::Status(_) | RetryOn::Reset => false,
    });
    let further = (!covered).then_some(RetryOn::ConnectFailure);
    asked.iter().copied().chain(further).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_is_always_a_reason() {
        assert_eq!(conditions(&[RetryOn::StatusClass(5)]), [RetryOn::StatusClass(5)]);
        assert_eq!(conditions(&[RetryOn::Status(503)]), [RetryOn::Status(503), RetryOn::ConnectFailure]);
        assert_eq!(plan(None).when, [RetryOn::ConnectFailure]);
    }
}
