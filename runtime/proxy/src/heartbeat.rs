//! Whether workers still run: each says so every second, and whoever answers the liveness probe looks when it last did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a worker says that it runs.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// When each worker last said that it runs.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    start: Instant,
    /// How long a worker may be silent.
    limit: Duration,
    /// In milliseconds since the start.
    last: Vec<AtomicU64>,
}

impl Heartbeats {
    /// Of so many workers, which all run now.
    pub(crate) fn new(workers: usize, limit: Duration) -> Self {
        Heartbeats { start: Instant::now(), limit, last: (0..workers).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Worker `number` runs.
    pub(crate) fn beat(&self, number: usize) {
        if let Some(last) = self.last.get(number) {
            last.store(self.since_start(Instant::now()), Ordering::Relaxed);
        }
    }

    /// The first worker that has been silent for too long, and for how long.
    pub(crate) fn stuck(&self, now: Instant) -> Option<(usize, Duration)> {
        let silent = |last: &AtomicU64| {
            let since = self.since_start(now).saturating_sub(last.load(Ordering::Relaxed));
            Duration::from_millis(since)
        };
        let mut workers = self.last.iter().map(silent).enumerate();
        workers.find(|(_, silent)| *silent >= self.limit)
    }

    fn since_start(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_silent_for_too_long_is_stuck() {
        let beats = Heartbeats::new(2, Duration::from_secs(10));
        let now = beats.start;
        assert_eq!(beats.stuck(now + Duration::from_millis(9_999)), None);
        assert_eq!(beats.stuck(now + Duration::from_secs(10)), Some((0, Duration::from_secs(10))));
        beats.last[0].store(5_000, Ordering::Relaxed);
        assert_eq!(beats.stuck(now + Duration::from_secs(12)), Some((1, Duration::from_secs(12))));
    }
}
