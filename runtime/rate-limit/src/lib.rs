//! Envoy's rate-limit protocol: the client that asks ([`RateLimitClient`]) and the service that counts ([`Server`]).
//!
//! The wire's own types stay inside the module `protocol`; everything else speaks in the plain types below.

#![expect(
    clippy::disallowed_methods,
    reason = "the service is at the edge: it reads its files and the clock"
)]

mod client;
mod clock;
mod counters;
mod limit;
mod metrics;
mod protocol;
mod rules;
mod server;
mod service;
mod source;
mod window;

use std::io::Write as _;

pub use client::{Decision, Failure, InvalidEndpoint, RateLimitClient};
pub use clock::{Clock, ClockSinceStart, SystemClock};
pub use counters::InvalidRedisUrl;
pub use limit::{Descriptor, Limit, Quota, Unit};
pub use rules::RulesError;
pub use server::{Addresses, DRAIN, Options, REDIS_PATIENCE, Server, StartError};
pub use source::SourceError;

/// One line for the operator. Whoever no longer listens must not end the service.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "meshd rate-limit: {line}");
}
