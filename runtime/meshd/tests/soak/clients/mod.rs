//! Clients of all kinds. Each asks for one thing after the other until it is told to stop, and waits in between.

mod bytes;
mod one;
mod rude;
mod two;

use crate::certificates::Leaf;
use crate::dice::Dice;
use crate::ledger::Ledger;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// No request takes so long, on whatever machine: whoever still waits then waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    /// The caller's sidecar: HTTP, the listener that comes and goes, and bytes.
    pub(crate) http: SocketAddr,
    pub(crate) extra: SocketAddr,
    pub(crate) tcp: SocketAddr,
    /// The gateway, and the callee's sidecar, for clients that speak mutual TLS themselves.
    pub(crate) gateway: SocketAddr,
    pub(crate) inbound: SocketAddr,
    pub(crate) leaf: Leaf,
    /// The mean pause of a client.
    pub(crate) pause: Duration,
    pub(crate) extra_is_open: AtomicBool,
    pub(crate) faults: AtomicBool,
    pub(crate) stop: AtomicBool,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn faults(&self) -> bool {
        self.faults.load(Ordering::SeqCst)
    }

    async fn pause(&self, dice: &mut Dice) {
        let most = usize::try_from(self.pause.as_micros()).unwrap() * 2;
        tokio::time::sleep(Duration::from_micros(dice.below(most) as u64)).await;
    }
}

/// How many clients there are.
pub(crate) const CLIENTS: u32 = 24;

/// Starts them all. What they ask for has names that begin with `first`, which no other clients have.
pub(crate) fn start(shared: &Arc<Shared>, seed: u64, first: u32) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for kind in 0..CLIENTS {
        let number = first + kind;
        // Dice of seeds that follow each other fall alike, one throw later.
        let own = Dice::new(seed.wrapping_mul(1000).wrapping_add(number.into())).next();
        let (shared, dice) = (Arc::clone(shared), Dice::new(own));
        match kind {
            0..6 => clients.spawn(one::keeps(shared, number, dice)),
            6..8 => clients.spawn(one::once(shared, number, dice)),
            8..10 => clients.spawn(one::pipelines(shared, number, dice)),
            10..12 => clients.spawn(one::extra(shared, number, dice)),
            12..14 => clients.spawn(one::with_certificate(shared, number, dice)),
            14..17 => clients.spawn(two::shares(shared, number, dice)),
            17..19 => clients.spawn(bytes::repeats(shared, number, dice)),
            19..21 => clients.spawn(bytes::upgrades(shared, number, dice)),
            21 => clients.spawn(one::slow(shared, number, dice)),
            22 => clients.spawn(rude::breaks_off(shared, number, dice)),
            _ => clients.spawn(rude::never_reads(shared, number, dice)),
        };
    }
    clients
}
