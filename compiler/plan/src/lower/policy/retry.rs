//! `retry`: when a request is sent again.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::policy::{Retry, RetryOn};

use crate::{Elsewhere, RetryPlan};

/// What there is beside an endpoint that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::lower) enum Beside {
    /// No other group.
    OnlyEndpoints,
    /// Other groups, and no other endpoint in the nearest one.
    OnlyGroups,
    /// Both.
    EndpointsAndGroups,
}

/// What the policy or the rule says; without either, on a failed connection to another endpoint, and to the next group if
/// that fails as well, whatever the method, since no application can have seen the request.
pub(in crate::lower) fn plan(retry: Option<&Retry>, beside: Beside) -> RetryPlan {
    let elsewhere = match beside {
        Beside::OnlyEndpoints => Elsewhere::SameGroup,
        Beside::OnlyGroups => Elsewhere::AtOnce,
        Beside::EndpointsAndGroups if retry.is_some_and(|retry| retry.other_localities) => Elsewhere::AtOnce,
        Beside::EndpointsAndGroups => Elsewhere::AfterAnotherEndpoint,
    };
    match retry {
        Some(Retry { origin: _, attempts, when, other_localities: _, methods, per_try_timeout }) => {
            RetryPlan {
                attempts: *attempts,
                when: conditions(when),
                elsewhere,
                methods: methods.clone(),
                per_try_timeout: *per_try_timeout,
            }
        }
        None => RetryPlan {
            attempts: match elsewhere {
                Elsewhere::SameGroup | Elsewhere::AtOnce => 1,
                Elsewhere::AfterAnotherEndpoint => 2,
            },
            when: vec![RetryOn::ConnectFailure],
            elsewhere,
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
        assert_eq!(plan(None, Beside::OnlyEndpoints).when, [RetryOn::ConnectFailure]);
    }

    #[test]
    fn a_failed_connection_reaches_the_next_group_whatever_the_nearest_one_has() {
        let plans = [Beside::OnlyEndpoints, Beside::OnlyGroups, Beside::EndpointsAndGroups]
            .map(|beside| plan(None, beside))
            .map(|plan| (plan.attempts, plan.elsewhere));
        assert_eq!(
            plans,
            [(1, Elsewhere::SameGroup), (1, Elsewhere::AtOnce), (2, Elsewhere::AfterAnotherEndpoint)]
        );
    }
}
