//! Connections to endpoints that one worker keeps: HTTP/1.1 ones are used by one request at a time, HTTP/2 ones shared.
//!
//! Who gets what is decided in [`state`], which has no sockets and knows no HTTP library; [`shell`] does what was
//! decided. A connection's task holds no pool, so a pool that nobody uses any more is gone with its connections.
//!
//! The limits of an upstream hold over all workers, with one exception that Envoy makes too: a worker that has no
//! connection to an endpoint may always open one, so that nobody waits for a connection of another thread.

mod connections;
mod exchange;
mod lease;
mod open;
mod resets;
mod shell;
#[cfg(test)]
mod simulation;
mod state;
mod switch;
mod upload;

pub(crate) use exchange::{CutOff, FromUpstream, Unanswered};
pub(crate) use lease::{Checkout, OneAtATime};
pub(crate) use switch::Switched;

use crate::balance::Picked;
use crate::connect::ConnectFailure;
use crate::metrics::Metrics;
use crate::upstream::Spoken;
use shell::Pool;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Why a request got no connection.
#[derive(Debug, Clone)]
pub(crate) enum NoConnection {
    /// The endpoint could not be connected to.
    Failed(ConnectFailure),
    /// The limits of the upstream are reached.
    Overflow,
}

/// The pools of one worker, by endpoint and protocol.
#[derive(Default)]
pub(crate) struct Pools(RefCell<BTreeMap<(u64, Spoken), Rc<Pool>>>);

impl Pools {
    /// A connection to an endpoint, from the pool or new.
    pub(crate) async fn checkout(
        &self,
        picked: &Picked,
        spoken: Spoken,
        metrics: &Arc<Metrics>,
    ) -> Result<Checkout, NoConnection> {
        let pool = {
            let mut pools = self.0.borrow_mut();
            let new = || Pool::new(picked.clone(), spoken, Arc::clone(metrics));
            Rc::clone(pools.entry((picked.endpoint.id, spoken)).or_insert_with(new))
        };
        pool.checkout().await
    }

    /// Closes what was unused for too long. Of upstreams that are gone, it closes what is unused now, and the rest closes
    /// after its requests.
    pub(crate) fn sweep(&self, exists: impl Fn(u64) -> bool) {
        let now = Instant::now();
        // Closing a connection may lead back here by way of a task that ends, so the map is not borrowed meanwhile.
        let pools: Vec<Rc<Pool>> = self.0.borrow().values().cloned().collect();
        for pool in pools {
            pool.sweep(exists(pool.upstream()), now);
        }
        self.0.borrow_mut().retain(|_, pool| !pool.is_empty());
    }
}
