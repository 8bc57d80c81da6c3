//! What a proxy may use, the same for both data planes: they protect the proxy itself, and no mesh declares them.
//!
//! All follow from the memory that its container may have, so that no number of clients, and nothing that they do, ends
//! a proxy. How they were measured is in `tests/bench/README.md`.

use std::time::Duration;

/// Memory of a proxy's container in bytes unless its mesh says otherwise, that of the kernel for its sockets included.
pub const PROXY_MEMORY: u64 = 512 << 20;

/// What a client's connection without a request may cost in bytes, on either data plane: with TLS, and with what the
/// kernel needs for it.
pub const CONNECTION_MEMORY: u64 = 32 << 10;

/// How many connections from clients a proxy accepts at most, whatever its memory.
pub const MOST_CONNECTIONS: u32 = 16_384;

/// How many connections from clients a proxy with so many bytes of memory accepts.
#[must_use]
pub fn connections(memory: u64) -> u32 {
    u32::try_from(memory / CONNECTION_MEMORY).unwrap_or(u32::MAX).min(MOST_CONNECTIONS)
}

/// How long a client may take to send its ClientHello: a silent one holds a socket for as long.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the application's own metrics may take: as long as Prometheus waits by default.
pub const METRICS_TIMEOUT: Duration = Duration::from_secs(10);

/// What Envoy may have on its heap in bytes, of so many of its container. The rest is for the kernel and for the program.
#[must_use]
pub const fn heap(memory: u64) -> u64 {
    memory / 2
}

const _: () = assert!(MOST_CONNECTIONS as u64 * CONNECTION_MEMORY <= PROXY_MEMORY, "all connections fit");
