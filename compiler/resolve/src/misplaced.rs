//! Settings that cannot hold where their policy attaches: nothing enforces them, so they must not look as if it did.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Span;
use meshc_vocabulary::model::Service;
use meshc_vocabulary::model::policy::{
    Balance, BalanceBy, Health, HealthCheck, OrDefault, PolicySettings, Pool, Timeout,
};

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
    /// It is about what arrives somewhere, and the policy names a route for what callers send.
    Callers,
    /// It is about clients outside the mesh, and the policy names a route for calls inside.
    Inside,
    /// It is about calls, and the policy names a gateway.
    Gateway,
    /// It is about requests, and the policy names a route or a gateway of connections.
    Connections,
    /// It is about who may call and how often, which is the same for all pods of a service, and the policy names a subset.
    Subset,
    /// It is about requests, and all ports of the service speak TCP.
    NoRequests,
    /// It asks what no port of the service could answer.
    NoPort,
}

/// Notes the settings that a subset cannot have by itself: those that the callee's sidecar enforces. Its pods have the
/// account of the service, and whoever calls the service reaches them as well.
pub(crate) fn at_subset(settings: &PolicySettings, mut refuse: impl FnMut(&'static str, Span)) {
    let PolicySettings {
        // What a caller does towards the pods that it calls.
        balance: _,
        failover: _,
        health: _,
        outlier: _,
        pool: _,
        retry: _,
        timeout: _,
        allow,
        deny,
        audited_allow,
        audited_deny,
        rate_limits,
    } = settings;
    allow.iter().for_each(|it| refuse("allow", it.origin.span));
    deny.iter().for_each(|it| refuse("deny", it.origin.span));
    audited_allow.iter().for_each(|it| refuse("allow", it.origin.span));
    audited_deny.iter().for_each(|it| refuse("deny", it.origin.span));
    rate_limits.iter().for_each(|it| refuse("rate_limit", it.origin.span));
}

/// Notes a health check that suits no port of a service.
pub(crate) fn unsuited(
    settings: &PolicySettings,
    service: &Service,
    mut refuse: impl FnMut(&'static str, Span),
) {
    let Some(Health { origin: _, check, interval: _, timeout: _, unhealthy: _, healthy: _ }) =
        &settings.health
    else {
        return;
    };
    let asks = match check.value {
        HealthCheck::Off => false,
        HealthCheck::Http { path: _ }
        | HealthCheck::Grpc { service: _ }
        | HealthCheck::Tcp { send: _, receive: _ } => true,
    };
    if asks && !service.ports.is_empty() && !service.ports.iter().any(|port| check.value.suits(port.protocol))
    {
        refuse("health.check", check.span);
    }
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
        // Judged for all services, by what is asked.
        health: _,
        outlier,
        allow: _,
        deny: _,
        balance,
        audited_allow: _,
        audited_deny: _,
        pool,
        retry,
        timeout,
        rate_limits,
    } = settings;
    if let Some(Balance { origin: _, by, slow_start: _ }) = balance {
        match by.value {
            // Connections go around as well as requests do.
            BalanceBy::RoundRobin | BalanceBy::LeastRequest | BalanceBy::Random => {}
            BalanceBy::Hash(_) => refuse("balance.by", by.span),
        }
    }
    if let Some(at) = outlier.as_ref().and_then(|outlier| outlier.of_requests) {
        refuse("outlier", at);
    }
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
