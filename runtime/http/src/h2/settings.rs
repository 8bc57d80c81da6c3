//! What one connection may hold.

/// Bounds of a connection, for either end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How much of a stream the other end may send before it is read, in bytes.
    pub stream_window: u32,
    /// The same of all streams together.
    pub connection_window: u32,
    /// How much of a body is taken from its source before the other end has room for it, in bytes.
    pub unsent: usize,
    /// The largest head or trailers that are read, as HTTP/2 measures it (RFC 9113, section 6.5.2).
    pub header_list: u32,
}

impl Settings {
    /// How much is taken in one frame, in bytes: what every end has to take (RFC 9113, section 6.5.2).
    pub(super) const FRAME: u32 = 16 * 1024;

    /// How many streams may be reset because the other end broke the rules, until the connection is given up.
    pub(super) const FAULTS: usize = 1024;
}
