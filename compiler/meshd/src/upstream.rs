//! What the proxy connects to.

use meshc_plan::{
    Ejection, EjectionTiming, Endpoint, FailingAnswers, Group, PoolPlan, Share, Upstream, UpstreamProtocol,
    UpstreamTls,
};
use meshd_config::{Period, raw};

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
        connect_timeout: Period::from(upstream.pool.connect_timeout),
        groups: upstream.groups.iter().map(|group| self::group(placed, group, upstream)).collect(),
        pool: pool(&upstream.pool),
        retry_budget: Some(raw::RetryBudget {
            percent: upstream.pool.retry_budget_percent,
            min_concurrency: upstream.pool.min_concurrent_retries,
        }),
    }
}

fn group(placed: &Placed<'_>, group: &Group, upstream: &Upstream) -> raw::Group {
    let tls: Option<&UpstreamTls> = upstream.tls.as_ref();
    raw::Group {
        name: group.name.clone(),
        endpoints: group.endpoints.iter().map(|one| endpoint(placed, one)).collect(),
        outlier: outlier(&group.ejection, upstream.failing_answers),
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

fn outlier(ejection: &Ejection, answers: FailingAnswers) -> Option<raw::Outlier> {
    let failing_answers = match answers {
        FailingAnswers::GatewayErrors => raw::FailingAnswers::GatewayErrors,
        FailingAnswers::ServerErrors => raw::FailingAnswers::ServerErrors,
    };
    match ejection {
        Ejection::Never => None,
        Ejection::Pods { consecutive, unanswered, timing } => Some(raw::Outlier {
            failing_answers,
            consecutive_answers: Some(*consecutive),
            consecutive_connections: Some(*consecutive),
            failing_share: Some(share(*unanswered, false)),
            ..judged(timing)
        }),
        Ejection::Gateway { consecutive_connections, failed, timing } => Some(raw::Outlier {
            failing_answers,
            consecutive_connections: Some(*consecutive_connections),
            failing_share: Some(share(*failed, true)),
            ..judged(timing)
        }),
        Ejection::Connections { consecutive, timing } => {
            Some(raw::Outlier { consecutive_connections: Some(*consecutive), ..judged(timing) })
        }
    }
}

fn judged(timing: &EjectionTiming) -> raw::Outlier {
    raw::Outlier {
        failing_answers: raw::FailingAnswers::None,
        consecutive_answers: None,
        consecutive_connections: None,
        failing_share: None,
        interval: Period::from(timing.interval),
        ejection: Period::from(timing.ejection),
    }
}

const fn share(share: Share, answers: bool) -> raw::FailingShare {
    raw::FailingShare { percent: share.percent, attempts: share.attempts, answers }
}

fn pool(pool: &PoolPlan) -> raw::Pool {
    raw::Pool {
        max_connections: pool.max_connections,
        max_pending: pool.max_pending_requests,
        max_requests: pool.max_requests,
        idle_timeout: None,
    }
}
