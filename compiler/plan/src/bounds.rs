//! What a proxy may use, the same for both data planes: they protect the proxy itself, and no mesh declares them.
//!
//! All follow from the memory that its container may have, so that no number of clients, and nothing that they do, ends
//! a proxy. How they were measured is in `tests/bench/README.md`.

use std::time::Duration;

use meshc_vocabulary::model::DataPlane;

/// Memory of a proxy's container in bytes unless its mesh says otherwise, that of the kernel for its sockets included.
/// Envoy needs more than twice as much as meshd for the same clients, and cannot end the answers over HTTP/1.1 that nobody reads.
#[must_use]
pub const fn memory(data_plane: DataPlane) -> u64 {
    match data_plane {
        DataPlane::Envoy => 1280 << 20,
        DataPlane::Meshd => 512 << 20,
    }
}

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

/// What Envoy may have on its heap in bytes, of so many that it may use with what the kernel holds for it.
#[must_use]
pub const fn heap(memory: u64) -> u64 {
    memory / 4 * 3
}

/// The same where nobody tells Envoy what the kernel holds.
#[must_use]
pub const fn heap_alone(memory: u64) -> u64 {
    memory / 2
}

const _: () = assert!(
    MOST_CONNECTIONS as u64 * CONNECTION_MEMORY <= memory(DataPlane::Meshd),
    "all connections fit where memory is smallest"
);
