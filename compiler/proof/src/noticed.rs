//! How soon a proxy leaves endpoints that fail: the declared numbers of its plan, put together.
//!
//! `lang/PROVING.md` has the formulas and what they assume.

use std::time::Duration;

use meshc_plan::{
    CheckPlan, Ejection, FailingAnswers, Group, HealthPlan, PodFailures, PoolPlan, RetryReason, Upstream,
};
use meshc_vocabulary::model::DataPlane;

use crate::flow::Flow;
use crate::loss::Conduct;

/// What a group of endpoints does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Connections are closed or refused.
    Closed,
    /// Nothing comes back, not even a refusal.
    Silent,
    /// Pods are there, and fail so.
    Pods(Conduct),
}

/// How long it takes at most until nothing is sent there any more; `None` if that is never certain.
pub(crate) fn noticed(
    flow: &Flow<'_>,
    upstream: &Upstream,
    group: &Group,
    manner: Manner,
) -> Option<Duration> {
    let checks = upstream.health.as_ref().and_then(|health| by_checks(health, manner));
    let requests = by_requests(flow, upstream, group, manner);
    [checks, requests].into_iter().flatten().min()
}

/// By checks: so many in a row, each a whole interval (and up to a tenth more) after the answer to the one before.
fn by_checks(health: &HealthPlan, manner: Manner) -> Option<Duration> {
    let HealthPlan { check, sni: _, host: _, interval, timeout, unhealthy, healthy: _ } = health;
    let is_seen = match (check, manner) {
        (_, Manner::Closed | Manner::Silent) | (CheckPlan::Http { .. } | CheckPlan::Grpc { .. }, _) => true,
        // A connection to the sidecar alone says nothing about the application.
        (CheckPlan::Tcp { send: _, receive }, Manner::Pods(_)) => receive.is_some(),
    };
    let each = *interval + *interval / 10 + *timeout;
    is_seen.then(|| each.saturating_mul(*unhealthy))
}

/// By what becomes of requests: two intervals, since what went well before counts in the first one, and as long as a
/// request takes to fail.
fn by_requests(flow: &Flow<'_>, upstream: &Upstream, group: &Group, manner: Manner) -> Option<Duration> {
    let connect = upstream.pool.connect_timeout;
    let per_try =
        flow.retry.and_then(|retry| [retry.per_try_timeout, retry.per_try_idle].into_iter().flatten().min());
    // Silence alone ejects nothing: a bound on the request is needed.
    let patience = [per_try, flow.timeout].into_iter().flatten().min();
    let counts = |status| match &upstream.failing_answers {
        FailingAnswers::GatewayErrors => (502..=504).contains(&status),
        FailingAnswers::ServerErrors => (500..=599).contains(&status),
        FailingAnswers::Statuses(ranges) => {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&status))
        }
    };
    let (timing, fails_after) = match &group.ejection {
        Ejection::Never => return None,
        Ejection::Pods { judged, most, timing } => {
            if *most < 100 {
                return None;
            }
            match judged {
                PodFailures::InARow { consecutive: _, unanswered: _ }
                | PodFailures::ByShare { failed: _ } => {}
                // Where all fail alike, none of them is worse than the others.
                PodFailures::Compared { deviation: _, attempts: _, endpoints: _ } => return None,
            }
            (timing, failure(manner, connect, patience, counts)?)
        }
        Ejection::Gateway { consecutive_connections: _, failed: _, timing } => {
            (timing, failure(manner, connect, patience, counts)?)
        }
        Ejection::Connections { consecutive: _, timing } => match manner {
            Manner::Closed | Manner::Silent => (timing, connect),
            Manner::Pods(_) => return None,
        },
    };
    Some(timing.interval.saturating_mul(2).saturating_add(fails_after))
}

/// How long a request takes to fail, if it does so that it counts.
fn failure(
    manner: Manner,
    connect: Duration,
    patience: Option<Duration>,
    counts: impl Fn(u16) -> bool,
) -> Option<Duration> {
    match manner {
        Manner::Closed => Some(connect),
        Manner::Silent | Manner::Pods(Conduct::Silent) => patience,
        Manner::Pods(Conduct::Status(status)) => counts(status).then_some(connect),
        Manner::Pods(Conduct::Resets) => Some(connect),
    }
}

/// What becomes of requests until it is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Each is sent again and answered, after waiting so long at most.
    Retried(Duration),
    /// Those of these methods are sent again and answered, after waiting so long at most; the others fail.
    Some(Vec<String>, Duration),
    /// They fail.
    Lost,
}

