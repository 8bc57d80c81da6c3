//! Who gets which connection to one endpoint: a state machine without sockets, tasks or a clock.
//!
//! What happens is told to it by calling a method, and what is to be done about it comes out of [`State::decisions`].
//! Requests wait in one queue, first come, first served, and each of them is answered exactly once: with a connection,
//! with the failure of one, or with a refusal; one that goes away before is forgotten. Every method does a bounded
//! amount of work, and nothing in here waits, so nobody can wake himself.
//!
//! It is the same machine for HTTP/1.1, where a connection carries one request at a time, and for HTTP/2, where it
//! carries as many as its other end allows.

use super::connections::{Connection, Connections, Phase};
use super::resets::Budget;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the limits of the whole upstream say, which other endpoints and workers count against as well.
pub(super) trait Room {
    /// Permission to have a connection, given back when it is dropped.
    type Connection;
    /// Permission to wait, given back when it is dropped.
    type Waiting;
    /// Why a connection could not be opened.
    type Failure: Clone;

    /// Permission for one more connection. The first one of a pool is always allowed, so that nobody waits for a
    /// connection that is another's.
    fn connection(&self, first: bool) -> Option<Self::Connection>;
    /// Permission for one more request to wait.
    fn waiting(&self) -> Option<Self::Waiting>;
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

/// A request that asked for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WaiterId(u64);

/// A request on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(u64);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision<F> {
    /// Open this connection, and tell how that went.
    Open(ConnectionId),
    /// The request gets a place on the connection.
    Serve(WaiterId, ConnectionId, StreamId),
    /// The request gets no connection, because none could be opened.
    Fail(WaiterId, F),
    /// The request gets no connection, because too many wait already.
    Refuse(WaiterId),
    /// Break the stream off, and tell when it is over.
    Reset(StreamId),
    /// Close the connection, on which nobody's request is left, and tell when it is gone.
    Close(ConnectionId),
}

/// What a pool's connections may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether a connection carries several requests at a time.
    pub(super) shared: bool,
    /// How many requests a connection carries in its life; `None` is without a bound.
    pub(super) per_connection: Option<u32>,
    /// How long a connection may be unused.
    pub(super) idle_timeout: Duration,
}

/// How many streams, whose clients are gone, may wait on one connection to be broken off. With more of them it takes no
/// further requests, and closes once the requests of others on it are done.
pub(super) const MOST_ABANDONED: usize = 16;

/// How long a stream that is nearly over may take to end by itself after its client has gone.
const GRACE: Duration = Duration::from_secs(1);

/// The connections to one endpoint and the requests that want one.
#[derive(Debug)]
pub(super) struct State<R: Room> {
    room: R,
    rules: Rules,
    connections: Connections<R::Connection>,
    /// The permission is missing for those on whose account a connection is being opened.
    waiters: VecDeque<(WaiterId, Option<R::Waiting>)>,
    decisions: VecDeque<Decision<R::Failure>>,
    /// How many streams the other end allowed on the connection that told last.
    learned: Option<u32>,
    /// Whether the endpoint is no longer wanted.
    leaving: bool,
    last_id: u64,
}

impl<R: Room> State<R> {
    /// Without connections.
    pub(super) fn new(room: R, rules: Rules) -> Self {
        State {
            room,
            rules,
            connections: Connections::default(),
            waiters: VecDeque::new(),
            decisions: VecDeque::new(),
            learned: None,
            leaving: false,
            last_id: 0,
        }
    }

    /// The next thing to do.
    pub(super) fn decision(&mut self) -> Option<Decision<R::Failure>> {
        self.decisions.pop_front()
    }

