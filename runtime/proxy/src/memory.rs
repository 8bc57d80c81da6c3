//! How much memory the proxy uses, how much it may, and what follows from that.
//!
//! The limit is the pod's, which the compiler writes into the configuration. What counts against it is the heap, which
//! is counted exactly and at any moment, without what was allocated and never touched; what was freed and stays with the
//! process all the same; and what the kernel holds for the process, above all in the buffers of its sockets. These are
//! read from the kernel from time to time, or estimated. What does not show yet, because a connection has only just been
//! opened, is reserved (see `growing`). Three levels follow. Where memory is
//! tight, connections are closed (see `room`); where it is full, the proxy reads nothing more from clients until there is
//! room again, and hardly anything from upstreams, and opens no more connections to these, so that nobody can fill it
//! faster than it is cleared.
//!
//! Memory belongs to the process, and so do these numbers.

use crate::growing;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The limit in bytes; 0 is none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Bytes that count against the limit and are not on the heap.
static BEYOND_HEAP: AtomicU64 = AtomicU64::new(0);

/// Bytes that are on the heap and do not count yet: of large buffers in which little was written, most of what idle
/// connections have, the kernel has not given every page.
static UNTOUCHED: AtomicU64 = AtomicU64::new(0);

/// The share of the limit that may stay with the process after it was freed, in percent: less is asked for again at once,
/// and fits between the highest level and the limit. What is more counts, and is given back: now and then, since threads
/// that allocate wait for it, and at every look while memory is tight.
const KEPT: u64 = 8;

/// How many looks (see `control`) lie between two times at least, while there is room.
const SELDOM: u64 = 50;

/// How many looks there were since it was last given back.
static LOOKS: AtomicU64 = AtomicU64::new(0);

/// From this share of the limit on memory is tight, in percent. What is left between the highest level and the limit is
/// for what the allocator cannot reuse at once, and for the program itself.
const TIGHT: u64 = 65;

/// From this share on it is full, in percent.
const FULL: u64 = 75;

/// From this share on no more clients are served, in percent. Up to it they wait as everybody else does.
const NO_MORE: u64 = 85;

/// What the program takes apart from its heap: code, stacks, and the allocator's own.
const PROGRAM: u64 = 8 << 20;

/// What the kernel takes for a connection on which nothing waits. Source: the sizes of a TCP socket, its file and its
/// directory entry in Linux 6.
const QUIET_SOCKET: u64 = 4 << 10;

/// What the kernel takes for an answer that its client does not read, in the send buffer towards it (see
/// `listen::prepare`), and for a connection from an upstream that has sent more than was read, in its receive buffer (see
/// `connect`). Source: measured with `ss -m` on Linux 6.18 with an answer of 8 MB over loopback.
const STALLED_SOCKET: u64 = 48 << 10;
const BACKLOGGED_SOCKET: u64 = 128 << 10;

/// Connections from upstreams that have sent more than was read.
static BACKLOGGED: AtomicU64 = AtomicU64::new(0);

/// Whether one such connection is among them; none when dropped.
#[derive(Debug, Default)]
pub(crate) struct Backlog(bool);

impl Backlog {
    /// Notes what the last read tells.
    pub(crate) fn set(&mut self, is_backlogged: bool) {
        match (self.0, is_backlogged) {
            (false, true) => BACKLOGGED.fetch_add(1, Ordering::Relaxed),
            (true, false) => BACKLOGGED.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => return,
        };
        self.0 = is_backlogged;
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Enough.
    Ample,
    /// Some connections have to go.
    Tight,
    /// Hardly anything is read until they have gone.
    Full,
}

/// How much memory is in use, against how much may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Bytes in use, all together.
    pub(crate) used: u64,
    /// Bytes that may be; `None` is without a limit.
    pub(crate) limit: Option<u64>,
}

