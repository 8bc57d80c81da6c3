//! `retry`: when a request is sent again.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;

use meshc_vocabulary::model::policy::{BackOff, GrpcStatus, Retry, RetryOn};

use crate::{Elsewhere, REPLAYED_BODY, RetryPlan, RetryReason};

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
        Some(Retry {
            origin: _,
            attempts,
            when,
            other_localities: _,
            methods,
            per_try_timeout,
            hedge,
            per_try_idle,
            back_off,
            max_retry_after,
            max_body,
        }) => RetryPlan {
            attempts: *attempts,
            when: conditions(when),
            elsewhere,
            methods: methods.clone(),
            per_try_timeout: *per_try_timeout,
            hedge: *hedge,
            per_try_idle: *per_try_idle,
            back_off: waits(*back_off),
            max_retry_after: *max_retry_after,
            max_body: max_body.unwrap_or(REPLAYED_BODY),
        },
        None => RetryPlan {
            attempts: match elsewhere {
                Elsewhere::SameGroup | Elsewhere::AtOnce => 1,
                Elsewhere::AfterAnotherEndpoint => 2,
            },
            when: vec![RetryReason::ConnectFailure],
            elsewhere,
            methods: Vec::new(),
            per_try_timeout: None,
            hedge: false,
            per_try_idle: None,
            back_off: BackOff::DEFAULT,
            max_retry_after: None,
            max_body: REPLAYED_BODY,
        },
    }
}

/// The plan has them as they are declared.
fn waits(declared: BackOff) -> BackOff {
    let BackOff { base, most } = declared;
    BackOff { base, most }
}

/// What was asked for, and failed connections in any case: nothing can have reached an application there either. Only the
/// class `5xx` includes failures without an answer; of any other, the statuses are spelled out. gRPC answers with 200, and
/// the statuses of its own that stand for those asked for count as they do.
fn conditions(asked: &[RetryOn]) -> Vec<RetryReason> {
    let (mut reasons, mut statuses, mut grpc) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for on in asked {
        match on {
            RetryOn::StatusClass(5) => {
                reasons.insert(RetryReason::ServerError);
                grpc.extend([GrpcStatus::Internal, GrpcStatus::Unavailable]);
            }
            RetryOn::StatusClass(class) => {
                let first = u16::from(*class).saturating_mul(100);
                statuses.extend(first..first.saturating_add(100));
            }
            RetryOn::Status(status) => {
                statuses.insert(*status);
            }
            RetryOn::ConnectFailure => {
                reasons.insert(RetryReason::ConnectFailure);
            }
            RetryOn::Reset => {
                reasons.insert(RetryReason::Reset);
            }
            RetryOn::Grpc(status) => {
                grpc.insert(*status);
            }
        }
    }
    grpc.extend(statuses.iter().copied().filter_map(of_grpc));
    if !reasons.contains(&RetryReason::ServerError) {
        reasons.insert(RetryReason::ConnectFailure);
    }
    if !statuses.is_empty() {
        reasons.insert(RetryReason::Statuses(statuses.into_iter().collect()));
    }
    if !grpc.is_empty() {
        reasons.insert(RetryReason::Grpc(grpc.into_iter().collect()));
    }
    reasons.into_iter().collect()
}

/// The status of gRPC that stands for a status of HTTP.
const fn of_grpc(status: u16) -> Option<GrpcStatus> {
    match status {
        429 => Some(GrpcStatus::ResourceExhausted),
        500 => Some(GrpcStatus::Internal),
        502..=504 => Some(GrpcStatus::Unavailable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_is_always_a_reason() {
        let grpc = |statuses: &[GrpcStatus]| RetryReason::Grpc(statuses.to_vec());
        let server = grpc(&[GrpcStatus::Internal, GrpcStatus::Unavailable]);
        assert_eq!(conditions(&[RetryOn::StatusClass(5)]), [RetryReason::ServerError, server]);
        assert_eq!(
            conditions(&[RetryOn::Status(503)]),
            [RetryReason::Statuses(vec![503]), grpc(&[GrpcStatus::Unavailable]), RetryReason::ConnectFailure]
        );
        assert_eq!(plan(None, Beside::OnlyEndpoints).when, [RetryReason::ConnectFailure]);
    }

    #[test]
    fn another_class_is_spelled_out() {
        let found = conditions(&[RetryOn::StatusClass(4), RetryOn::Status(404)]);
        let [RetryReason::Statuses(statuses), RetryReason::Grpc(grpc), RetryReason::ConnectFailure] =
            found.as_slice()
        else {
            panic!("{found:?}")
        };
        assert_eq!((statuses.len(), statuses[0]), (100, 400));
        assert_eq!(grpc, &[GrpcStatus::ResourceExhausted]);
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
