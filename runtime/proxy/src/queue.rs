//! Who waits until there is room for one more connection to an upstream.
//!
//! How much room there is belongs to the process. The requests of a worker wait in the order in which they came, and it is
//! the worker itself that lets them in: a task that another thread wakes is looked at after those that its own thread
//! woke (by tokio's `LocalSet` once in 31 times while there are any), which on a busy worker takes seconds.

use crate::memory;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Room is given in pages of so many bytes.
const PAGE: u64 = 4 << 10;

/// By how many pages connections to upstreams that are added may grow until it is looked again.
static ROOM: AtomicU64 = AtomicU64::new(memory::ANY / PAGE);

/// For how many pages somebody waits, of all workers.
static WAITING: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Who waits of this worker.
    static QUEUE: RefCell<Queue> = RefCell::default();
}

/// How long somebody waits for room before it is refused: a client, or a request for a connection to an upstream. Whoever
/// fills memory has been told to leave by then.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Returns once there is room for one more connection to an upstream, which may grow by so many bytes; false if there is
/// none for too long.
pub(crate) async fn room_for_upstream(bytes: u64) -> bool {
    let pages = bytes.div_ceil(PAGE);
    match QUEUE.with_borrow_mut(|queue| queue.enter(pages, &ROOM, &WAITING)) {
        Ok(()) => true,
        Err(waiting) => waiting.until_let_in().await,
    }
}

/// Whether a connection that is there may grow by so many bytes more. It does not wait for it.
pub(crate) fn may_grow(bytes: u64) -> bool {
    WAITING.load(Ordering::Relaxed) == 0 && take(bytes.div_ceil(PAGE), &ROOM)
}

/// How many bytes those may grow by who wait.
pub(crate) fn waiting() -> u64 {
    WAITING.load(Ordering::Relaxed).saturating_mul(PAGE)
}

/// From now on there is room for so many bytes.
pub(crate) fn make_room(bytes: u64) {
    ROOM.store(bytes / PAGE, Ordering::Relaxed);
}

/// Lets in who waits of this worker, as far as there is room and others do not wait as well.
pub(crate) fn let_in() {
    QUEUE.with_borrow_mut(|queue| queue.let_in(&ROOM, &WAITING));
}

/// Takes so much room, if there is as much.
fn take(pages: u64, room: &AtomicU64) -> bool {
    room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(pages)).is_ok()
}

/// Who waits, longest first.
#[derive(Debug, Default)]
struct Queue(VecDeque<Waiter>);

/// One of them.
#[derive(Debug)]
struct Waiter {
    pages: u64,
    let_in: oneshot::Sender<()>,
}

/// The other end of it, which counts among those who wait until it is let in or dropped.
#[derive(Debug)]
struct Waiting<'w> {
    pages: u64,
    let_in: oneshot::Receiver<()>,
    all: &'w AtomicU64,
}

impl Waiting<'_> {
    /// Whether there was room in time.
    async fn until_let_in(mut self) -> bool {
        matches!(tokio::time::timeout(LIMIT, &mut self.let_in).await, Ok(Ok(())))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Whoever lets it in counts it no more.
        self.let_in.close();
        if !self.let_in.is_terminated() && self.let_in.try_recv().is_err() {
            self.all.fetch_sub(self.pages, Ordering::Relaxed);
        }
    }
}

