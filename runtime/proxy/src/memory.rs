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

use crate::{growing, queue};
use std::sync::atomic::{AtomicU64, Ordering};

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
const SELDOM: u64 = 100;

/// How many looks there were since it was last given back.
static LOOKS: AtomicU64 = AtomicU64::new(0);

/// From these shares of the limit on new connections to upstreams get smaller buffers, and then the smallest, in percent.
const FILLING: u64 = 45;
const CROWDED: u64 = 55;

/// From this share of the limit on memory is tight, in percent. What is left between the highest level and the limit is
/// for what the allocator cannot reuse at once, and for the program itself.
const TIGHT: u64 = 65;

/// From this share on it is full, in percent.
const FULL: u64 = 75;

/// How much room is made at most at a time for those who wait, as a share of the limit, in percent.
const MADE: u64 = 15;

/// From this share on no more clients are served, in percent. Up to it they wait as everybody else does.
const NO_MORE: u64 = 85;

/// What the program takes apart from its heap: code, stacks, and the allocator's own.
const PROGRAM: u64 = 8 << 20;

/// What the kernel takes for a connection on which nothing waits. Source: the sizes of a TCP socket, its file and its
/// directory entry in Linux 6.
const QUIET_SOCKET: u64 = 4 << 10;

/// What the kernel takes for an answer that its client does not read, in the send buffer towards it (see
/// `listen::prepare`). Source: measured with `ss -m` on Linux 6.18 with an answer of 8 MB over loopback.
const STALLED_SOCKET: u64 = 48 << 10;

/// What the kernel keeps at most, in bytes, of what upstreams have sent and was not read.
static BACKLOGGED: AtomicU64 = AtomicU64::new(0);

/// What one connection adds to it; nothing when dropped.
#[derive(Debug)]
pub(crate) struct Backlog {
    kept: u64,
    is_backlogged: bool,
}

impl Backlog {
    /// That of a connection whose receive buffer keeps so many bytes at most (see `connect`): all of them once more has
    /// come than was read.
    pub(crate) fn new(kept: u64) -> Self {
        Backlog { kept, is_backlogged: false }
    }

    /// How many bytes the buffer keeps at most.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// The buffer keeps so many bytes from now on.
    pub(crate) fn grow(&mut self, kept: u64) {
        let is_backlogged = self.is_backlogged;
        self.set(false);
        self.kept = kept;
        self.set(is_backlogged);
    }

    /// Notes what the last read tells.
    pub(crate) fn set(&mut self, is_backlogged: bool) {
        match (self.is_backlogged, is_backlogged) {
            (false, true) => BACKLOGGED.fetch_add(self.kept, Ordering::Relaxed),
            (true, false) => BACKLOGGED.fetch_sub(self.kept, Ordering::Relaxed),
            (true, true) | (false, false) => return,
        };
        self.is_backlogged = is_backlogged;
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// What pipes between connections keep at most, in bytes (see `pipe`): pages that no longer count as those of a socket.
static PIPED: AtomicU64 = AtomicU64::new(0);

/// What one pipe adds to it; nothing when dropped.
#[derive(Debug)]
pub(crate) struct Piped(u64);

impl Piped {
    /// That of a pipe of so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        PIPED.fetch_add(bytes, Ordering::Relaxed);
        Piped(bytes)
    }

    /// That of all of them.
    pub(crate) fn all() -> u64 {
        PIPED.load(Ordering::Relaxed)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        PIPED.fetch_sub(self.0, Ordering::Relaxed);
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

/// How large the buffers of a connection to an upstream should be. Where many are wanted at once, many that carry less are
/// better than few: whoever wants little has got it before it is known who does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Buffers {
    /// As large as throughput wants them.
    Large,
    /// Small, for as long as the connection lives.
    Small,
    /// As small as they may be, until there is room for more.
    Smallest,
}

/// How much memory is in use, against how much may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Bytes in use, all together.
    pub(crate) used: u64,
    /// Bytes that may be; `None` is without a limit.
    pub(crate) limit: Option<u64>,
    /// Bytes by which connections would grow for which there is no room.
    pub(crate) waiting: u64,
}

impl Reading {
    /// What is in use at this moment.
    pub(crate) fn now() -> Self {
        let limit = LIMIT.load(Ordering::Relaxed);
        let heap = meshd_heap::in_use().saturating_sub(UNTOUCHED.load(Ordering::Relaxed));
        let used = heap.saturating_add(BEYOND_HEAP.load(Ordering::Relaxed)).saturating_add(Piped::all());
        Reading { used, limit: (limit > 0).then_some(limit), waiting: queue::waiting() }
    }

