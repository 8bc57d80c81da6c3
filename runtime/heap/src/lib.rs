//! How many bytes of the heap are in use: the system's allocator, counted.
//!
//! What the system says about a process is of no use for this. Memory that was freed stays with the process, so its
//! resident size is what was once needed; and a reading from time to time is late for somebody who fills memory within a
//! tenth of a second. Counting is exact, except for what each thread has not yet added to the sum, and costs an
//! addition for each allocation.
//!
//! Invariant: this is the only unsafe code of the workspace. It hands every call to the system's allocator as it is; where
//! memory is tight it asks that allocator to give back what is free, and after a start the kernel to unmap what only that needed.

mod code;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

pub use code::leave_code;

/// How many bytes a thread counts for itself before it adds them to the sum, so that threads do not wait for each other
/// at every allocation.
const STEP: isize = 16 * 1024;

/// What all threads have added.
static IN_USE: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// What this thread has not yet added. It needs no initialisation and no destructor, so that it can be used inside
    /// the allocator and to the very end of a thread.
    static OWN: Cell<isize> = const { Cell::new(0) };

    /// How often this thread has asked for memory.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of the heap in use, without what the allocator itself needs around and between them. Each thread may be off by
/// 16 KiB, those that have ended too.
#[must_use]
pub fn in_use() -> u64 {
    u64::try_from(IN_USE.load(Ordering::Relaxed)).unwrap_or(0)
}

/// How often the thread that asks this has asked the allocator for memory, or for more of it.
#[must_use]
pub fn asked() -> u64 {
    ASKED.with(Cell::get)
}

/// Gives back to the kernel what was freed, as far as it makes up whole pages; the allocator keeps these otherwise, for
/// whoever asks next. Threads that allocate wait for it, some tens of milliseconds for some hundred MiB in small pieces.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a function of the C library")]
pub fn give_back() {
    // SAFETY: it takes a number, may be called at any time from any thread, and moves nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing: this allocator gives back what it can by itself.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

/// The system's allocator, counted.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; each call goes to the system's as it is")]
// SAFETY: every method hands its arguments to the system's allocator and returns its result, so that whatever holds
// between callers and the system's allocator holds here; counting allocates nothing and does not unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            allocated(size(layout.size()));
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            allocated(size(layout.size()));
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) };
        count(-size(layout.size()));
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            allocated(size(new_size) - size(layout.size()));
        }
        moved
    }
}

/// The size of an allocation. No allocation is larger than `isize::MAX` (documentation of `Layout`).
fn size(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

/// Notes that an allocation was made, or was made larger or smaller by so many bytes.
fn allocated(bytes: isize) {
    let _ = ASKED.try_with(|asked| asked.set(asked.get().wrapping_add(1)));
    count(bytes);
}

fn count(bytes: isize) {
    let add = OWN.try_with(|own| {
        let now = own.get().saturating_add(bytes);
        let enough = !(-STEP..=STEP).contains(&now);
        own.set(if enough { 0 } else { now });
        if enough { now } else { 0 }
    });
    match add {
        Ok(0) => {}
        Ok(bytes) => {
            IN_USE.fetch_add(bytes, Ordering::Relaxed);
        }
        // The thread is at its end.
        Err(_) => {
            IN_USE.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since the sum belongs to the whole process.
    #[test]
    fn what_is_allocated_is_in_use_until_it_is_freed() {
        const LARGE: u64 = 64 << 20;
        const SLACK: u64 = 1 << 20;
        let before = in_use();
        let mut large = vec![1u8; LARGE as usize];
        assert!(in_use().abs_diff(before + LARGE) < SLACK, "allocated: {before} and {}", in_use());
        large.truncate(1);
        large.shrink_to_fit();
        assert!(in_use().abs_diff(before) < SLACK, "given back in part: {before} and {}", in_use());
        large.reserve_exact(LARGE as usize);
        assert!(in_use().abs_diff(before + LARGE) < SLACK, "grown: {before} and {}", in_use());
        std::thread::spawn(move || drop(large)).join().unwrap();
        assert!(in_use().abs_diff(before) < SLACK, "freed by another thread: {before} and {}", in_use());
        let many: Vec<Box<[u8; 100]>> = (0..100_000).map(|_| Box::new([0; 100])).collect();
        assert!(
            in_use().abs_diff(before + 100_000 * 108) < SLACK,
            "many small ones: {before} and {}",
            in_use()
        );
        drop(many);
        assert!(in_use().abs_diff(before) < SLACK, "and freed: {before} and {}", in_use());
        let asked_before = asked();
        let one = Box::new(1);
        std::thread::spawn(|| drop(vec![Box::new(1)])).join().unwrap();
        drop(one);
        // A thread is something to ask for, too.
        assert!((1..20).contains(&(asked() - asked_before)));
        let asked_before = asked();
        drop(vec![Box::new(1)]);
        assert_eq!(asked() - asked_before, 2);
        given_back();
    }

    /// What is free between pieces that are in use stays with the process until it is given back.
    fn given_back() {
        let pieces: Vec<Vec<u8>> = (0..2000).map(|_| vec![1; 64 << 10]).collect();
        let kept: Vec<Vec<u8>> = pieces.into_iter().step_by(10).collect();
        let before = resident();
        give_back();
        let after = resident();
        assert!(
            kept.iter().all(|piece| piece.iter().all(|byte| *byte == 1)),
            "what is in use stays as it is"
        );
        if cfg!(target_env = "gnu") {
            assert!(after + (64 << 20) < before, "125 MiB, a tenth of which is in use: {before} and {after}");
        }
    }

    /// Bytes of the process that are in memory. Source: Linux, Documentation/filesystems/proc.rst, "statm".
    #[expect(clippy::disallowed_methods, reason = "the kernel says it in a file")]
    fn resident() -> u64 {
        let statistics = std::fs::read_to_string("/proc/self/statm").unwrap();
        statistics.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}
