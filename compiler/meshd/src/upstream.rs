//! What the proxy connects to.

use meshc_plan::{Ejection, Endpoint, Group, PoolPlan, Upstream, UpstreamProtocol, UpstreamTls};
use meshd_config::raw;

use crate::listener::period;
use crate::placed::Placed;

/// One upstream.
pub(crate) fn render(placed: &Placed<'_>, upstream: &Upstream) -> raw::Upstream {
    raw::Upstream {
        protocol: match upstream.protocol {
            UpstreamProtocol::HttpLikeDownstream => raw::Protocol::Downstream,
            UpstreamProtocol::Http1 => raw::Protocol::Http1,
            UpstreamProtocol::Http2 => raw::Protocol::Http2,
            // No request is ever sent to it, so what HTTP would be spoken does not matter.
            UpstreamProtocol::Tcp => raw::Protocol::Downstream,
        },
        connect_timeout: period(upstream.pool.connect_timeout),
        groups: upstream
            .groups
            .iter()
            .map(|group| self::group(placed, group, upstream.tls.as_ref()))
            .collect(),
        pool: pool(&upstream.pool),
        retry_budget: Some(raw::RetryBudget {
            percent: upstream.pool.retry_budget_percent,
            min_concurrency: upstream.pool.min_concurrent_retries,
        }),
    }
}

fn group(placed: &Placed<'_>, group: &Group, tls: Option<&UpstreamTls>) -> raw::Group {
    raw::Group {
        name: group.name.clone(),
        endpoints: group.endpoints.iter().map(|one| endpoint(placed, one)).collect(),
        outlier: outlier(&group.ejection),
        tls: tls.map(|tls| raw::Tls {
            sni: tls.sni.clone(),
            peers: tls.peers.iter().map(ToString::to_string).collect(),
        }),
        requests_per_connection: group.requests_per_connection,
    }
}

fn endpoint(placed: &Placed<'_>, endpoint: &Endpoint) -> raw::Endpoint {
    let (host, port) = placed.connect(endpoint);
    raw::Endpoint { host, port, weight: Some(endpoint.weight), repeat: Some(endpoint.copies) }
}

/// Ejections do not grow, so the first is as long as any.
fn outlier(ejection: &Ejection) -> Option<raw::Outlier> {
    match ejection {
        Ejection::Never => None,
        Ejection::OnFailures { consecutive, interval, ejection } => {
            Some(raw::Outlier::Http(raw::HttpOutlier {
                consecutive_5xx: *consecutive,
                interval: period(*interval),
                base_ejection: period(*ejection),
                max_ejection: period(*ejection),
            }))
        }
        Ejection::OnLocalOrigin { consecutive, interval, ejection } => {
            Some(raw::Outlier::LocalOrigin(raw::LocalOriginOutlier {
                consecutive_failures: *consecutive,
                interval: period(*interval),
                base_ejection: period(*ejection),
                max_ejection: period(*ejection),
            }))
        }
    }
}

fn pool(pool: &PoolPlan) -> raw::Pool {
    raw::Pool {
        max_connections: pool.max_connections,
        max_pending: pool.max_pending_requests,
        max_requests: pool.max_requests,
        idle_timeout: None,
    }
}
