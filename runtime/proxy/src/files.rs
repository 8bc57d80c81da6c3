//! How many more clients this process can serve: each connection takes a file, and files are finite.
//!
//! Connections to upstreams are counted as they are, not as many as there might be: most of many clients are idle, and
//! several share a connection over HTTP/2. Files belong to the process, and so do these numbers.

use rustix::process::{Resource, getrlimit};
use std::sync::atomic::{AtomicI64, Ordering};

/// Files that are open and no client's: connections to upstreams, and both ends of pipes between these and clients.
static OTHERS: AtomicI64 = AtomicI64::new(0);

/// What is kept for everything else: listeners, timers, probes, files that are read again, and connections to upstreams
/// that are yet to be made. An eighth of what there is, and this many at least.
const SPARE: i64 = 64;

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Other(());

impl Other {
    /// One more.
    pub(crate) fn new() -> Self {
        OTHERS.fetch_add(1, Ordering::Relaxed);
        Other(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        OTHERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many files this process may have, as it was last looked at; negative before that.
static LIMIT: AtomicI64 = AtomicI64::new(-1);

/// Looks how many files this process may have.
pub(crate) fn look() -> i64 {
    // No limit at all is `None`.
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
    LIMIT.store(limit, Ordering::Relaxed);
    limit
}

/// How many clients fit at this moment.
pub(crate) fn clients() -> i64 {
    let limit = match LIMIT.load(Ordering::Relaxed) {
        known @ 0.. => known,
        _ => look(),
    };
    fits(limit, OTHERS.load(Ordering::Relaxed))
}

fn fits(limit: i64, others: i64) -> i64 {
    if limit == i64::MAX {
        return limit;
    }
    limit.saturating_sub((limit / 8).max(SPARE)).saturating_sub(others).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_upstreams_and_the_proxy_itself_leave() {
        assert_eq!(fits(i64::MAX, 1_000_000), i64::MAX, "no limit");
        assert_eq!((fits(20_000, 0), fits(20_000, 3_000)), (17_500, 14_500));
        assert_eq!((fits(114, 0), fits(114, 10), fits(60, 0)), (50, 40, 0));
    }
}