    /// Whether what it keeps of all connections together is true.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        self.connections.are_consistent()
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.waiters.is_empty()
    }

    /// Whether it still has this connection.
    pub(super) fn has(&self, id: ConnectionId) -> bool {
        self.connections.has(id)
    }

    /// A place that a request gets without waiting, if nobody waits and there is one; if not, it has to [`State::ask`].
    pub(super) fn take(&mut self) -> Option<(ConnectionId, StreamId)> {
        if self.waiters.is_empty() { self.place() } else { None }
    }

    /// A request wants a connection.
    pub(super) fn ask(&mut self, now: Instant) -> WaiterId {
        let waiter = WaiterId(self.fresh());
        self.waiters.push_back((waiter, None));
        self.serve();
        let opens = self.open(now);
        if !opens && self.waiters.back().is_some_and(|(last, _)| *last == waiter) {
            match self.room.waiting() {
                Some(permit) => {
                    if let Some((_, held)) = self.waiters.back_mut() {
                        *held = Some(permit);
                    }
                }
                None => {
                    self.waiters.pop_back();
                    self.decisions.push_back(Decision::Refuse(waiter));
                }
            }
        }
        waiter
    }

    /// A request has gone away. One that was answered before is meant by its stream from then on.
    pub(super) fn cancel(&mut self, waiter: WaiterId, now: Instant) {
        // They stand in the order of their numbers.
        if let Ok(position) = self.waiters.binary_search_by_key(&waiter, |(known, _)| *known) {
            self.waiters.remove(position);
            self.settle(now);
        }
    }

    /// A connection is open.
    pub(super) fn opened(&mut self, id: ConnectionId, now: Instant) {
        let shared = self.rules.shared;
        self.connections.change(id, |connection| {
            if connection.phase == Phase::Opening {
                connection.phase = Phase::Open;
                connection.capacity = if shared { None } else { Some(1) };
                connection.idle_since = now;
                connection.resets = Budget::new(now);
            }
        });
        self.settle(now);
    }

    /// A connection could not be opened.
    pub(super) fn failed(&mut self, id: ConnectionId, failure: &R::Failure, now: Instant) {
        if !self.connections.remove(id) {
            return;
        }
        // One shared connection is opened for all who wait, any other for one.
        let told = if self.rules.shared { self.waiters.len() } else { 1.min(self.waiters.len()) };
        for (waiter, _) in self.waiters.drain(..told) {
            self.decisions.push_back(Decision::Fail(waiter, failure.clone()));
        }
        self.settle(now);
    }

    /// The other end allows so many streams from now on.
    pub(super) fn allowed(&mut self, id: ConnectionId, streams: u32, now: Instant) {
        if self.connections.change(id, |connection| connection.capacity = Some(streams)).is_some() {
            self.learned = Some(streams);
        }
        self.settle(now);
    }

    /// Somebody has waited for long: connections whose other ends allow nothing take no more requests, and whoever waits still
    /// gets another one.
    pub(super) fn gives_up_waiting(&mut self, now: Instant) {
        for id in self.connections.ids() {
            self.connections.change(id, |connection| {
                if connection.phase == Phase::Open && connection.capacity == Some(0) {
                    connection.phase = Phase::Leaving;
                }
            });
        }
        self.settle(now);
    }

    /// Whether the other end of a connection allows nothing for now.
    pub(super) fn allows_nothing(&self) -> bool {
        self.connections.allow_nothing()
    }

    /// A stream is over. Unless it ended `well`, a connection that is not shared can carry no other one.
    pub(super) fn finished(&mut self, id: ConnectionId, stream: StreamId, well: bool, now: Instant) {
        let shared = self.rules.shared;
        self.connections.change(id, |connection| {
            match connection.abandoned.iter().position(|(known, _)| *known == stream) {
                Some(position) => drop(connection.abandoned.remove(position)),
                None => connection.active = connection.active.saturating_sub(1),
            }
            if well {
                connection.resets.finished();
            }
            if connection.streams() == 0 {
                connection.idle_since = now;
            }
            if !well && !shared && connection.phase == Phase::Open {
                connection.phase = Phase::Leaving;
            }
        });
        self.settle(now);
    }

    /// A stream's client is gone. If it is `nearly_over`, it may end by itself first.
    pub(super) fn abandon(&mut self, id: ConnectionId, stream: StreamId, nearly_over: bool, now: Instant) {
        let abandoned = self.connections.change(id, |connection| {
            if !nearly_over && connection.resets.take(now) {
                return false;
            }
            connection.active = connection.active.saturating_sub(1);
            connection.abandoned.push_back((stream, if nearly_over { now + GRACE } else { now }));
            let hopeless = connection.abandoned.len() > MOST_ABANDONED || connection.resets.is_spent();
            if hopeless && connection.phase == Phase::Open {
                connection.phase = Phase::Leaving;
            }
            true
        });
        match abandoned {
            Some(true) => self.settle(now),
            Some(false) | None => self.decisions.push_back(Decision::Reset(stream)),
        }
    }

    /// Time has passed: breaks off what may be broken off by now.
    pub(super) fn tick(&mut self, now: Instant) {
        let abandoned: Vec<_> = self.connections.abandoned().map(|(id, _)| id).collect();
        for id in abandoned {
            let decisions = &mut self.decisions;
            self.connections.change(id, |connection| {
                while let Some(position) = connection.abandoned.iter().position(|(_, from)| *from <= now)
                    && connection.resets.take(now)
                {
                    if let Some((stream, _)) = connection.abandoned.remove(position) {
                        connection.active = connection.active.saturating_add(1);
                        decisions.push_back(Decision::Reset(stream));
                    }
                }
                let hopeless = !connection.abandoned.is_empty() && connection.resets.is_spent();
                if hopeless && connection.phase == Phase::Open {
                    connection.phase = Phase::Leaving;
                }
            });
        }
        self.settle(now);
    }

    /// When [`State::tick`] has something to do, unless something else happens before.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let due = self.connections.abandoned().filter_map(|(_, connection)| {
            let earliest = connection.abandoned.iter().map(|(_, from)| *from).min()?;
            Some(earliest.max(connection.resets.next()?))
        });
        due.min()
    }

    /// The other end takes no more requests on a connection; those on it go on.
    pub(super) fn leaves(&mut self, id: ConnectionId, now: Instant) {
        self.connections.change(id, |connection| match connection.phase {
            Phase::Opening | Phase::Open => connection.phase = Phase::Leaving,
            Phase::Leaving | Phase::Closing => {}
        });
        self.settle(now);
    }

    /// A connection is gone, with everything on it.
    pub(super) fn gone(&mut self, id: ConnectionId, now: Instant) {
        self.connections.remove(id);
        self.settle(now);
    }

    /// Closes connections that were unused for too long; and asks for more of them again, since the limits that forbade
    /// it are not this pool's alone.
    pub(super) fn sweep(&mut self, now: Instant) {
        let most = self.rules.idle_timeout;
        for id in self.connections.ids() {
            self.connections.change(id, |connection| {
                let unused = now.saturating_duration_since(connection.idle_since);
                let idle = connection.phase == Phase::Open && connection.streams() == 0;
                if idle && unused >= most {
                    connection.phase = Phase::Leaving;
                }
            });
        }
        self.settle(now);
    }

    /// The endpoint is no longer wanted: closes what is unused now, and the rest after its requests.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving = true;
        self.settle(now);
    }

    fn fresh(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Everything that follows from a change.
    fn settle(&mut self, now: Instant) {
        self.serve();
        self.open(now);
        self.close();
    }

    /// A place for one more request, if there is one.
    fn place(&mut self) -> Option<(ConnectionId, StreamId)> {
        let id = self.connections.with_room()?;
        self.last_id += 1;
        let most = self.rules.per_connection;
        self.connections.change(id, |connection| {
            connection.active = connection.active.saturating_add(1);
            connection.carried = connection.carried.saturating_add(1);
            if most.is_some_and(|most| connection.carried >= most) {
                connection.phase = Phase::Leaving;
            }
        });
        Some((id, StreamId(self.last_id)))
    }

    /// Gives what there is to those who wait.
    fn serve(&mut self) {
        while let Some((waiter, _)) = self.waiters.front() {
            let waiter = *waiter;
            let Some((id, stream)) = self.place() else { return };
            self.decisions.push_back(Decision::Serve(waiter, id, stream));
            self.waiters.pop_front();
        }
    }

    /// Opens what those who still wait need, as far as it is allowed; whether it opened any.
    fn open(&mut self, now: Instant) -> bool {
        let mut opens = false;
        // Another connection would be told the same by an other end that allows nothing for now.
        if self.connections.allow_nothing() {
            return opens;
        }
        loop {
            let promises = self.connections.promise_room();
            let each = match (self.rules.shared, self.learned) {
                (false, _) => 1,
                (true, Some(learned)) => usize::try_from(learned.max(1)).unwrap_or(usize::MAX),
                (true, None) => usize::MAX,
            };
            if self.waiters.len() <= promises.saturating_mul(each) {
                return opens;
            }
            let Some(permit) = self.room.connection(self.connections.is_empty()) else { return opens };
            let id = ConnectionId(self.fresh());
            self.connections.add(id, Connection::new(permit, now));
            self.decisions.push_back(Decision::Open(id));
            opens = true;
        }
    }

    /// Closes what is to be closed and has nobody's request on it.
    fn close(&mut self) {
        let unwanted = self.leaving && self.waiters.is_empty();
        let candidates = if unwanted { self.connections.ids() } else { self.connections.over() };
        for id in candidates {
            let decisions = &mut self.decisions;
            self.connections.change(id, |connection| {
                let leaves = match connection.phase {
                    Phase::Open => unwanted,
                    Phase::Leaving => true,
                    Phase::Opening | Phase::Closing => false,
                };
                if leaves && connection.active == 0 {
                    connection.phase = Phase::Closing;
                    for (stream, _) in connection.abandoned.drain(..) {
                        connection.active = connection.active.saturating_add(1);
                        decisions.push_back(Decision::Reset(stream));
                    }
                    decisions.push_back(Decision::Close(id));
                }
            });
        }
    }
}
