//! Envoy's rate-limit protocol: the client that asks ([`RateLimitClient`]) and the service that counts.
//!
//! The wire's own types stay inside the module `protocol`; everything else speaks in the plain types below.

mod client;
mod limit;
mod protocol;

pub use client::{Decision, Failure, InvalidEndpoint, RateLimitClient};
pub use limit::{Descriptor, Limit, Quota, Unit};
