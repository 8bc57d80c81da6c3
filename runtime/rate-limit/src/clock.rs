//! Where the time comes from.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time for windows.
pub trait Clock: Debug + Send + Sync {
    /// The time since 1970. It may be set back or forth, as computers' clocks are; windows follow it.
    fn now(&self) -> Duration;
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A clock for tests that count exactly: it says 1970 when it is made, so that a window of every unit begins there,
/// and no window ends in the middle of a test that is shorter than the unit.
#[derive(Clone, Copy, Debug)]
pub struct ClockSinceStart {
    start: Instant,
}

impl ClockSinceStart {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for ClockSinceStart {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ClockSinceStart {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
