//! `pool`: connection pools and circuit breakers, per caller and callee.

use std::time::Duration;

use lang_diagnostics::Origin;

use super::OrDefault;

/// Connection pools and circuit breakers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where it is declared.
    pub origin: Origin,
    /// Open connections to one callee.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: OrDefault<u32>,
    /// Requests under way.
    pub max_concurrent_requests: OrDefault<u32>,
    /// Requests on one connection before it is replaced; `None`: no bound of the policy's own (pass-through gateways
    /// still get one, so that new remote pods see traffic).
    pub requests_per_connection: OrDefault<Option<u32>>,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// Share of active requests that may be retries, in percent.
    pub retry_budget_percent: OrDefault<u32>,
    /// Retries under way that are always allowed.
    pub min_concurrent_retries: OrDefault<u32>,
}
