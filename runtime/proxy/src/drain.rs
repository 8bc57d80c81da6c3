//! Leaving without breaking anything: first unready, then no new connections, then gone.

/// How far a proxy is on its way out. It only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Names are being resolved; nothing listens for traffic yet.
    Starting,
    /// Everything is served.
    Serving,
    /// Unready, so nobody new should come; whoever does is served and asked to leave afterwards.
    Draining,
    /// No new connections; requests in flight finish.
    Closing,
}

impl Phase {
    /// Whether the readiness probe says yes.
    pub(crate) fn is_ready(self) -> bool {
        match self {
            Phase::Serving => true,
            Phase::Starting | Phase::Draining | Phase::Closing => false,
        }
    }

    /// Whether clients are asked to leave after their next answer.
    pub(crate) fn is_leaving(self) -> bool {
        match self {
            Phase::Starting | Phase::Serving => false,
            Phase::Draining | Phase::Closing => true,
        }
    }
}
