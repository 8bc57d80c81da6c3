//! Limits that each pod counts by itself.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, rate_limit_descriptor::Entry,
};
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use meshc_plan::{DESCRIPTOR_KEY, LimitBucket, LocalLimit};

use crate::http::descriptor;
use crate::http::filters::Made;
use crate::pb::kind::TokenBucket;
use crate::pb::{always, duration, flag, http_filter, number};
use crate::proto::any;

/// One filter per limit: token buckets by descriptor, and a default bucket that never runs dry for requests that
/// touch none. Envoy wants that one, and would otherwise take from it for every request.
pub(crate) fn filter(limit: &LocalLimit) -> Made {
    let LocalLimit { name, matches, buckets, origin: _ } = limit;
    let config = LocalRateLimit {
        stat_prefix: name.clone(),
        token_bucket: Some(bucket(u32::MAX, std::time::Duration::from_secs(1))),
        // Both fractions are zero by default, and the filter would do nothing.
        filter_enabled: always(),
        filter_enforced: always(),
        // Otherwise a gRPC client is told UNAVAILABLE, which counts against the pod: limits would eject it.
        rate_limited_as_resource_exhausted: true,
        descriptors: buckets.iter().map(descriptor).collect(),
        // What is left of a limit is not told here: requests that touch none would be told of the default bucket.
        response_headers_to_add: vec![limited()],
        always_consume_default_token_bucket: flag(false),
        rate_limits: buckets.iter().map(|bucket| descriptor::rate_limit(matches, bucket)).collect(),
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

fn descriptor(limited: &LimitBucket) -> LocalRateLimitDescriptor {
    // Which requests it counts is said by the descriptor that they send.
    let LimitBucket { value, condition: _, requests, per } = limited;
    LocalRateLimitDescriptor {
        entries: vec![Entry { key: DESCRIPTOR_KEY.to_owned(), value: value.clone() }],
        // `support` has refused what does not fit.
        token_bucket: Some(bucket(u32::try_from(*requests).unwrap_or(u32::MAX), *per)),
        ..Default::default()
    }
}

fn bucket(tokens: u32, per: std::time::Duration) -> TokenBucket {
    TokenBucket { max_tokens: tokens, tokens_per_fill: number(tokens), fill_interval: duration(per) }
}
