//! One worker: a thread with its own runtime, its own listening sockets and its own connections to upstreams.

use crate::accept::accept;
use crate::access_log::{self, Log};
use crate::drain::Phase;
use crate::heartbeat::{BEAT, Heartbeats};
use crate::limiter::Limiter;
use crate::listen::Slot;
use crate::metrics::Metrics;
use crate::patience;
use crate::pool::Pools;
use crate::queue;
use crate::room::{Room, Rooms};
use crate::snapshot::Snapshot;
use arc_swap::{ArcSwap, ArcSwapOption};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::MissedTickBehavior;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What is in force now.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// The listeners by address.
    pub(crate) slots: ArcSwap<BTreeMap<SocketAddr, Arc<Slot>>>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Where the access log goes.
    pub(crate) log: ArcSwapOption<Log>,
    /// Who counts for the whole cluster.
    pub(crate) limiter: ArcSwapOption<Box<dyn Limiter>>,
    /// How many connections from clients may be open, if there are files enough (see `files`).
    pub(crate) most_connections: AtomicI64,
    /// What the workers saw when they last looked at their rooms.
    pub(crate) rooms: Rooms,
    /// Whether the proxy serves, drains or stops.
    pub(crate) phase: watch::Sender<Phase>,
    /// Whether the workers run.
    pub(crate) heartbeats: Heartbeats,
}

/// What a worker is told.
pub(crate) enum Command {
    /// Take connections from this socket.
    Listen(Arc<Slot>, TcpListener),
    /// Take no more connections at this address.
    Leave(SocketAddr),
    /// Close what belongs to upstreams that are gone.
    Sweep,
    /// Do this, and nothing else meanwhile.
    Run(Box<dyn FnOnce() + Send>),
    /// Finish and return.
    Stop,
}

/// A worker's own state.
pub(crate) struct Worker {
    /// What all workers share.
    pub(crate) shared: Arc<Shared>,
    /// Connections to upstreams.
    pub(crate) pools: Pools,
    /// Connections from clients.
    pub(crate) room: Room,
}

impl Worker {
    fn sweep(&self) {
        let snapshot = self.shared.snapshot.load();
        // Once for all pools: where there are thousands of upstreams, to go through them for each pool is millions of steps.
        let there: FxHashSet<u64> = snapshot.upstreams.values().map(|upstream| upstream.id).collect();
        self.pools.sweep(|id| there.contains(&id));
    }
}

/// How often unused connections are looked at.
const SWEEP: Duration = Duration::from_secs(5);

/// How often it is looked whether somebody has to leave, and who still waits; and lines of the log are handed over.
const LOOK: Duration = access_log::LONGEST;

/// Runs a worker until it is told to stop. The one without a number serves probes and metrics, and nothing that clients
/// or applications could keep busy.
pub(crate) fn run(
    shared: Arc<Shared>,
    number: Option<usize>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    // A task of its own: what is given to `block_on` is asked whenever any other task is.
    let obeying = local.spawn_local(async move {
        let worker = Rc::new(Worker { shared, pools: Pools::default(), room: Room::default() });
        let mut accepting: BTreeMap<SocketAddr, JoinHandle<()>> = BTreeMap::new();
        let mut sweep = tokio::time::interval(SWEEP);
        let mut beat = tokio::time::interval(BEAT);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Listen(slot, socket)) => {
                        let bind = slot.bind;
                        if let Ok(socket) = tokio::net::TcpListener::from_std(socket) {
                            let task = tokio::task::spawn_local(accept(Rc::clone(&worker), slot, socket));
                            accepting.insert(bind, task);
                        }
                    }
                    Some(Command::Leave(bind)) => {
                        if let Some(task) = accepting.remove(&bind) {
                            task.abort();
                        }
                    }
                    Some(Command::Sweep) => worker.sweep(),
                    Some(Command::Run(job)) => job(),
                    Some(Command::Stop) | None => return,
                },
                _ = sweep.tick() => worker.sweep(),
                _ = beat.tick() => {
                    if let Some(number) = number {
                        worker.shared.heartbeats.beat(number);
                    }
                }
                _ = look.tick() => {
                    access_log::hand_over();
                    patience::look();
                    if let Some(number) = number {
                        worker.shared.rooms.look(number, &worker.room);
                        queue::let_in();
                    }
                }
            }
        }
    });
    local.block_on(&runtime, obeying).map_err(std::io::Error::other)
}