    /// What it would be with some of those who wait: for them, whoever does not read leaves earlier.
    pub(crate) fn pressed(self) -> Self {
        let some = self.limit.map_or(0, |limit| self.waiting.min(percent(limit, MADE)));
        Reading { used: self.used.saturating_add(some), ..self }
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

    /// By how many bytes connections to upstreams that are added may grow, while those that have been opened, and do not
    /// show in full yet, may grow by so many: what each sends fills its receive buffer whether it is read or not, and other
    /// buffers when it is.
    fn room(self, growing: u64) -> u64 {
        let left = |limit| percent(limit, FULL).saturating_sub(self.used).saturating_sub(growing);
        self.limit.map_or(ANY, left)
    }

    /// How large the buffers of what is added should be, while those that do not show in full yet may grow by so many bytes.
    fn buffers(self, growing: u64) -> Buffers {
        let Some(limit) = self.limit else { return Buffers::Large };
        match self.used.saturating_add(growing) {
            used if used >= percent(limit, CROWDED) || self.waiting > 0 => Buffers::Smallest,
            used if used >= percent(limit, FILLING) => Buffers::Small,
            _ => Buffers::Large,
        }
    }

    /// How many bytes have to be freed until memory is no longer tight.
    pub(crate) fn excess(self) -> u64 {
        self.limit.map_or(0, |limit| self.used.saturating_sub(percent(limit, TIGHT)))
    }
}

fn percent(limit: u64, percent: u64) -> u64 {
    limit / 100 * percent
}

/// So much room that nobody waits, in bytes.
pub(crate) const ANY: u64 = 1 << 40;

/// What a connection to an upstream takes beside these buffers, with the request that it is for: the state of TLS during
/// the handshake, above all. Source: measured as what 3,000 at once came to.
const STATE: u64 = 32 << 10;

/// What a connection to an upstream may grow by of which the kernel keeps so many bytes and of whose answer so many wait
/// that were read, with that of the client for whom it is.
pub(crate) const fn grown(kept: u64, read: u64) -> u64 {
    kept + read + STALLED_SOCKET + STATE
}

/// How large the buffers of a connection should be that is opened now.
pub(crate) fn buffers() -> Buffers {
    Reading::now().buffers(growing::bytes())
}

/// Which level memory is at. This is cheap enough to be asked at every read.
pub(crate) fn level() -> Level {
    Reading::now().level()
}

/// Sets the limit; `None` is without one.
pub(crate) fn limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// Looks how much the kernel holds for the process, and how much room there is for connections to upstreams: `connections` from clients are open, `stalled` of them do not read their answers.
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
    queue::make_room(Reading::now().room(growing::bytes()));
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
    let parts = [(connections, QUIET_SOCKET), (stalled, STALLED_SOCKET)];
    parts.iter().fold(backlogged, |sum, (count, each)| sum.saturating_add(count.saturating_mul(*each)))
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
        let at = |used| Reading { used, limit: Some(1000), waiting: 0 };
        assert_eq!((at(649).level(), at(649).excess()), (Level::Ample, 0));
        assert_eq!((at(650).level(), at(650).excess()), (Level::Tight, 0));
        assert_eq!((at(749).level(), at(749).excess()), (Level::Tight, 99));
        assert_eq!((at(750).level(), at(750).excess()), (Level::Full, 100));
        assert_eq!((at(5000).level(), at(5000).excess()), (Level::Full, 4350));
        assert!(at(849).admits_clients() && !at(850).admits_clients());
        let unlimited = Reading { used: u64::MAX, limit: None, waiting: 0 };
        assert_eq!((unlimited.level(), unlimited.excess()), (Level::Ample, 0));
        assert!(unlimited.admits_clients());
    }

    #[test]
    fn connections_to_upstreams_are_opened_as_far_as_there_is_room() {
        let at = |used, growing| Reading { used, limit: Some(100 << 20), waiting: 0 }.room(growing);
        let rooms = [0, 60 << 20, 74 << 20, 75 << 20, u64::MAX].map(|used| at(used, 0));
        assert_eq!(rooms, [75 << 20, 15 << 20, 1 << 20, 0, 0]);
        assert_eq!((at(0, 70 << 20), at(60 << 20, 15 << 20), at(0, u64::MAX)), (5 << 20, 0, 0));
        assert_eq!(Reading { used: u64::MAX, limit: None, waiting: 0 }.room(7), ANY);
    }

    #[test]
    fn room_is_made_for_those_who_wait() {
        let at = |used, waiting| Reading { used, limit: Some(1000), waiting }.pressed();
        assert_eq!((at(600, 0).level(), at(600, 0).excess()), (Level::Ample, 0));
        assert_eq!((at(600, 60).level(), at(600, 60).excess()), (Level::Tight, 10));
        assert_eq!(
            (at(600, 9000).level(), at(600, 9000).excess()),
            (Level::Full, 100),
            "some of it at a time"
        );
        assert_eq!(at(499, 9000).level(), Level::Ample);
    }

    #[test]
    fn where_memory_fills_is_known_before_it_shows() {
        let with =
            |used, growing, waiting| Reading { used, limit: Some(100 << 20), waiting }.buffers(growing);
        let at = |used, growing| with(used, growing, 0);
        assert_eq!([at(44 << 20, 0), with(0, 0, 1)], [Buffers::Large, Buffers::Smallest]);
        assert_eq!([at(45 << 20, 0), at(1 << 20, 44 << 20), at(54 << 20, 0)], [Buffers::Small; 3]);
        assert_eq!([at(55 << 20, 0), at(45 << 20, 10 << 20), at(u64::MAX, u64::MAX)], [Buffers::Smallest; 3]);
        assert_eq!(Reading { used: u64::MAX, limit: None, waiting: 7 }.buffers(7), Buffers::Large);
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
            estimate(3000, 3000, 3000 * (128 << 10)) > (512 << 20),
            "those who do not read have to go before the limit"
        );
        assert_eq!(estimate(u64::MAX, u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn a_connection_counts_once_as_backlogged_until_it_is_read_or_dropped() {
        let bytes = || BACKLOGGED.load(Ordering::Relaxed);
        let before = bytes();
        let mut backlog = Backlog::new(9);
        backlog.set(true);
        backlog.set(true);
        assert_eq!(bytes() - before, 9);
        backlog.set(false);
        assert_eq!(bytes() - before, 0);
        backlog.set(true);
        drop(backlog);
        assert_eq!(bytes() - before, 0);
    }
}
