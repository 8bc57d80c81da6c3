//! `outlier`: ejection of endpoints that fail.

use std::time::Duration;

use lang_diagnostics::Origin;

/// Ejection of failing endpoints. All endpoints may be ejected at once; when those of every locality are, all are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Where it is declared.
    pub origin: Origin,
    /// Whether endpoints are ejected at all.
    pub enabled: bool,
    /// How many failures in a row eject an endpoint, and which answers are failures.
    pub in_a_row: FailuresInARow,
    /// How often endpoints are judged by their share of failures, and ejected ones considered for return.
    pub interval: Duration,
    /// How long an ejection lasts, at least; also its longest, so that the promise of the source holds.
    pub ejection: Duration,
}

/// How many failures in a row eject an endpoint. Failed connections always count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailuresInARow {
    /// Of answers, 502, 503 and 504 count.
    GatewayErrors(u32),
    /// Every answer from 500 to 599 counts, an application's own 500 included.
    ServerErrors(u32),
}

impl FailuresInARow {
    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        match self {
            Self::GatewayErrors(count) | Self::ServerErrors(count) => count,
        }
    }
}
