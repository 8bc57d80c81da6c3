//! How much memory the proxy uses, how much it may, and what follows from that.
//!
//! The limit is the pod's, which the compiler writes into the configuration. What counts against it is the heap, which
//! is counted exactly and at any moment, and what the kernel holds for the process, above all in the buffers of its
//! sockets, which is read from the control group from time to time or estimated. Three levels follow. Where memory is
//! tight, connections are closed (see `room`); where it is full, the proxy reads nothing more from clients until there is
//! room again, and hardly anything from upstreams, so that nobody can fill it faster than it is cleared.
//!
//! Memory belongs to the process, and so do these numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// The limit in bytes; 0 is none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Bytes that count against the limit and are not on the heap.
static BEYOND_HEAP: AtomicU64 = AtomicU64::new(0);

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

/// What the kernel takes for an answer that its client does not read: the send buffer towards it (see `listen::prepare`)
/// and the receive buffer from an application (see `connect`). Source: measured with `ss -m`, 48 and 256 KiB, on Linux
/// 6.18 with an answer of 8 MB over loopback.
const STALLED_SOCKETS: u64 = 304 << 10;

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
        let used = meshd_heap::in_use().saturating_add(BEYOND_HEAP.load(Ordering::Relaxed));
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

    /// How many bytes have to be freed until memory is no longer tight.
    pub(crate) fn excess(self) -> u64 {
        self.limit.map_or(0, |limit| self.used.saturating_sub(percent(limit, TIGHT)))
    }
}

fn percent(limit: u64, percent: u64) -> u64 {
    limit / 100 * percent
}

/// Which level memory is at. This is cheap enough to be asked at every read.
pub(crate) fn level() -> Level {
    Reading::now().level()
}

/// Sets the limit; `None` is without one.
pub(crate) fn limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// Looks how much the kernel holds for the process: `connections` from clients are open, `stalled` of them do not read
/// their answers.
pub(crate) fn look(connections: u64, stalled: u64) {
    let kernel = of_control_group().unwrap_or_else(|| estimate(connections, stalled));
    BEYOND_HEAP.store(PROGRAM.saturating_add(kernel), Ordering::Relaxed);
}

/// Connections to upstreams are few where it matters: most of many clients are idle.
fn estimate(connections: u64, stalled: u64) -> u64 {
    let quiet = connections.saturating_mul(QUIET_SOCKET);
    quiet.saturating_add(stalled.saturating_mul(STALLED_SOCKETS))
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
    fn the_kernels_part_is_read_from_a_control_group() {
        let statistics = "anon 100\nfile 50\nkernel 40\nkernel_stack 4\npagetables 5\nsock 1000\nslab 20\n\
                          slab_reclaimable 15\nslab_unreclaimable 5\nworkingset_nodes 3\n";
        assert_eq!(kernel_memory(statistics), Some(1014));
        assert_eq!(kernel_memory("anon 100\nsock 7\n"), Some(7));
        assert_eq!(kernel_memory("cache 100\nrss 50\n"), None, "another version has no such rows");
        assert_eq!(kernel_memory("sock none\n"), None);
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
        assert_eq!(estimate(0, 0), 0);
        assert_eq!(estimate(1000, 0), 1000 * 4096);
        assert!(estimate(3000, 3000) > (512 << 20), "those who do not read have to go before the limit");
        assert_eq!(estimate(u64::MAX, u64::MAX), u64::MAX);
    }
}