impl Reading {
    /// What is in use at this moment.
    pub(crate) fn now() -> Self {
        let limit = LIMIT.load(Ordering::Relaxed);
        let heap = meshd_heap::in_use().saturating_sub(UNTOUCHED.load(Ordering::Relaxed));
        let used = heap.saturating_add(BEYOND_HEAP.load(Ordering::Relaxed));
        Reading { used, limit: (limit > 0).then_some(limit) }
    }

    /// Which level that is.
    pub(crate) fn level(self) -> Level {
        match self.limit {
            None => Level::Ample,
            Some(limit) if self.used >= percent(limit, FULL) => Level::Full,
            Some(limit) if self.used >= percent(limit, TIGHT) => Level::Tight,
            Some(_) => Level::Ample,
        }
    }

    /// Whether one more client may wait for room. What one costs that has not been read from is small.
    pub(crate) fn admits_clients(self) -> bool {
        self.limit.is_none_or(|limit| self.used < percent(limit, NO_MORE))
    }

    /// How many connections to upstreams may be added while `growing` ones have been opened that do not show in full yet:
    /// what each sends fills its receive buffer whether it is read or not, and other buffers when it is. They are fewer
    /// the closer memory is to being full.
    fn upstreams(self, growing: u64) -> usize {
        let Some(limit) = self.limit else { return ANY_NUMBER };
        let reserved = growing.saturating_mul(GROWN);
        let left = percent(limit, FULL).saturating_sub(self.used).saturating_sub(reserved);
        usize::try_from(left / GROWN).unwrap_or(ANY_NUMBER).min(ANY_NUMBER)
    }

    /// How many bytes have to be freed until memory is no longer tight.
    pub(crate) fn excess(self) -> u64 {
        self.limit.map_or(0, |limit| self.used.saturating_sub(percent(limit, TIGHT)))
    }
}

fn percent(limit: u64, percent: u64) -> u64 {
    limit / 100 * percent
}

/// How many connections to upstreams may be added until it is looked again.
static UPSTREAMS: Semaphore = Semaphore::const_new(ANY_NUMBER);
const ANY_NUMBER: usize = 1 << 20;

/// What is read of an answer and waits for its client, at most: see `paced`.
const READ: u64 = 64 << 10;

/// What a connection to an upstream, and that of the client for whom it is, may grow by.
const GROWN: u64 = BACKLOGGED_SOCKET + READ + STALLED_SOCKET;

/// How long somebody waits for room before it is refused: a client, or a request for a connection to an upstream. Whoever
/// fills memory has been told to leave by then.
pub(crate) const ROOM_LIMIT: Duration = Duration::from_secs(10);

/// Returns once there is room for one more connection to an upstream; false if there is none for too long.
pub(crate) async fn room_for_upstream() -> bool {
    let one = match UPSTREAMS.try_acquire() {
        Ok(one) => Some(one),
        Err(_) => tokio::time::timeout(ROOM_LIMIT, UPSTREAMS.acquire()).await.ok().and_then(Result::ok),
    };
    one.map(SemaphorePermit::forget).is_some()
}

/// Lets so many more wait no longer.
fn let_in(count: usize) {
    let before = UPSTREAMS.available_permits();
    UPSTREAMS.add_permits(count.saturating_sub(before));
    UPSTREAMS.forget_permits(before.saturating_sub(count));
}

/// Which level memory is at. This is cheap enough to be asked at every read.
pub(crate) fn level() -> Level {
    Reading::now().level()
}

/// Sets the limit; `None` is without one.
pub(crate) fn limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// Looks how much the kernel holds for the process, and lets in as many connections to upstreams as there is room for: `connections` from clients are open, `stalled` of them do not read
/// their answers.
pub(crate) fn look(connections: u64, stalled: u64) {
    let backlogged = BACKLOGGED.load(Ordering::Relaxed);
    let kernel = of_control_group().unwrap_or_else(|| estimate(connections, stalled, backlogged));
    let too_much = weigh(kernel);
    let looks = LOOKS.fetch_add(1, Ordering::Relaxed);
    if too_much > 0 && (level() > Level::Ample || looks >= SELDOM) {
        LOOKS.store(0, Ordering::Relaxed);
        meshd_heap::give_back();
        weigh(kernel);
    }
    let_in(Reading::now().upstreams(growing::count()));
    growing::turn();
}

