//! Rate limits.

use meshc_plan::{GlobalLimit, LimitBucket, LimitCondition, LocalLimit};
use meshc_vocabulary::model::policy::OnError;
use meshd_config::{Period, raw};

use crate::matches;

/// The key of every descriptor that the plan's rate-limit services count.
const DESCRIPTOR_KEY: &str = "header_match";

/// Limits that the pod counts, then those that the service counts: asking nobody comes first.
pub(crate) fn render(local: &[LocalLimit], global: &[GlobalLimit]) -> Vec<raw::Limit> {
    local.iter().map(counted_here).chain(global.iter().map(counted_there)).collect()
}

fn counted_here(limit: &LocalLimit) -> raw::Limit {
    let buckets = limit.buckets.iter().map(|one| raw::Bucket {
        rate: Some(raw::Rate { requests: one.requests, per: Period::from(one.per) }),
        ..bucket(one)
    });
    raw::Limit {
        name: limit.name.clone(),
        matching: matches::request(&limit.matches),
        scope: raw::LimitScope::Proxy {},
        buckets: buckets.collect(),
    }
}

fn counted_there(limit: &GlobalLimit) -> raw::Limit {
    raw::Limit {
        name: limit.domain.clone(),
        matching: matches::request(&limit.matches),
        scope: raw::LimitScope::Service {
            domain: limit.domain.clone(),
            descriptor_key: DESCRIPTOR_KEY.to_owned(),
            timeout: Period::from(limit.timeout),
            on_error: match limit.on_error {
                OnError::Allow => raw::OnError::Allow,
                OnError::Deny => raw::OnError::Deny,
            },
        },
        buckets: limit.buckets.iter().map(bucket).collect(),
    }
}

fn bucket(bucket: &LimitBucket) -> raw::Bucket {
    raw::Bucket {
        name: bucket.value.clone(),
        when: match &bucket.condition {
            LimitCondition::Always => None,
            LimitCondition::HeaderIs { header, value } => {
                Some(raw::When::Is { header: header.clone(), value: value.clone() })
            }
            LimitCondition::HeaderIsNoneOf { header, values } => {
                Some(raw::When::NoneOf { header: header.clone(), values: values.clone() })
            }
        },
        rate: None,
    }
}
