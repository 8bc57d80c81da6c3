//! How many streams of one shared connection may be reset: pure state, with the time handed in.
//!
//! A server closes a connection on which too many streams are reset (since CVE-2023-44487 all of them do), and with it
//! everybody's requests. Clients who break off would so end the requests of others, so their resets are passed on only
//! as far as every server bears that we know: h2 takes 20 that it has not looked at yet, Envoy 250 among the first 500
//! streams and half of them later, Netty 200 in 30 seconds, Jetty 128 in a second.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many resets may follow each other without a pause.
const BURST: u32 = 8;

/// How long it takes until one more may follow: 120 in 30 seconds.
const PER_RESET: Duration = Duration::from_millis(250);

/// How many resets a connection may see beyond a quarter of its other streams.
const ALLOWANCE: u64 = 100;

/// How long after a reset the end of a connection is put down to resets.
const BLAMED_FOR: Duration = Duration::from_secs(10);

/// The resets of one connection.
#[derive(Debug)]
pub(super) struct Budget {
    /// How many may be sent without a pause, as of `since`.
    left: u32,
    /// Since when the next one is being earned.
    since: Instant,
    sent: u64,
    finished: u64,
}

impl Budget {
    /// Of a new connection.
    pub(super) fn new(now: Instant) -> Self {
        Budget { left: BURST, since: now, sent: 0, finished: 0 }
    }

    /// A stream has ended well.
    pub(super) fn finished(&mut self) {
        self.finished = self.finished.saturating_add(1);
    }

    /// Whether one more reset may be sent now; if so, it counts as sent.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.earn(now);
        if self.left == 0 || self.is_spent() {
            return false;
        }
        self.left -= 1;
        self.sent = self.sent.saturating_add(1);
        true
    }

    /// Whether no pause helps any more, only streams that end well.
    pub(super) fn is_spent(&self) -> bool {
        self.sent >= ALLOWANCE.saturating_add(self.finished / 4)
    }

    /// When the next reset may be sent, unless that is never.
    pub(super) fn next(&self) -> Option<Instant> {
        match (self.is_spent(), self.left) {
            (true, _) => None,
            (false, 0) => Some(self.since + PER_RESET),
            (false, _) => Some(self.since),
        }
    }

    fn earn(&mut self, now: Instant) {
        while self.left < BURST && self.since + PER_RESET <= now {
            self.left += 1;
            self.since += PER_RESET;
        }
        if self.left == BURST {
            self.since = now;
        }
    }
}

/// When a connection last saw a reset. It outlives the connection, since those who were on it ask afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct LastReset(Rc<Cell<Option<Instant>>>);

impl LastReset {
    /// A stream is being reset.
    pub(super) fn is(&self, now: Instant) {
        self.0.set(Some(now));
    }

    /// Whether the end of the connection may be the answer to resets.
    pub(super) fn is_blamed(&self, now: Instant) -> bool {
        self.0.get().is_some_and(|last| now.saturating_duration_since(last) < BLAMED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `tries`, this far apart, may be sent.
    fn sent(budget: &mut Budget, from: Instant, tries: u32, apart: Duration) -> u32 {
        (0..tries).map(|n| u32::from(budget.take(from + apart * n))).sum()
    }

    #[test]
    fn a_burst_and_then_four_per_second() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        assert_eq!(sent(&mut budget, now, 100, Duration::ZERO), 8);
        assert_eq!(budget.next(), Some(now + Duration::from_millis(250)));
        assert_eq!(sent(&mut budget, now + Duration::from_secs(1), 100, Duration::ZERO), 4);
        assert_eq!(sent(&mut budget, now + Duration::from_secs(60), 100, Duration::ZERO), 8);
    }

    #[test]
    fn what_servers_bear_is_never_passed() {
        let now = Instant::now();
        for good in [0, 1, 10] {
            let mut budget = Budget::new(now);
            let mut resets = 0u64;
            for step in 0..10_000u32 {
                let at = now + Duration::from_millis(100) * step;
                resets += u64::from(budget.take(at));
                (0..good).for_each(|_| budget.finished());
                let streams = resets + u64::from(step + 1) * good;
                // Envoy's rule: 250 among the first 500, later half of all.
                assert!(resets * 2 < streams.max(500), "{resets} of {streams}");
            }
        }
    }

    #[test]
    fn an_end_is_put_down_to_resets_for_ten_seconds() {
        let now = Instant::now();
        let last = LastReset::default();
        assert!(!last.is_blamed(now));
        last.is(now);
        assert!(last.is_blamed(now + Duration::from_secs(9)));
        assert!(!last.is_blamed(now + Duration::from_secs(10)));
    }
}
