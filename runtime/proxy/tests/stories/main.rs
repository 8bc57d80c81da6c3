//! What the data plane does, told as stories with real sockets and real certificates, one file per area.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story ends at its first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "stories write configurations and watch the clock")]

mod authorization;
mod drain;
mod failover;
mod http2;
mod limits;
mod mtls;
mod pass_through;
mod reload;
mod retries;
mod routing;
mod support;
mod tcp;
