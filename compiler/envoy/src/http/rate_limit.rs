//! Limits that the cluster's rate-limit service counts.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::ratelimit::v3::RateLimitServiceConfig;
use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::rate_limit::XRateLimitHeadersRfcVersion;
use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::{
    RateLimit as RateLimitFilter, RateLimitPerRoute,
};
use meshc_plan::GlobalLimit;
use meshc_vocabulary::model::policy::{Enforcement, OnError};

use crate::http::descriptor;
use crate::http::filters::Made;
use crate::pb::base::{ApiVersion, GrpcService, grpc_service};
use crate::pb::kind::{HttpStatus, StatusCode};
use crate::pb::{duration, http_filter, never};
use crate::proto::any;

/// One filter per limit, since each has a domain of its own.
pub(crate) fn filter(limit: &GlobalLimit) -> Made {
    let GlobalLimit { upstream, domain, matches, buckets, mode, on_error, timeout, origin: _ } = limit;
    let deny = match (on_error, mode) {
        (OnError::Allow, _) | (OnError::Deny, Enforcement::Audited) => false,
        (OnError::Deny, Enforcement::Enforced) => true,
    };
    let grpc = grpc_service::EnvoyGrpc { cluster_name: upstream.clone(), ..Default::default() };
    let service = RateLimitServiceConfig {
        grpc_service: Some(GrpcService {
            target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(grpc)),
            ..Default::default()
        }),
        transport_api_version: ApiVersion::V3.into(),
    };
    let filter = RateLimitFilter {
        domain: domain.clone(),
        timeout: duration(*timeout),
        failure_mode_deny: deny,
        // The default is 500, and five of those eject the gateway at the caller.
        status_on_error: deny.then(|| HttpStatus { code: StatusCode::TooManyRequests.into() }),
        // Otherwise a gRPC client is told UNAVAILABLE, which counts against the pod: limits would eject it.
        rate_limited_as_resource_exhausted: true,
        rate_limit_service: Some(service),
        // What is only tried is no business of clients.
        enable_x_ratelimit_headers: match mode {
            Enforcement::Enforced => XRateLimitHeadersRfcVersion::DraftVersion03.into(),
            Enforcement::Audited => XRateLimitHeadersRfcVersion::Off.into(),
        },
        disable_x_envoy_ratelimited_header: match mode {
            Enforcement::Enforced => false,
            Enforcement::Audited => true,
        },
        filter_enforced: match mode {
            Enforcement::Enforced => None,
            Enforcement::Audited => never(),
        },
        enable_retry_after_header: true,
        stat_prefix: domain.clone(),
        rate_limits: buckets.iter().flat_map(|bucket| descriptor::rate_limits(matches, bucket)).collect(),
        ..Default::default()
    };
    let on_route = RateLimitPerRoute {
        rate_limits: filter.rate_limits.clone(),
        domain: domain.clone(),
        ..Default::default()
    };
    Made { filter: http_filter(&format!("mesh.rate_limit.{domain}"), &filter), on_route: any(&on_route) }
}
