//! Bounds that no mesh declares: they protect the proxy itself.
//!
//! They are the same for every proxy, and those that a client can observe are the same on both data planes.

use std::time::Duration;

use crate::pb::base::Http2ProtocolOptions;
use crate::pb::number;

/// How large the head of a message may be, or its trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Number of headers; over HTTP/2, those that begin with a colon count.
    pub(crate) headers: u32,
    /// Bytes, in KiB; over HTTP/1.1 all of the head as it is sent, over HTTP/2 its names and values.
    pub(crate) kib: u32,
}

/// For what clients, strangers and applications send. Envoy's own defaults.
pub(crate) const FROM_OUTSIDE: Bounds = Bounds { headers: 100, kib: 60 };
/// For what another proxy of the mesh sends: it has admitted the message and added a few headers of its own.
pub(crate) const BETWEEN_PROXIES: Bounds = Bounds { headers: 128, kib: 64 };
/// A connection without requests is closed after this long. Envoy's own default.
pub(crate) const IDLE_CONNECTION: Duration = Duration::from_hours(1);
/// How long a stranger's stream may be silent before a route is known.
pub(crate) const EDGE_STREAM_IDLE: Duration = Duration::from_mins(5);
/// How long whoever is not the application may take to send the headers of a request.
pub(crate) const REQUEST_HEADERS: Duration = Duration::from_secs(10);
/// How much an edge connection buffers, from Envoy's advice for proxies at the edge.
pub(crate) const EDGE_BUFFER: u32 = 32 * 1024;
/// How much any other connection buffers. Envoy's default of 1 MiB is too much where thousands of clients do not read.
pub(crate) const BUFFER: u32 = 64 * 1024;
/// The kernel's buffer for what an application sends, in bytes; it takes twice as much with its own account. meshd has the
/// same (`runtime/proxy/src/connect.rs`).
pub(crate) const LOOPBACK_BUFFER: u32 = 64 * 1024;

/// How long a thread may be stuck.
pub(crate) const STUCK: Duration = Duration::from_mins(1);
/// How many streams a peer's connection has carried before it matters how many were reset: more than any ever does.
pub(crate) const STREAMS_BEFORE_RESETS_COUNT: i32 = i32::MAX;

/// HTTP/2 with peers and applications, with meshd's numbers (`runtime/proxy/src/buffers.rs`). A stream's window bounds what
/// a client that does not read makes two proxies keep; the connection's is the sum of them all, so that such a client
/// cannot stop the others that share it. Envoy's default is 16 MiB and 24 MiB.
pub(crate) fn inner_http2() -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        initial_stream_window_size: number(256 * 1024),
        initial_connection_window_size: number(256 * 1024 * 1024),
        ..Default::default()
    }
}

/// HTTP/2 towards strangers, with the numbers of Envoy's advice for proxies at the edge.
pub(crate) fn edge_http2() -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        max_concurrent_streams: number(100),
        initial_stream_window_size: number(64 * 1024),
        initial_connection_window_size: number(1024 * 1024),
        ..Default::default()
    }
}
