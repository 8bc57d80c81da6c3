//! `pool`: connection pools and circuit breakers.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use meshc_vocabulary::model::policy::Pool;

use crate::PoolPlan;

/// Requests on one connection through a pass-through gateway, where the policy names no number: few enough that new
/// remote pods soon see traffic, enough that handshakes do not matter.
const REQUESTS_THROUGH_GATEWAY: u32 = 100;

/// The pool of a callee.
pub(in crate::lower) fn plan(pool: &Pool) -> PoolPlan {
    let Pool {
        origin: _,
        max_connections,
        max_pending_requests,
        max_concurrent_requests,
        // Said for each group: a gateway has a number of its own.
        requests_per_connection: _,
        connect_timeout,
        retry_budget_percent,
        min_concurrent_retries,
    } = pool;
    PoolPlan {
        max_connections: *max_connections,
        max_pending_requests: max_pending_requests.value,
        max_requests: max_concurrent_requests.value,
        connect_timeout: *connect_timeout,
        retry_budget_percent: retry_budget_percent.value,
        min_concurrent_retries: min_concurrent_retries.value,
    }
}

/// The application's: without bounds, of retries either. A share of what is under way would not do: of thirty requests to
/// an application that takes ten at a time, twenty are refused and no longer under way when they are sent again.
pub(in crate::lower) fn of_application(connect_timeout: Duration) -> PoolPlan {
    PoolPlan { min_concurrent_retries: u32::MAX, ..unbounded(connect_timeout) }
}

/// A pool without bounds, for what the callers' own pools already bound: the application behind its sidecar, and
/// what a gateway passes through for many callers at once. Nothing is retried there.
pub(in crate::lower) fn unbounded(connect_timeout: Duration) -> PoolPlan {
    PoolPlan {
        max_connections: u32::MAX,
        max_pending_requests: u32::MAX,
        max_requests: u32::MAX,
        connect_timeout,
        retry_budget_percent: 0,
        min_concurrent_retries: 0,
    }
}

/// Requests on one connection through a gateway.
pub(in crate::lower) fn requests_through_gateway(pool: &Pool) -> u32 {
    pool.requests_per_connection.value.unwrap_or(REQUESTS_THROUGH_GATEWAY)
}
