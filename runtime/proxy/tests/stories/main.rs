//! What the data plane does, told as stories with real sockets and real certificates, one file per area.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a story ends at its first surprise, writes configurations, and watches the clock"
)]

mod authorization;
mod clients;
mod dns;
mod drain;
mod failover;
mod families;
mod floods;
mod grpc;
mod held;
mod http2;
mod limits;
mod mtls;
mod operators;
mod pass_through;
mod pool;
mod reload;
mod resets;
mod retries;
mod routing;
mod shared;
mod support;
mod tcp;
mod tunnels;
mod uploads;