/// Notes what counts beside the heap and what of the heap does not, where the kernel holds so much. The answer is what was
/// freed and stays with the process beyond what may, in bytes.
fn weigh(kernel: u64) -> u64 {
    let heap = meshd_heap::in_use();
    let (untouched, kept) = own().map_or((0, 0), |own| apart(heap, own));
    let too_much = kept.saturating_sub(percent(LIMIT.load(Ordering::Relaxed), KEPT));
    UNTOUCHED.store(untouched, Ordering::Relaxed);
    BEYOND_HEAP.store(PROGRAM.saturating_add(kernel).saturating_add(too_much), Ordering::Relaxed);
    too_much
}

/// What of a heap of so many bytes was never touched, and what was freed and stays, where `own` bytes are the process's.
fn apart(heap: u64, own: u64) -> (u64, u64) {
    (heap.saturating_sub(own), own.saturating_sub(heap).saturating_sub(PROGRAM))
}

/// Quiet connections to upstreams are few where it matters: most of many clients are idle.
fn estimate(connections: u64, stalled: u64, backlogged: u64) -> u64 {
    let parts = [(connections, QUIET_SOCKET), (stalled, STALLED_SOCKET), (backlogged, BACKLOGGED_SOCKET)];
    parts.iter().fold(0, |sum, (count, each)| sum.saturating_add(count.saturating_mul(*each)))
}

/// The pages that belong to the process alone, in bytes: the heap as far as the kernel has given it, with what the
/// allocator keeps for later.
fn own() -> Option<u64> {
    own_pages(&std::fs::read_to_string("/proc/self/statm").ok()?)?
        .checked_mul(rustix::param::page_size() as u64)
}

/// Their number. Source: Linux, Documentation/filesystems/proc.rst, "statm": size, resident, shared.
fn own_pages(statistics: &str) -> Option<u64> {
    let mut numbers =
        statistics.split_ascii_whitespace().skip(1).map_while(|number| number.parse::<u64>().ok());
    numbers.next()?.checked_sub(numbers.next()?)
}

/// Where a container finds what its control group uses and may, and who is in it.
const STATISTICS: &str = "/sys/fs/cgroup/memory.stat";
const MAXIMUM: &str = "/sys/fs/cgroup/memory.max";
const PROCESSES: &str = "/sys/fs/cgroup/cgroup.procs";

/// What the kernel holds for the process, if it is alone in a control group (version 2) with a limit. On a machine without
/// one, and in a container with other processes, the same files tell about all of them.
fn of_control_group() -> Option<u64> {
    std::fs::read_to_string(MAXIMUM).ok()?.trim().parse::<u64>().ok()?;
    let alone = is_alone(&std::fs::read_to_string(PROCESSES).ok()?, std::process::id());
    if alone { kernel_memory(&std::fs::read_to_string(STATISTICS).ok()?) } else { None }
}

/// Whether `process` is the only one in this list of a control group's processes, one in a line.
fn is_alone(processes: &str, process: u32) -> bool {
    processes.trim().parse() == Ok(process)
}

