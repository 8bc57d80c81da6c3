//! The service as proxies meet it: over gRPC, with the crate's own client, in memory and on a real Redis.

#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they write configuration files")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers fail by panicking")]

mod counting;
mod draining;
mod pages;
mod redis;
mod reloading;
mod support;
