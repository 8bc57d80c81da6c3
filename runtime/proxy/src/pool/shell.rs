//! Does what the state machine of a pool decides: opens and closes connections, wakes requests, breaks streams off.

use super::NoConnection;
use super::exchange::Kept;
use super::lease::{Checkout, Lease, OneAtATime, Stream};
use super::open::{Link, open};
use super::resets::LastReset;
use super::state::{ConnectionId, Decision, Room, Rules, State, StreamId, WaiterId};
use crate::balance::Picked;
use crate::connect::ConnectFailure;
use crate::metrics::Metrics;
use crate::patience;
use crate::upstream::{Held, Spoken, Upstream};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::Context;
use std::time::Instant;
use tokio::sync::oneshot;

/// The limits of an upstream, which all workers and endpoints share.
pub(super) struct Limits(Arc<Upstream>);

fn connections(upstream: &Upstream) -> &AtomicU32 {
    &upstream.load.connections
}

fn pending(upstream: &Upstream) -> &AtomicU32 {
    &upstream.load.pending
}

impl Room for Limits {
    type Connection = Held<Upstream>;
    type Waiting = Held<Upstream>;
    type Failure = ConnectFailure;

    fn connection(&self, first: bool) -> Option<Held<Upstream>> {
        let limit = self.0.config.pool.max_connections;
        if first { Some(Held::raise(&self.0, connections)) } else { Held::below(&self.0, connections, limit) }
    }

    fn waiting(&self) -> Option<Held<Upstream>> {
        Held::below(&self.0, pending, self.0.config.pool.max_pending)
    }
}

type Answer = Result<Checkout, NoConnection>;

/// The connections of one worker to one endpoint.
pub(super) struct Pool {
    picked: Picked,
    spoken: Spoken,
    metrics: Arc<Metrics>,
    state: RefCell<State<Limits>>,
    waiting: RefCell<BTreeMap<WaiterId, oneshot::Sender<Answer>>>,
    links: RefCell<BTreeMap<ConnectionId, Link>>,
    /// Streams whose clients are gone.
    kept: RefCell<BTreeMap<StreamId, Kept>>,
    /// Whether decisions are being carried out, further up on the stack.
    acting: Cell<bool>,
    /// When the timer wakes that breaks streams off, if it runs.
    timer: Cell<Option<Instant>>,
}

/// Takes a request out of the queue when it goes away.
struct Waiting {
    pool: Rc<Pool>,
    waiter: WaiterId,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.pool.waiting.borrow_mut().remove(&self.waiter).is_some() {
            self.pool.tell(|state, now| state.cancel(self.waiter, now));
        }
    }
}

impl Pool {
    /// Without connections.
    pub(super) fn new(picked: Picked, spoken: Spoken, metrics: Arc<Metrics>) -> Rc<Self> {
        let rules = Rules {
            shared: spoken == Spoken::Http2,
            per_connection: picked.group().and_then(|group| group.config.requests_per_connection),
            idle_timeout: picked.upstream.config.pool.idle_timeout,
        };
        let state = State::new(Limits(Arc::clone(&picked.upstream)), rules);
        Rc::new(Pool {
            picked,
            spoken,
            metrics,
            state: RefCell::new(state),
            waiting: RefCell::default(),
            links: RefCell::default(),
            kept: RefCell::default(),
            acting: Cell::new(false),
            timer: Cell::new(None),
        })
    }

    /// The upstream that it belongs to.
    pub(super) fn upstream(&self) -> u64 {
        self.picked.upstream.id
    }

    /// Whether it has no connection and no request.
    pub(super) fn is_empty(&self) -> bool {
        self.state.borrow().is_empty()
    }