/// The kernel's part of a control group's statistics: buffers of sockets, and those of its own objects that stay, stacks
/// and page tables. Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "memory.stat".
fn kernel_memory(statistics: &str) -> Option<u64> {
    let row = |name: &str| {
        statistics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    let parts = ["slab_unreclaimable", "kernel_stack", "pagetables"].iter().filter_map(|name| row(name));
    Some(parts.fold(row("sock")?, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_from_the_limit() {
        let at = |used| Reading { used, limit: Some(1000) };
        assert_eq!((at(649).level(), at(649).excess()), (Level::Ample, 0));
        assert_eq!((at(650).level(), at(650).excess()), (Level::Tight, 0));
        assert_eq!((at(749).level(), at(749).excess()), (Level::Tight, 99));
        assert_eq!((at(750).level(), at(750).excess()), (Level::Full, 100));
        assert_eq!((at(5000).level(), at(5000).excess()), (Level::Full, 4350));
        assert!(at(849).admits_clients() && !at(850).admits_clients());
        let unlimited = Reading { used: u64::MAX, limit: None };
        assert_eq!((unlimited.level(), unlimited.excess()), (Level::Ample, 0));
        assert!(unlimited.admits_clients());
    }

    #[test]
    fn connections_to_upstreams_are_opened_as_far_as_there_is_room() {
        let at = |used, growing| Reading { used, limit: Some(100 << 20) }.upstreams(growing);
        assert_eq!([0, 60 << 20, 74 << 20, 75 << 20, u64::MAX].map(|used| at(used, 0)), [320, 64, 4, 0, 0]);
        assert_eq!((at(0, 300), at(0, 320), at(60 << 20, 60), at(0, u64::MAX)), (20, 0, 4, 0));
        assert_eq!(Reading { used: u64::MAX, limit: None }.upstreams(7), ANY_NUMBER);
    }

    #[test]
    fn the_kernels_part_is_read_from_a_control_group() {
        let statistics = "anon 100\nfile 50\nkernel 40\nkernel_stack 4\npagetables 5\nsock 1000\nslab 20\n\
                          slab_reclaimable 15\nslab_unreclaimable 5\nworkingset_nodes 3\n";
        assert_eq!(kernel_memory(statistics), Some(1014));
        assert_eq!(kernel_memory("anon 100\nsock 7\n"), Some(7));
        assert_eq!(kernel_memory("cache 100\nrss 50\n"), None, "another version has no such rows");
        assert_eq!(kernel_memory("sock none\n"), None);
    }

    #[test]
    fn pages_that_were_never_touched_do_not_count() {
        assert_eq!(own_pages("6134 1850 1420 2500 0 1217 0\n"), Some(430));
        assert_eq!((own_pages(""), own_pages("1 2"), own_pages("1 2 3 4")), (None, None, None));
        assert!(own().is_some_and(|own| own > 100 << 10), "{:?}", own());
    }

    #[test]
    fn what_was_freed_and_stays_counts() {
        assert_eq!(apart(100 << 20, 60 << 20), (40 << 20, 0));
        assert_eq!(apart(100 << 20, 300 << 20), (0, (200 << 20) - PROGRAM));
        assert_eq!(apart(100 << 20, 104 << 20), (0, 0), "the program has memory of its own");
    }

    #[test]
    fn a_control_group_tells_about_a_process_that_is_alone_in_it() {
        assert!(is_alone("12\n", 12));
        for others in ["", "1\n12\n", "12\n13\n", "112\n"] {
            assert!(!is_alone(others, 12), "{others:?}");
        }
    }

    #[test]
    fn without_a_control_group_connections_are_counted() {
        assert_eq!(estimate(0, 0, 0), 0);
        assert_eq!(estimate(1000, 0, 0), 1000 * 4096);
        assert!(
            estimate(3000, 3000, 3000) > (512 << 20),
            "those who do not read have to go before the limit"
        );
        assert_eq!(estimate(u64::MAX, u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn a_connection_counts_once_as_backlogged_until_it_is_read_or_dropped() {
        let count = || BACKLOGGED.load(Ordering::Relaxed);
        let before = count();
        let mut backlog = Backlog::default();
        backlog.set(true);
        backlog.set(true);
        assert_eq!(count() - before, 1);
        backlog.set(false);
        assert_eq!(count() - before, 0);
        backlog.set(true);
        drop(backlog);
        assert_eq!(count() - before, 0);
    }
}
