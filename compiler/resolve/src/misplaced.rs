//! Settings that cannot hold where their policy attaches: nothing enforces them, so they must not look as if it did.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Span;
use meshc_vocabulary::model::Service;
use meshc_vocabulary::model::policy::{OrDefault, PolicySettings, Pool, Timeout};

/// A setting that cannot hold at one of the things that its policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// What is set, as the language spells it: `pool`, `timeout.request`.
    pub setting: &'static str,
    /// Where.
    pub at: Span,
    /// Where the policy names the thing.
    pub target: Span,
    /// Why it cannot hold there.
    pub obstacle: Obstacle,
}

/// Why a setting cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is about a callee, and the policy names a route.
    Route,
    /// It is about requests, and all ports of the service speak TCP.
    NoRequests,
}

/// Notes the settings that mean nothing at a service without requests: those that were declared, whatever their values.
pub(crate) fn at_service(
    settings: &PolicySettings,
    service: &Service,
    mut refuse: impl FnMut(&'static str, Span),
) {
    if service.ports.is_empty() || service.ports.iter().any(|port| port.protocol.is_http()) {
        return;
    }
    let PolicySettings {
        // Connections have localities, are ejected, and have callers. What a rule says of requests is judged at the port.
        failover: _,
        outlier: _,
        allow: _,
        deny: _,
        pool,
        retry,
        timeout,
        rate_limits,
    } = settings;
    retry.iter().for_each(|it| refuse("retry", it.origin.span));
    rate_limits.iter().for_each(|it| refuse("rate_limit", it.origin.span));
    if let Some(Timeout { origin, request, idle: _ }) = timeout
        && request.declared.is_some()
    {
        refuse("timeout.request", origin.span);
    }
    if let Some(pool) = pool {
        let Pool {
            origin: _,
            max_connections: _,
            connect_timeout: _,
            max_pending_requests,
            max_concurrent_requests,
            requests_per_connection,
            retry_budget_percent,
            min_concurrent_retries,
        } = pool;
        let mut declared = |name, span: Option<Span>| span.into_iter().for_each(|span| refuse(name, span));
        declared("pool.max_pending_requests", written(max_pending_requests));
        declared("pool.max_concurrent_requests", written(max_concurrent_requests));
        declared("pool.requests_per_connection", written(requests_per_connection));
        declared("pool.retry_budget", written(retry_budget_percent));
        declared("pool.min_concurrent_retries", written(min_concurrent_retries));
    }
}

/// Where a value was written.
const fn written<T>(value: &OrDefault<T>) -> Option<Span> {
    value.declared
}