    /// A connection for one request.
    pub(super) async fn checkout(self: &Rc<Self>) -> Answer {
        let place = self.state.borrow_mut().take();
        if let Some((id, stream)) = place {
            return self.link(id, stream).ok_or(NoConnection::Overflow);
        }
        let (sender, receiver) = oneshot::channel();
        let waiter = self.state.borrow_mut().ask(Instant::now());
        self.waiting.borrow_mut().insert(waiter, sender);
        let _waiting = Waiting { pool: Rc::clone(self), waiter };
        self.act();
        let mut receiver = receiver;
        loop {
            // The state machine answers everybody, so the channel is never closed without an answer. But it does not know how
            // long that takes, and the other end of a connection may allow no request for ever.
            let limit = self.picked.upstream.config.connect_timeout;
            if let Some(answer) = patience::within(limit, &mut receiver).await {
                return answer.unwrap_or(Err(NoConnection::Overflow));
            }
            if self.spoken == Spoken::Http2 && self.tells_of_no_streams(waiter) {
                return Err(NoConnection::Failed(self.no_streams()));
            }
        }
    }

    /// Whether a request that has waited for as long as connecting may take waits for a connection on which no request is
    /// allowed. It waits no more then, and who has come since gets another connection.
    fn tells_of_no_streams(self: &Rc<Self>, waiter: WaiterId) -> bool {
        if !self.state.borrow().allows_nothing() || self.waiting.borrow_mut().remove(&waiter).is_none() {
            return false;
        }
        self.tell(|state, now| {
            state.cancel(waiter, now);
            state.gives_up_waiting(now);
        });
        true
    }

    fn no_streams(&self) -> ConnectFailure {
        let (upstream, group) = (&self.picked.upstream.name, self.picked.group_name());
        let failure = ConnectFailure {
            reason: "no_streams",
            message: format!("{} allows no request on its connection", self.picked.endpoint.address),
        };
        self.metrics.connect_failures.add(&[upstream, group, failure.reason], 1);
        failure
    }

    /// Closes what was unused for too long, or everything that is unused if the upstream is gone.
    pub(super) fn sweep(self: &Rc<Self>, exists: bool, now: Instant) {
        if exists {
            self.tell(|state, _| state.sweep(now));
        } else {
            self.tell(State::leave);
        }
    }

    /// Tells the state machine what happened, and does what follows.
    pub(super) fn tell<T>(self: &Rc<Self>, event: impl FnOnce(&mut State<Limits>, Instant) -> T) -> T {
        let told = event(&mut self.state.borrow_mut(), Instant::now());
        self.act();
        told
    }

    /// Keeps a stream whose client is gone, until it is over or broken off.
    pub(super) fn keep(self: &Rc<Self>, at: (ConnectionId, StreamId), kept: Kept, nearly_over: bool) {
        let (connection, stream) = at;
        self.kept.borrow_mut().insert(stream, kept);
        self.tell(|state, now| state.abandon(connection, stream, nearly_over, now));
        // Unless it was broken off at once, it goes on in the background.
        let still = self.kept.borrow_mut().remove(&stream);
        if let Some(still) = still {
            self.kept.borrow_mut().insert(stream, still.go_on());
        }
        self.set_timer();
    }

    /// A stream is over.
    pub(super) fn finished(self: &Rc<Self>, at: (ConnectionId, StreamId), well: bool) {
        let (connection, stream) = at;
        let over = self.kept.borrow_mut().remove(&stream);
        drop(over);
        self.tell(|state, now| state.finished(connection, stream, well, now));
    }

    /// Gives an HTTP/1.1 connection back.
    pub(super) fn put_back(&self, connection: ConnectionId, link: Link) {
        if self.state.borrow().has(connection) {
            self.links.borrow_mut().insert(connection, link);
        }
    }

    /// Something came on a connection, or it ended: looks what it was, unless somebody uses it.
    pub(super) fn look(&self, connection: ConnectionId) {
        let has_ended = match self.links.borrow().get(&connection) {
            Some(Link::Single(single)) => single.has_ended(),
            Some(Link::Shared(..)) | None => false,
        };
        if has_ended {
            // The pool is told by the drop.
            let link = self.links.borrow_mut().remove(&connection);
            drop(link);
        }
    }

    /// Whether the other end of a shared connection takes no more requests, as far as is seen without waiting.
    pub(super) fn has_taken_leave(&self, connection: ConnectionId, cx: &mut Context<'_>) -> bool {
        match self.links.borrow_mut().get_mut(&connection) {
            Some(Link::Shared(sender, _)) => sender.over(cx).is_some(),
            Some(Link::Single(_)) | None => false,
        }
    }