/// How many of the requests to an upstream may be retries at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Budget {
    /// None.
    None,
    /// Some of them.
    Some,
    /// All that may be under way.
    All,
}

/// What a pool admits. Of several groups, Envoy counts requests in the groups and retries in front of them, so that a share
/// of the requests is a share of none.
pub(crate) fn budget(flow: &Flow<'_>, upstream: &Upstream) -> Budget {
    let PoolPlan {
        max_connections: _,
        max_pending_requests: _,
        max_requests,
        connect_timeout: _,
        retry_budget_percent,
        min_concurrent_retries,
    } = &upstream.pool;
    let percent = match flow.data_plane {
        DataPlane::Envoy if upstream.groups.len() > 1 => 0,
        DataPlane::Envoy | DataPlane::Meshd => *retry_budget_percent,
    };
    if percent >= 100 || min_concurrent_retries >= max_requests {
        Budget::All
    } else if percent > 0 || *min_concurrent_retries > 0 {
        Budget::Some
    } else {
        Budget::None
    }
}

/// What becomes of requests while so many groups before the one that answers have failed and are not yet left.
pub(crate) fn meanwhile(flow: &Flow<'_>, upstream: &Upstream, ahead: usize, manner: Manner) -> Meanwhile {
    use meshc_plan::Elsewhere;
    let connect = upstream.pool.connect_timeout;
    let Some(retry) = flow.retry.filter(|_| budget(flow, upstream) != Budget::None) else {
        return Meanwhile::Lost;
    };
    let needed = match retry.elsewhere {
        Elsewhere::SameGroup => return Meanwhile::Lost,
        Elsewhere::AfterAnotherEndpoint => ahead.saturating_mul(2),
        Elsewhere::AtOnce => ahead,
    };
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    let is_reason = |reason: &RetryReason| match (reason, manner) {
        (RetryReason::ServerError, _)
        | (RetryReason::ConnectFailure, Manner::Closed | Manner::Silent)
        | (RetryReason::Reset, Manner::Pods(Conduct::Resets | Conduct::Silent)) => true,
        (RetryReason::Statuses(statuses), Manner::Pods(Conduct::Status(status))) => {
            statuses.contains(&status)
        }
        (RetryReason::Statuses(_), Manner::Closed | Manner::Silent | Manner::Pods(_))
        | (RetryReason::Grpc(_), _)
        | (RetryReason::ConnectFailure, Manner::Pods(_))
        | (RetryReason::Reset, Manner::Closed | Manner::Silent | Manner::Pods(Conduct::Status(_))) => false,
    };
    if retry.attempts < needed || !retry.when.iter().any(is_reason) {
        return Meanwhile::Lost;
    }
    let per_try = [retry.per_try_timeout, retry.per_try_idle].into_iter().flatten().min();
    let each = match manner {
        Manner::Closed | Manner::Silent => per_try.map_or(connect, |bound| bound.min(connect)),
        Manner::Pods(Conduct::Silent) => match per_try {
            Some(bound) => bound,
            None => return Meanwhile::Lost,
        },
        Manner::Pods(Conduct::Status(_) | Conduct::Resets) => connect,
    };
    let wait = each.saturating_add(retry.back_off.most).saturating_mul(needed);
    if flow.timeout.is_some_and(|timeout| wait >= timeout) {
        return Meanwhile::Lost;
    }
    match manner {
        // No application can have seen it.
        Manner::Closed | Manner::Silent => Meanwhile::Retried(wait),
        Manner::Pods(_) if retry.methods.is_empty() => Meanwhile::Retried(wait),
        Manner::Pods(_) => Meanwhile::Some(retry.methods.clone(), wait),
    }
}

/// What becomes of requests that find a pod gone beside which there are others.
pub(crate) fn at_another(flow: &Flow<'_>, upstream: &Upstream) -> Meanwhile {
    let connect = upstream.pool.connect_timeout;
    let Some(retry) = flow.retry.filter(|_| budget(flow, upstream) != Budget::None) else {
        return Meanwhile::Lost;
    };
    let is_reason = |reason: &RetryReason| match reason {
        RetryReason::ServerError | RetryReason::ConnectFailure => true,
        RetryReason::Statuses(_) | RetryReason::Grpc(_) | RetryReason::Reset => false,
    };
    let wait = connect.saturating_add(retry.back_off.most);
    let in_time = flow.timeout.is_none_or(|timeout| wait < timeout);
    if retry.attempts > 0 && retry.when.iter().any(is_reason) && in_time {
        Meanwhile::Retried(wait)
    } else {
        Meanwhile::Lost
    }
}
