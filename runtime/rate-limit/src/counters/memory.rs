//! Counters in this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{CountersDown, Increment};

/// Values of descriptors may come from clients, so the number of counters of a window is bounded: about 200 MB.
const MAX_COUNTERS: usize = 1_000_000;

/// Counters by the end of their window, so that a window is forgotten as a whole once it is over.
#[derive(Debug)]
pub(crate) struct MemoryCounters {
    windows: Mutex<BTreeMap<u64, HashMap<String, u64>>>,
    capacity: usize,
}

impl MemoryCounters {
    pub(crate) fn new() -> Self {
        Self { windows: Mutex::default(), capacity: MAX_COUNTERS }
    }

    /// Adds all increments and returns the values after each.
    pub(crate) fn add(&self, increments: &[Increment], now: Duration) -> Result<Vec<u64>, CountersDown> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        // `split_off` keeps the windows that end after this moment.
        *windows = windows.split_off(&now.as_secs().saturating_add(1));
        increments
            .iter()
            .map(|increment| {
                let counters = windows.entry(increment.window.end).or_default();
                if counters.len() >= self.capacity && !counters.contains_key(&increment.key) {
                    return Err(CountersDown("there are too many counters in one window".to_owned()));
                }
                let counter = counters.entry(increment.key.clone()).or_default();
                *counter = counter.saturating_add(u64::from(increment.hits));
                Ok(*counter)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;

    fn hit(key: &str, end: u64) -> Increment {
        Increment { key: key.to_owned(), hits: 1, window: Window { start: end - 60, end } }
    }

    #[test]
    fn windows_are_forgotten_when_they_end() {
        let counters = MemoryCounters::new();
        let at = Duration::from_secs;
        assert_eq!(counters.add(&[hit("a", 60), hit("a", 60), hit("b", 3600)], at(59)), Ok(vec![1, 2, 1]));
        assert_eq!(counters.windows.lock().unwrap().len(), 2);
        assert_eq!(counters.add(&[hit("b", 3600)], at(60)), Ok(vec![2]));
        assert_eq!(counters.windows.lock().unwrap().len(), 1);
    }

    #[test]
    fn counters_are_bounded() {
        let counters = MemoryCounters { windows: Mutex::default(), capacity: 2 };
        let now = Duration::ZERO;
        assert!(counters.add(&[hit("a", 60), hit("b", 60)], now).is_ok());
        assert!(counters.add(&[hit("c", 60)], now).is_err());
        assert_eq!(counters.add(&[hit("a", 60)], now), Ok(vec![2]), "counters that are there go on");
    }
}
