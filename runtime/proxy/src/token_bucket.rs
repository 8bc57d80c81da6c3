//! A token bucket that fills steadily: pure state, with the time handed in.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshd_config::Rate;
use std::time::{Duration, Instant};

/// So many tokens, granted again over so long a time.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    /// How many there are when full.
    capacity: f64,
    /// Tokens per second.
    rate: f64,
    /// How many there were at `at`.
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let Rate { requests, per, burst } = rate;
        // Both stay far below 2^52, where a double is still exact.
        #[expect(clippy::cast_precision_loss, reason = "2^52 requests do not occur")]
        let (requests, capacity) = (requests as f64, burst as f64);
        TokenBucket { capacity, rate: requests / per.as_secs_f64(), tokens: capacity, at: now }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// How many tokens there are when full.
    pub(crate) fn capacity(&self) -> f64 {
        self.capacity
    }

    /// How many whole tokens there are, and how long it takes until there is one; of a bucket that stays empty: no time.
    pub(crate) fn left(&self) -> (u64, Duration) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "there are never fewer than none, and no more than fit"
        )]
        let whole = self.tokens as u64;
        if self.rate <= 0.0 {
            // There never is one; Envoy, whose buckets are not empty, does not wait either.
            return (whole, Duration::ZERO);
        }
        let missing = (1.0 - self.tokens).max(0.0) / self.rate;
        (whole, Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX))
    }

    /// Gives one token back.
    pub(crate) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.capacity);
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.capacity);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn bucket(requests: u64, burst: u64, now: Instant) -> TokenBucket {
        TokenBucket::new(Rate { requests, per: MINUTE, burst }, now)
    }

    #[test]
    fn a_burst_may_be_larger_or_smaller_than_the_rate() {
        let start = Instant::now();
        for (burst, at_once) in [(20, 20), (3, 3)] {
            let mut bucket = bucket(10, burst, start);
            assert_eq!((0..50).filter(|_| bucket.take(start)).count(), at_once);
            assert_eq!(bucket.left(), (0, Duration::from_secs(6)), "the rate is the same");
        }
    }

    #[test]
    fn an_empty_bucket_stays_empty() {
        let start = Instant::now();
        let mut bucket = bucket(0, 0, start);
        for now in [start, start + MINUTE, start + 1000 * MINUTE] {
            assert!(!bucket.take(now));
            assert_eq!(bucket.left(), (0, Duration::ZERO));
        }
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let start = Instant::now();
        let mut bucket = bucket(10, 10, start);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 10);
        assert_eq!(bucket.left(), (0, Duration::from_secs(6)));
        assert!(!bucket.take(start + Duration::from_millis(5_900)));
        assert!(bucket.take(start + Duration::from_millis(6_001)));
        assert!(!bucket.take(start + Duration::from_millis(6_002)));
    }

    #[test]
    fn it_never_holds_more_than_a_burst() {
        let start = Instant::now();
        let mut bucket = bucket(3, 3, start);
        let later = start + 100 * MINUTE;
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 3);
    }

    proptest! {
        #[test]
        fn it_admits_at_most_a_burst_plus_the_rate(gaps in proptest::collection::vec(0u64..3_000, 1..200)) {
            let start = Instant::now();
            let mut bucket = bucket(10, 10, start);
            let mut now = start;
            let mut admitted = 0u64;
            for gap in gaps {
                now += Duration::from_millis(gap);
                admitted += u64::from(bucket.take(now));
            }
            let granted = u64::try_from((now - start).as_millis() / 6_000).unwrap();
            prop_assert!(admitted <= 10 + granted + 1);
        }
    }
}
