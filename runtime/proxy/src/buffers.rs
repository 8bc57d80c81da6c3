//! What one connection may make the proxy keep, over HTTP/1.1 and HTTP/2.
//!
//! What all of them together may is in `memory`. The bounds of HTTP/2 are such that streams whose receivers do not read
//! cannot stop the others of their connection: the connection's window is as large as all its streams' together. Nothing
//! is kept until somebody sends it.

use crate::bounds::Bounds;
use meshd_http::h2::Settings;

/// How many requests a stranger may have under way on one HTTP/2 connection, and how much of each, and of all together,
/// it may send before it is read. Source: Envoy's advice for edges.
const STREAMS_OF_STRANGERS: u32 = 100;
const STREAM_WINDOW_OF_STRANGERS: u32 = 64 * 1024;
const CONNECTION_WINDOW_OF_STRANGERS: u32 = 1024 * 1024;

/// The same between proxies, and towards applications. Source of the streams: Envoy's default (1.40, seen in its
/// SETTINGS); a client that wants more opens another connection. A stream's window bounds what it carries in a round trip; 256 KiB are 5 MB/s at 50 ms. The
/// library also counts small frames that are unread against half of the connection's window, and closes connections on
/// which there are too many. The sum is that of all its streams.
const STREAMS: u32 = 1024;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;

/// How much of an answer over HTTP/1.1 is read before its client has room for it: twice what its head may have, so that
/// a head that is too large is measured and named.
pub(crate) const HTTP1_BUFFER: usize = 128 * 1024;

/// How much of a stream is taken from its sender before its receiver has room for it.
const UNSENT: usize = 64 * 1024;

/// What a client's HTTP/2 connection may hold, and how many requests may be under way on it.
pub(crate) fn of_client(is_stranger: bool, bounds: Bounds) -> (Settings, u32) {
    let (streams, stream_window, connection_window) = if is_stranger {
        (STREAMS_OF_STRANGERS, STREAM_WINDOW_OF_STRANGERS, CONNECTION_WINDOW_OF_STRANGERS)
    } else {
        (STREAMS, STREAM_WINDOW, CONNECTION_WINDOW)
    };
    (
        Settings { stream_window, connection_window, unsent: UNSENT, header_list: bounds.header_list() },
        streams,
    )
}

/// What an HTTP/2 connection to an upstream may hold. Who answers is known when it has answered; whatever could be admitted is
/// read, and measured then.
pub(crate) fn of_upstream() -> Settings {
    Settings {
        stream_window: STREAM_WINDOW,
        connection_window: CONNECTION_WINDOW,
        unsent: UNSENT,
        header_list: Bounds::BETWEEN_PROXIES.header_list(),
    }
}
