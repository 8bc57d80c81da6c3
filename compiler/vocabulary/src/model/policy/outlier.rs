//! `outlier`: ejection of endpoints that fail.

use std::time::Duration;

use lang_diagnostics::Origin;

/// Ejection of failing endpoints. All endpoints may be ejected at once (the cap is 100 % and there is no panic).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Where it is declared.
    pub origin: Origin,
    /// How many failures in a row (5xx answers, failed connections, resets) eject an endpoint.
    pub consecutive_5xx: u32,
    /// How often ejected endpoints are looked at.
    pub interval: Duration,
    /// How long an ejection lasts, at least; also its longest, so that the promise of the source holds.
    pub ejection: Duration,
}
