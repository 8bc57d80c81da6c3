//! Random numbers for identifiers and draws: nobody can foresee them, and most cost no call of the generator.

use std::cell::RefCell;

/// How many random bytes a thread has ready.
const READY: usize = 1024;

struct Ready {
    bytes: [u8; READY],
    /// How many of them are used.
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Ready> = const { RefCell::new(Ready { bytes: [0; READY], used: READY }) };
}

/// Random bytes, which nobody else gets; `None` while the system has none.
pub(crate) fn bytes<const N: usize>() -> Option<[u8; N]> {
    RANDOM.with_borrow_mut(|ready| {
        if ready.used + N > READY {
            aws_lc_rs::rand::fill(&mut ready.bytes).ok()?;
            ready.used = 0;
        }
        let taken = ready.bytes.get_mut(ready.used..ready.used + N)?;
        ready.used += N;
        let bytes = <[u8; N]>::try_from(&*taken).ok();
        taken.fill(0);
        bytes
    })
}

/// A random number.
pub(crate) fn number() -> u64 {
    bytes().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_do_not_come_again() {
        let numbers: BTreeSet<u64> = (0..10_000).map(|_| number()).collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(!numbers.contains(&0));
    }
}
