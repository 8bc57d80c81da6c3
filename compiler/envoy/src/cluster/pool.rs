//! Connections, circuit breakers and the protocol spoken.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
};
use meshc_plan::{PoolPlan, UpstreamProtocol};

use crate::limits::{self, Bounds};
use crate::pb::base::{self, Http1ProtocolOptions};
use crate::pb::cluster::CircuitBreakers;
use crate::pb::cluster::circuit_breakers::{Thresholds, thresholds::RetryBudget};
use crate::pb::kind::Percent;
use crate::pb::number;

/// Bounds of a cluster that holds connections.
pub(super) fn limits(pool: &PoolPlan, spoken: UpstreamProtocol) -> CircuitBreakers {
    let bounds = Thresholds { retry_budget: None, ..thresholds(pool, spoken) };
    CircuitBreakers { thresholds: vec![bounds], ..Default::default() }
}

/// The same with the budget of retries, for the cluster that routes name. Without a budget three retries may be under
/// way at once, and all others fail.
pub(super) fn with_retries(pool: &PoolPlan, spoken: UpstreamProtocol) -> CircuitBreakers {
    CircuitBreakers { thresholds: vec![thresholds(pool, spoken)], ..Default::default() }
}

fn thresholds(pool: &PoolPlan, spoken: UpstreamProtocol) -> Thresholds {
    // Each cluster has its own time to connect.
    let PoolPlan {
        max_connections,
        max_pending_requests,
        max_requests,
        connect_timeout: _,
        retry_budget_percent,
        min_concurrent_retries,
    } = *pool;
    let budget = RetryBudget {
        budget_percent: Some(Percent { value: retry_budget_percent.into() }),
        min_retry_concurrency: number(min_concurrent_retries),
        ..Default::default()
    };
    let requests = carries_requests(spoken);
    Thresholds {
        max_connections: number(max_connections),
        max_pending_requests: number(max_pending_requests),
        max_requests: if requests { number(max_requests) } else { None },
        retry_budget: requests.then_some(budget),
        ..Default::default()
    }
}

/// Whether there are requests that can be counted and sent again.
fn carries_requests(spoken: UpstreamProtocol) -> bool {
    match spoken {
        UpstreamProtocol::HttpLikeDownstream | UpstreamProtocol::Http1 | UpstreamProtocol::Http2 => true,
        UpstreamProtocol::Tcp => false,
    }
}

/// What is spoken, and how large an answer may be; `None` for TCP.
pub(super) fn protocol(
    protocol: UpstreamProtocol,
    requests_per_connection: Option<u32>,
    bounds: Bounds,
) -> Option<HttpProtocolOptions> {
    let options = match protocol {
        UpstreamProtocol::Tcp => return None,
        UpstreamProtocol::HttpLikeDownstream => {
            UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
                http_protocol_options: Some(Http1ProtocolOptions::default()),
                http2_protocol_options: Some(limits::inner_http2()),
                ..Default::default()
            })
        }
        UpstreamProtocol::Http1 => {
            explicit(ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default()))
        }
        UpstreamProtocol::Http2 => explicit(ProtocolConfig::Http2ProtocolOptions(limits::inner_http2())),
    };
    let common = base::HttpProtocolOptions {
        max_requests_per_connection: requests_per_connection.and_then(number),
        max_headers_count: number(bounds.headers),
        max_response_headers_kb: number(bounds.kib),
        ..Default::default()
    };
    Some(HttpProtocolOptions {
        common_http_protocol_options: Some(common),
        upstream_protocol_options: Some(options),
        ..Default::default()
    })
}

fn explicit(config: ProtocolConfig) -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig { protocol_config: Some(config) })
}
