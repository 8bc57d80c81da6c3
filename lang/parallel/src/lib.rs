//! Independent work on all cores, with results in order: whatever is computed is the same as on one core.
//!
//! Invariants: the work itself shares nothing that it changes; few items are worked on without any thread; threads end before a
//! call returns.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// How many times a thread comes for items: it takes a few at once, and none takes so many that others wait for it.
const TURNS: usize = 8;
/// The most that it takes at once.
const PIECE: usize = 64;
/// So few items are taken one by one, since any of them may be most of the work.
const FEW: usize = 128;

/// What each item comes to, in the order of the items. `least` is how many items are worth a second thread.
pub fn map<T: Sync, R: Send>(items: &[T], least: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // It is never given up, so there are results.
    map_unless(items, least, &|| false, work).unwrap_or_default()
}

/// As [`map`], unless it is given up: that is asked on the calling thread before each item that it works on.
pub fn map_unless<T: Sync, R: Send>(
    items: &[T],
    least: usize,
    given_up: &dyn Fn() -> bool,
    work: impl Fn(&T) -> R + Sync,
) -> Option<Vec<R>> {
    let threads = if items.len() < least.max(2) { 1 } else { cores().min(items.len()) };
    map_on(threads, items, given_up, work)
}

thread_local! {
    /// How many threads work, in the place of as many as there are cores.
    static CHOSEN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Does something with so many threads, however many cores there are: how a test finds out that their number makes no difference.
pub fn on<R>(threads: usize, work: impl FnOnce() -> R) -> R {
    let outer = CHOSEN.replace(Some(threads));
    let result = work();
    CHOSEN.set(outer);
    result
}

/// How many threads work at the same time.
fn cores() -> usize {
    if let Some(chosen) = CHOSEN.get() {
        return chosen;
    }
    // It is read from files of the kernel, so it is read once.
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

fn map_on<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    given_up: &dyn Fn() -> bool,
    work: impl Fn(&T) -> R + Sync,
) -> Option<Vec<R>> {
    if threads < 2 {
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            if given_up() {
                return None;
            }
            results.push(work(item));
        }
        return Some(results);
    }
    let size = if items.len() <= FEW { 1 } else { items.len().div_ceil(threads * TURNS).clamp(1, PIECE) };
    let pieces: Vec<&[T]> = items.chunks(size).collect();
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take = |given_up: &dyn Fn() -> bool| {
        let mut done: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(number) else { return done };
            let mut results = Vec::with_capacity(piece.len());
            for item in *piece {
                if stopped.load(Ordering::Relaxed) || given_up() {
                    stopped.store(true, Ordering::Relaxed);
                    return done;
                }
                results.push(work(item));
            }
            done.push((number, results));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| take(&|| false))).collect();
        let mut done = take(given_up);
        others.into_iter().for_each(|other| done.extend(joined(other)));
        done
    });
    if stopped.into_inner() {
        return None;
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    let mut results = Vec::with_capacity(items.len());
    done.into_iter().for_each(|(_, piece)| results.extend(piece));
    Some(results)
}

/// What a thread returns; its panic goes on here.
fn joined<R>(thread: thread::ScopedJoinHandle<'_, R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_those_of_one_thread_in_order() {
        for items in [0, 1, 2, 15, 16, 17, 1000] {
            let items: Vec<usize> = (0..items).collect();
            let expected: Vec<_> = items.iter().map(|item| item * item).collect();
            for threads in 1..5 {
                let done = map_on(threads, &items, &|| false, |item| item * item);
                assert_eq!(done.as_ref(), Some(&expected), "{threads} threads");
            }
            assert_eq!(map(&items, 1, |item| item * item), expected);
        }
    }

    #[test]
    fn few_items_need_no_thread_and_many_are_shared_out() {
        let here = thread::current().id();
        let elsewhere = |count: usize, least| {
            let ids = map(&vec![(); count], least, |()| thread::current().id());
            ids.iter().any(|id| *id != here)
        };
        assert!(!elsewhere(99, 100));
        let held = AtomicUsize::new(0);
        // Each of two threads waits for the other, so both must have come.
        let both = map_on(2, &[(); 2], &|| false, |()| {
            held.fetch_add(1, Ordering::SeqCst);
            while held.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
        });
        assert_eq!(both, Some(vec![(), ()]));
    }

    #[test]
    fn what_is_given_up_has_no_results_and_ends_early() {
        for threads in 1..4 {
            let asked = Cell::new(0);
            let given_up = || {
                asked.set(asked.get() + 1);
                asked.get() > 3
            };
            let worked = AtomicUsize::new(0);
            let done = map_on(threads, &[(); 100_000], &given_up, |()| {
                worked.fetch_add(1, Ordering::Relaxed);
                thread::sleep(std::time::Duration::from_micros(1));
            });
            assert_eq!(done, None, "{threads} threads");
            assert!(worked.into_inner() < 100_000, "{threads} threads");
        }
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_of_any_thread_is_one_here() {
        map_on(3, &(0..100).collect::<Vec<_>>(), &|| false, |item| assert!(*item != 7, "seven"));
    }
}
