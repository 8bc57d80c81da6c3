//! `timeout`: how long a request may take.

use std::time::Duration;

use lang_diagnostics::Origin;

use super::OrDefault;

/// Timeouts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// Where it is declared.
    pub origin: Origin,
    /// From the request's end to the answer's end; `None`: unbounded. gRPC and TCP are bounded only by what is declared.
    pub request: OrDefault<Option<Duration>>,
    /// How long a stream or connection may stay silent; `None`: unbounded. gRPC and TCP are bounded only by what is
    /// declared.
    pub idle: OrDefault<Option<Duration>>,
}

/// A bound on time as it was stated: `None` is the word `none`, no bound at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(pub Option<Duration>);
