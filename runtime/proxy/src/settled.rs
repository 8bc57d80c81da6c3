//! Whether an endpoint is ejected, for as long as its record need not be looked at: one number, and no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The age of the endpoint in nanoseconds until which it is known, times two; one more if the endpoint is ejected. Whoever changes
/// the record writes it while the record is locked.
#[derive(Debug, Default)]
pub(crate) struct Settled(AtomicU64);

impl Settled {
    /// The endpoint is ejected or not until it has this age.
    pub(crate) fn set(&self, is_ejected: bool, until: Duration) {
        // 63 bits are three hundred years.
        let until = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX >> 1);
        self.0.store(until << 1 | u64::from(is_ejected), Ordering::Relaxed);
    }

    /// Whether it is ejected, if that is known at this age.
    pub(crate) fn get(&self, age: Duration) -> Option<bool> {
        let now = self.0.load(Ordering::Relaxed);
        (age.as_nanos() < u128::from(now >> 1)).then_some(now & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_until_the_interval_ends_and_not_before_it_was_asked() {
        let settled = Settled::default();
        let at = |nanos| settled.get(Duration::from_nanos(nanos));
        assert_eq!(at(0), None);
        for is_ejected in [true, false] {
            settled.set(is_ejected, Duration::from_nanos(7));
            assert_eq!([0, 6, 7, 8].map(at), [Some(is_ejected), Some(is_ejected), None, None]);
        }
        settled.set(true, Duration::MAX);
        assert_eq!(at(1 << 62), Some(true));
    }
}
