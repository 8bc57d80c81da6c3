//! Reading and writing the service's answer.

use std::time::Duration;

use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitResponse;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};

use super::unit_from_wire;
use crate::{Decision, Failure, Limit, Quota};

/// What an answer means to the asker.
pub(crate) fn decision(response: RateLimitResponse) -> Decision {
    let quotas = |code: Code| {
        response.statuses.iter().filter(move |status| status.code == i32::from(code)).filter_map(quota)
    };
    match Code::try_from(response.overall_code) {
        Ok(Code::Ok) => Decision::Ok { quota: quotas(Code::Ok).min_by_key(|quota| quota.remaining) },
        // Of several exceeded limits the one that lasts longest says when asking again makes sense.
        Ok(Code::OverLimit) => {
            Decision::OverLimit { quota: quotas(Code::OverLimit).max_by_key(|quota| quota.until_reset) }
        }
        Ok(Code::Unknown) | Err(_) => {
            Decision::Error(Failure::Unavailable("its answer carries no known code".to_owned()))
        }
    }
}

fn quota(status: &DescriptorStatus) -> Option<Quota> {
    let limit = status.current_limit.as_ref()?;
    let until_reset = status.duration_until_reset.as_ref().map_or(Duration::ZERO, |duration| {
        // Negative durations, which no sound service sends, count as zero.
        let seconds = u64::try_from(duration.seconds).unwrap_or_default();
        Duration::new(seconds, u32::try_from(duration.nanos).unwrap_or_default().min(999_999_999))
    });
    Some(Quota {
        limit: Limit { requests_per_unit: limit.requests_per_unit, unit: unit_from_wire(limit.unit)? },
        remaining: status.limit_remaining,
        until_reset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;
    use crate::protocol::unit_to_wire;
    use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::RateLimit;

    fn status(code: Code, remaining: u32, seconds: i64) -> DescriptorStatus {
        DescriptorStatus {
            code: code.into(),
            current_limit: Some(RateLimit {
                requests_per_unit: 10,
                unit: unit_to_wire(Unit::Minute),
                ..Default::default()
            }),
            limit_remaining: remaining,
            duration_until_reset: Some(envoy_types::pb::google::protobuf::Duration { seconds, nanos: 0 }),
            ..Default::default()
        }
    }

    fn answer(code: Code, statuses: Vec<DescriptorStatus>) -> Decision {
        decision(RateLimitResponse { overall_code: code.into(), statuses, ..Default::default() })
    }

    fn quota_of(remaining: u32, seconds: u64) -> Option<Quota> {
        let limit = Limit { requests_per_unit: 10, unit: Unit::Minute };
        Some(Quota { limit, remaining, until_reset: Duration::from_secs(seconds) })
    }

    #[test]
    fn the_tightest_limit_is_told() {
        let statuses = vec![status(Code::Ok, 7, 30), status(Code::Ok, 2, 40), DescriptorStatus::default()];
        assert_eq!(answer(Code::Ok, statuses), Decision::Ok { quota: quota_of(2, 40) });
        let statuses =
            vec![status(Code::OverLimit, 0, 30), status(Code::Ok, 2, 50), status(Code::OverLimit, 0, 40)];
        assert_eq!(answer(Code::OverLimit, statuses), Decision::OverLimit { quota: quota_of(0, 40) });
    }

    #[test]
    fn no_limit_is_known_without_statuses() {
        assert_eq!(answer(Code::Ok, Vec::new()), Decision::Ok { quota: None });
        assert_eq!(answer(Code::OverLimit, Vec::new()), Decision::OverLimit { quota: None });
    }

    #[test]
    fn an_answer_that_says_nothing_is_an_error() {
        assert!(matches!(answer(Code::Unknown, Vec::new()), Decision::Error(Failure::Unavailable(_))));
        let later_protocol = RateLimitResponse { overall_code: 77, ..Default::default() };
        assert!(matches!(decision(later_protocol), Decision::Error(Failure::Unavailable(_))));
    }

    #[test]
    fn negative_durations_and_unknown_units_do_no_harm() {
        let odd = status(Code::Ok, 1, -5);
        assert_eq!(answer(Code::Ok, vec![odd]), Decision::Ok { quota: quota_of(1, 0) });
        let mut unknown = status(Code::Ok, 1, 5);
        unknown.current_limit = Some(RateLimit { unit: 99, ..Default::default() });
        assert_eq!(answer(Code::Ok, vec![unknown]), Decision::Ok { quota: None });
    }
}