    /// A connection takes no more requests.
    pub(super) fn leaves(self: &Rc<Self>, connection: ConnectionId) {
        self.tell(|state, now| state.leaves(connection, now));
        let link = self.links.borrow_mut().remove(&connection);
        drop(link);
    }

    /// A connection is gone.
    pub(super) fn gone(self: &Rc<Self>, connection: ConnectionId) {
        self.tell(|state, now| state.gone(connection, now));
        let link = self.links.borrow_mut().remove(&connection);
        drop(link);
    }

    /// Carries out what was decided. What happens meanwhile is decided and carried out in the same loop, however deep
    /// on the stack it happens.
    fn act(self: &Rc<Self>) {
        if self.acting.replace(true) {
            return;
        }
        loop {
            let decision = self.state.borrow_mut().decision();
            let Some(decision) = decision else { break };
            match decision {
                Decision::Open(id) => self.open(id),
                Decision::Serve(waiter, id, stream) => self.serve(waiter, id, stream),
                Decision::Fail(waiter, failure) => self.answer(waiter, Err(NoConnection::Failed(failure))),
                Decision::Refuse(waiter) => self.answer(waiter, Err(NoConnection::Overflow)),
                Decision::Reset(stream) => {
                    let kept = self.kept.borrow_mut().remove(&stream);
                    if let Some(kept) = kept {
                        kept.break_off();
                    }
                }
                Decision::Close(id) => {
                    let link = self.links.borrow_mut().remove(&id);
                    drop(link);
                }
            }
        }
        self.acting.set(false);
    }

    fn answer(&self, waiter: WaiterId, answer: Answer) {
        let waiting = self.waiting.borrow_mut().remove(&waiter);
        if let Some(waiting) = waiting {
            // Whoever has gone away gives the connection back by dropping it.
            let _ = waiting.send(answer);
        }
    }

    fn serve(self: &Rc<Self>, waiter: WaiterId, id: ConnectionId, stream: StreamId) {
        let checkout = self.link(id, stream);
        // A connection that has just ended is told to have done so; the request may as well hear it was full.
        self.answer(waiter, checkout.ok_or(NoConnection::Overflow));
    }

    /// The place of a stream on a connection that is open.
    fn link(self: &Rc<Self>, id: ConnectionId, stream: StreamId) -> Option<Checkout> {
        let lease = |last_reset| Lease::new(Rc::clone(self), id, stream, last_reset);
        let mut links = self.links.borrow_mut();
        match links.get(&id) {
            Some(Link::Shared(sender, last_reset)) => {
                let lease = lease(last_reset.clone());
                Some(Checkout::Http2(Stream::new(sender.clone(), lease)))
            }
            Some(Link::Single(_)) => match links.remove(&id) {
                Some(Link::Single(single)) => {
                    Some(Checkout::Http1(OneAtATime::new(single, lease(LastReset::default()))))
                }
                Some(Link::Shared(..)) | None => None,
            },
            None => None,
        }
    }

    fn open(self: &Rc<Self>, id: ConnectionId) {
        let pool = Rc::downgrade(self);
        let (picked, spoken, metrics) = (self.picked.clone(), self.spoken, Arc::clone(&self.metrics));
        tokio::task::spawn_local(async move {
            let opened = open(&picked, spoken, &metrics, (Weak::clone(&pool), id)).await;
            // Without its pool, the connection is not wanted any more.
            let Some(pool) = pool.upgrade() else { return };
            match opened {
                Ok(link) => {
                    pool.links.borrow_mut().insert(id, link);
                    pool.tell(|state, now| state.opened(id, now));
                }
                Err(failure) => pool.tell(|state, now| state.failed(id, &failure, now)),
            }
        });
    }

    /// Sees to it that streams are broken off when their time comes.
    fn set_timer(self: &Rc<Self>) {
        let Some(at) = self.state.borrow().next_tick() else { return };
        if self.timer.get().is_some_and(|set| set <= at) {
            return;
        }
        self.timer.set(Some(at));
        let pool = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep_until(at.into()).await;
            if let Some(pool) = pool.upgrade().filter(|pool| pool.timer.get() == Some(at)) {
                pool.timer.set(None);
                pool.tell(State::tick);
                pool.set_timer();
            }
        });
    }
}
