//! Rate limits.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{DESCRIPTOR_KEY, GlobalLimit, LimitBucket, LimitCondition, LocalLimit};
use meshc_vocabulary::model::policy::OnError;
use meshd_config::{Period, raw};

use crate::matches;

/// A limit that the pod counts.
pub(crate) fn counted_here(limit: &LocalLimit) -> raw::Limit {
    let LocalLimit { name, matches, buckets, origin: _ } = limit;
    raw::Limit {
        name: name.clone(),
        matching: matches::request(matches),
        scope: raw::LimitScope::Proxy {},
        buckets: buckets.iter().map(|one| bucket(one, Counted::Here)).collect(),
    }
}

/// A limit that the service counts.
pub(crate) fn counted_there(limit: &GlobalLimit) -> raw::Limit {
    let GlobalLimit { domain, matches, buckets, on_error, timeout, origin: _ } = limit;
    raw::Limit {
        name: domain.clone(),
        matching: matches::request(matches),
        scope: raw::LimitScope::Service {
            domain: domain.clone(),
            descriptor_key: DESCRIPTOR_KEY.to_owned(),
            timeout: Period::from(*timeout),
            on_error: match on_error {
                OnError::Allow => raw::OnError::Allow,
                OnError::Deny => raw::OnError::Deny,
            },
        },
        buckets: buckets.iter().map(|one| bucket(one, Counted::There)).collect(),
    }
}

/// Who counts, and so has to be told the rate.
#[derive(Clone, Copy)]
enum Counted {
    Here,
    There,
}

fn bucket(bucket: &LimitBucket, counted: Counted) -> raw::Bucket {
    let LimitBucket { value, condition, requests, per } = bucket;
    raw::Bucket {
        name: value.clone(),
        when: match condition {
            LimitCondition::Always => None,
            LimitCondition::HeaderIs { header, value } => {
                Some(raw::When::Is { header: header.clone(), value: value.clone() })
            }
            LimitCondition::HeaderIsNoneOf { header, values } => {
                Some(raw::When::NoneOf { header: header.clone(), values: values.clone() })
            }
        },
        rate: match counted {
            Counted::Here => Some(raw::Rate { requests: *requests, per: Period::from(*per) }),
            Counted::There => None,
        },
    }
}
