//! `timeout`: how long a request may take.

use std::time::Duration;

use lang_diagnostics::Origin;

/// Timeouts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// Where it is declared.
    pub origin: Origin,
    /// From the request's end to the answer's end; `None`: unbounded. gRPC and TCP are never bounded by the default.
    pub request: Option<Duration>,
    /// Whether `request` was written where this was declared, and so bounds gRPC too.
    pub request_declared: bool,
    /// How long a stream or connection may stay silent; `None`: unbounded. gRPC and TCP are never bounded by the
    /// default.
    pub idle: Option<Duration>,
    /// Whether `idle` was written where this was declared, and so bounds gRPC and TCP too.
    pub idle_declared: bool,
}
