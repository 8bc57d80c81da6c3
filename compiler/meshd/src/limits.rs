//! Rate limits.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    DESCRIPTOR_KEY, GlobalLimit, Limit, LimitBucket, LimitCondition, LimitKey, LocalLimit,
    RATE_LIMIT_UPSTREAM, key_name,
};
use meshc_vocabulary::model::policy::{Enforcement, OnError};
use meshd_config::{Period, raw};

use crate::matches;

/// A limit.
pub(crate) fn render(limit: &Limit) -> raw::Limit {
    match limit {
        Limit::Local(limit) => counted_here(limit),
        Limit::Global(limit) => counted_there(limit),
    }
}

/// A limit that the pod counts.
pub(crate) fn counted_here(limit: &LocalLimit) -> raw::Limit {
    let LocalLimit { name, matches, buckets, mode, origin: _ } = limit;
    raw::Limit {
        name: name.clone(),
        matching: matches::request(matches),
        audit: audited(*mode),
        scope: raw::LimitScope::Proxy {},
        buckets: buckets.iter().map(|one| bucket(one, Counted::Here)).collect(),
    }
}

/// A limit that the service counts.
pub(crate) fn counted_there(limit: &GlobalLimit) -> raw::Limit {
    let GlobalLimit { upstream, domain, matches, buckets, mode, on_error, timeout, origin: _ } = limit;
    raw::Limit {
        name: domain.clone(),
        matching: matches::request(matches),
        audit: audited(*mode),
        scope: raw::LimitScope::Service {
            upstream: (upstream != RATE_LIMIT_UPSTREAM).then(|| upstream.clone()),
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
    let LimitBucket { value, condition, keys, requests, burst, per } = bucket;
    raw::Bucket {
        name: value.clone(),
        keys: keys.iter().map(key).collect(),
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
            Counted::Here => Some(raw::Rate {
                requests: *requests,
                per: Period::from(*per),
                burst: (burst != requests).then_some(*burst),
            }),
            Counted::There => None,
        },
    }
}

fn key(key: &LimitKey) -> raw::LimitKey {
    let of = match key {
        LimitKey::Caller => raw::KeyOf::Caller,
        LimitKey::Address => raw::KeyOf::Address,
        LimitKey::Client => raw::KeyOf::Client,
        LimitKey::Path => raw::KeyOf::Path,
        LimitKey::Header(name) => raw::KeyOf::Header(name.clone()),
        LimitKey::Cookie(name) => raw::KeyOf::Cookie(name.clone()),
        LimitKey::Query(name) => raw::KeyOf::Query(name.clone()),
    };
    raw::LimitKey { descriptor_key: key_name(key), of }
}

const fn audited(mode: Enforcement) -> bool {
    match mode {
        Enforcement::Enforced => false,
        Enforcement::Audited => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_data_planes_tell_requests_apart_alike() {
        assert_eq!(meshc_plan::UNPRINTABLE, meshd_config::UNPRINTABLE);
        assert_eq!(meshc_plan::NO_VALUE, meshd_config::NO_VALUE);
        assert_eq!(meshc_plan::KEY_LENGTH, meshd_config::KEY_LENGTH);
        assert_eq!(meshc_plan::IPV6_PREFIX, meshd_config::IPV6_PREFIX);
        assert_eq!(usize::try_from(meshc_plan::MOST_KEYS), Ok(meshd_config::MOST_KEYS));
    }
}
