//! `outlier`: ejection of endpoints that fail.

use std::time::Duration;

use lang_diagnostics::{Origin, Span};

use super::OrDefault;

/// Ejection of failing endpoints. When those of every locality are ejected, all are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Where it is declared.
    pub origin: Origin,
    /// Whether endpoints are ejected at all.
    pub enabled: bool,
    /// Which answers are failures.
    pub failures: Failures,
    /// How many failures in a row eject an endpoint; for connections also where requests are judged otherwise.
    pub consecutive: u32,
    /// How pods that answer requests are judged.
    pub judged: Judged,
    /// Where one of the settings is declared that are about requests only.
    pub of_requests: Option<Span>,
    /// How many of a hundred endpoints of a locality may be ejected at once.
    pub max_ejected: OrDefault<u32>,
    /// How often endpoints are judged by their share of failures, and ejected ones considered for return.
    pub interval: Duration,
    /// How long an ejection lasts, at least; also its longest, so that the promise of the source holds.
    pub ejection: Duration,
}

/// Which answers are failures. Failed connections always count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failures {
    /// 502, 503 and 504.
    GatewayErrors,
    /// Every answer from 500 to 599, an application's own 500 included.
    ServerErrors,
    /// Those in one of these ranges, both ends included.
    Statuses(Vec<(u16, u16)>),
}

/// How pods that answer requests are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// By failures in a row, and by requests without an answer.
    InARow,
    /// By the share of failures in an interval.
    ByShare {
        /// At least so many of a hundred.
        percent: u32,
        /// Out of at least so many.
        requests: u32,
    },
    /// By comparison with each other.
    Compared {
        /// So many thousandths of a standard deviation below the mean rate of successes.
        deviation: u32,
        /// Those that were asked at least so often in the interval.
        requests: u32,
        /// If they are at least so many.
        endpoints: u32,
    },
}
