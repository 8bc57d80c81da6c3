//! Limits that each pod counts by itself.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, rate_limit_descriptor::Entry,
};
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use meshc_plan::{DESCRIPTOR_KEY, LimitBucket, LocalLimit, MOST_KEYS, UNPRINTABLE, key_name};
use meshc_vocabulary::model::HttpMatch;
use meshc_vocabulary::model::policy::Enforcement;

use crate::http::descriptor;
use crate::http::filters::Made;
use crate::pb::kind::TokenBucket;
use crate::pb::route::{RateLimit, rate_limit::HitsAddend};
use crate::pb::{always, duration, flag, http_filter, long, never, number};
use crate::proto::any;

/// One filter per limit: token buckets by descriptor, and a default bucket that never runs dry for requests that
/// touch none. Envoy wants that one, and would otherwise take from it for every request.
pub(crate) fn filter(limit: &LocalLimit) -> Made {
    let LocalLimit { name, matches, buckets, mode, origin: _ } = limit;
    let has_keys = buckets.iter().any(|bucket| !bucket.keys.is_empty());
    let config = LocalRateLimit {
        stat_prefix: name.clone(),
        token_bucket: Some(bucket(u32::MAX.into(), u32::MAX.into(), std::time::Duration::from_secs(1))),
        // Both fractions are zero by default, and the filter would do nothing.
        filter_enabled: always(),
        filter_enforced: match mode {
            Enforcement::Enforced => always(),
            Enforcement::Audited => never(),
        },
        // Otherwise a gRPC client is told UNAVAILABLE, which counts against the pod: limits would eject it.
        rate_limited_as_resource_exhausted: true,
        descriptors: buckets.iter().flat_map(descriptors).collect(),
        // What is left of a limit is not told here: requests that touch none would be told of the default bucket.
        response_headers_to_add: vec![limited()],
        enable_retry_after_header: true,
        always_consume_default_token_bucket: flag(false),
        rate_limits: buckets.iter().flat_map(|bucket| taking(matches, bucket)).collect(),
        max_dynamic_descriptors: if has_keys { number(MOST_KEYS) } else { None },
        ..Default::default()
    };
    let filter = http_filter(&format!("mesh.local_limit.{name}"), &config);
    Made { filter, on_route: any(&config) }
}

/// What the global filter says by itself of requests that it refuses.
fn limited() -> HeaderValueOption {
    let header =
        HeaderValue { key: "x-envoy-ratelimited".to_owned(), value: "true".to_owned(), ..Default::default() };
    HeaderValueOption { header: Some(header), ..Default::default() }
}

/// What requests take from a bucket. One that admits none has one token, and each request wants two: what is not there is
/// not taken in part (measured with Envoy 1.40).
fn taking(matches: &HttpMatch, bucket: &LimitBucket) -> Vec<RateLimit> {
    let mut limits = descriptor::rate_limits(matches, bucket);
    if bucket.requests == 0 {
        for limit in &mut limits {
            limit.hits_addend = Some(HitsAddend { number: long(2), ..Default::default() });
        }
    }
    limits
}

/// The descriptor of a bucket; with keys, whose values are left out so that each has a bucket of its own, also that of
/// requests that cannot be told apart.
fn descriptors(limited: &LimitBucket) -> Vec<LocalRateLimitDescriptor> {
    // Which requests it counts is said by the descriptor that they send.
    let LimitBucket { value, condition: _, keys, requests, burst, per } = limited;
    let of = |inner: Vec<(String, String)>| {
        let entries = std::iter::once((DESCRIPTOR_KEY.to_owned(), value.clone())).chain(inner);
        LocalRateLimitDescriptor {
            entries: entries.map(|(key, value)| Entry { key, value }).collect(),
            // Envoy takes no empty bucket.
            token_bucket: Some(bucket((*burst).max(1), (*requests).max(1), *per)),
            ..Default::default()
        }
    };
    let told_apart = of(keys.iter().map(|key| (key_name(key), String::new())).collect());
    if keys.is_empty() {
        return vec![told_apart];
    }
    let (key, value) = UNPRINTABLE;
    vec![told_apart, of(vec![(key.to_owned(), value.to_owned())])]
}

/// `support` has refused what does not fit.
fn bucket(most: u64, tokens: u64, per: std::time::Duration) -> TokenBucket {
    let fitting = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    TokenBucket {
        max_tokens: fitting(most),
        tokens_per_fill: number(fitting(tokens)),
        fill_interval: duration(per),
    }
}