impl Queue {
    /// Takes room, or a place at the end.
    fn enter<'w>(&mut self, pages: u64, room: &AtomicU64, all: &'w AtomicU64) -> Result<(), Waiting<'w>> {
        self.0.retain(|waiter| !waiter.let_in.is_closed());
        if self.0.is_empty() && take(pages, room) {
            return Ok(());
        }
        let (sender, receiver) = oneshot::channel();
        self.0.push_back(Waiter { pages, let_in: sender });
        all.fetch_add(pages, Ordering::Relaxed);
        Err(Waiting { pages, let_in: receiver, all })
    }

    /// Lets in as many as there is room for, where this worker's part in it is its part in those who wait: but the first
    /// one as soon as there is room for it at all.
    fn let_in(&mut self, room: &AtomicU64, all: &AtomicU64) {
        self.0.retain(|waiter| !waiter.let_in.is_closed());
        let own: u64 = self.0.iter().map(|waiter| waiter.pages).sum();
        let all_pages = all.load(Ordering::Relaxed).max(own).max(1);
        let part = u128::from(room.load(Ordering::Relaxed)) * u128::from(own) / u128::from(all_pages);
        let mut left = u64::try_from(part).unwrap_or(u64::MAX);
        let mut is_first = true;
        while let Some(waiter) = self.0.pop_front() {
            let fits = is_first || waiter.pages <= left;
            if !fits || !take(waiter.pages, room) {
                self.0.push_front(waiter);
                return;
            }
            is_first = false;
            left = left.saturating_sub(waiter.pages);
            if waiter.let_in.send(()).is_ok() {
                all.fetch_sub(waiter.pages, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of these who wait has been told.
    fn told(waiting: &mut [Waiting<'_>]) -> Vec<bool> {
        waiting.iter_mut().map(|one| one.let_in.try_recv().is_ok()).collect()
    }

    #[test]
    fn whoever_waits_is_let_in_in_turn() {
        let (room, all) = (AtomicU64::new(10), AtomicU64::new(0));
        let mut queue = Queue::default();
        assert!(queue.enter(6, &room, &all).is_ok());
        let mut waiting: Vec<_> = [8, 1, 1].map(|pages| queue.enter(pages, &room, &all).unwrap_err()).into();
        assert_eq!(
            all.load(Ordering::Relaxed),
            10,
            "there would be room for the small ones, but not before the first"
        );
        queue.let_in(&room, &all);
        assert_eq!(told(&mut waiting), [false; 3]);
        room.store(9, Ordering::Relaxed);
        queue.let_in(&room, &all);
        assert_eq!(told(&mut waiting), [true, true, false]);
        assert_eq!((room.load(Ordering::Relaxed), all.load(Ordering::Relaxed)), (0, 1));
        drop(waiting);
        assert_eq!(all.load(Ordering::Relaxed), 0, "whoever goes waits no more, let in or not");
        room.store(1, Ordering::Relaxed);
        assert!(queue.enter(1, &room, &all).is_ok(), "and keeps nobody waiting");
    }

    #[test]
    fn workers_share_room_as_they_wait() {
        let (room, all) = (AtomicU64::new(0), AtomicU64::new(0));
        let [mut one, mut other] = [Queue::default(), Queue::default()];
        let mut many: Vec<_> = (0..6).map(|_| one.enter(10, &room, &all).unwrap_err()).collect();
        let mut few: Vec<_> = (0..2).map(|_| other.enter(10, &room, &all).unwrap_err()).collect();
        room.store(40, Ordering::Relaxed);
        one.let_in(&room, &all);
        assert_eq!(told(&mut many), [true, true, true, false, false, false]);
        other.let_in(&room, &all);
        assert_eq!(told(&mut few), [true, false]);
        room.store(10, Ordering::Relaxed);
        other.let_in(&room, &all);
        assert_eq!(told(&mut few), [false, true], "the first one needs no part, since there is room for it");
    }

    #[tokio::test]
    async fn whoever_was_let_in_is_told_once() {
        let (room, all) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut queue = Queue::default();
        let [first, second] = [(); 2].map(|()| queue.enter(1, &room, &all).unwrap_err());
        room.store(1, Ordering::Relaxed);
        queue.let_in(&room, &all);
        assert!(first.until_let_in().await);
        assert_eq!(all.load(Ordering::Relaxed), 1);
        drop(queue);
        assert!(!second.until_let_in().await);
    }
}
