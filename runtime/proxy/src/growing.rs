//! Connections to upstreams that were opened just now, and do not show in full yet in what memory is used.
//!
//! An answer that its client does not read takes a moment until it fills all the buffers on its way. Whoever only looks
//! at what is used admits as many connections again in the meantime, and all of them grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many looks at memory (see `control`) it takes at most until a connection shows in full.
const LOOKS: u64 = 10;

/// What those that were opened since each of the last looks, and are growing, may grow by, in bytes.
static OPENED: [AtomicU64; LOOKS as usize] = [const { AtomicU64::new(0) }; LOOKS as usize];

/// How many looks there were.
static LOOK: AtomicU64 = AtomicU64::new(0);

/// What is read of a connection until it shows in full, in bytes: by then a reader has all its buffers, and it is known
/// whether more waits in the kernel.
const SHOWS: u64 = 64 << 10;

/// One of them, until it has shown or is dropped.
#[derive(Debug)]
pub(crate) struct Growing {
    bytes: u64,
    opened: u64,
    read: u64,
}

impl Growing {
    /// One more, which may grow by so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let opened = LOOK.load(Ordering::Relaxed);
        slot(opened).fetch_add(bytes, Ordering::Relaxed);
        Growing { bytes, opened, read: 0 }
    }

    /// So many more bytes were read; whether it shows in full now.
    pub(crate) fn shows(&mut self, bytes: usize) -> bool {
        self.read = self.read.saturating_add(bytes as u64);
        self.read >= SHOWS
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // After so many looks its slot is another one's, and it has shown anyway.
        if LOOK.load(Ordering::Relaxed) - self.opened < LOOKS {
            let less = |bytes: u64| Some(bytes.saturating_sub(self.bytes));
            let _ = slot(self.opened).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

/// What all of them may grow by, in bytes.
pub(crate) fn bytes() -> u64 {
    OPENED.iter().map(|opened| opened.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
}

/// One more look: those that were opened longest ago show.
pub(crate) fn turn() {
    let next = LOOK.load(Ordering::Relaxed) + 1;
    slot(next).store(0, Ordering::Relaxed);
    LOOK.store(next, Ordering::Relaxed);
}

fn slot(look: u64) -> &'static AtomicU64 {
    let [first, ..] = &OPENED;
    usize::try_from(look % LOOKS).ok().and_then(|slot| OPENED.get(slot)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since these numbers belong to the whole process.
    #[test]
    fn a_connection_is_growing_until_it_has_shown() {
        let before = bytes();
        let mut many: Vec<_> = (0..10).map(|_| Growing::new(7)).collect();
        assert_eq!(bytes() - before, 70);
        let mut read = many.pop().unwrap();
        assert!(!read.shows(65_535) && read.shows(1));
        drop(read);
        assert_eq!(bytes() - before, 63);
        turn();
        many.truncate(5);
        many.push(Growing::new(100));
        assert_eq!(bytes() - before, 135, "it does not matter when it ends");
        for _ in 2..LOOKS {
            turn();
        }
        assert_eq!(bytes() - before, 135);
        turn();
        assert_eq!(bytes(), 100, "by now the first ones show");
        many.truncate(3);
        assert_eq!(bytes(), 0, "the last one has ended, and nobody is counted twice");
        turn();
        assert_eq!(bytes(), 0);
    }
}
