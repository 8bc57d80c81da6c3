//! The connections of one endpoint, with what is asked about all of them kept up to date, so that a request costs the same
//! whether there is one connection or ten thousand.

use super::resets::Budget;
use super::state::{ConnectionId, StreamId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Open,
    /// Takes no more requests.
    Leaving,
    /// Was told to close.
    Closing,
}

#[derive(Debug)]
pub(super) struct Connection<P> {
    #[expect(dead_code, reason = "held for its drop")]
    permit: P,
    pub(super) phase: Phase,
    /// How many streams the other end allows at a time; `None` until it has told, when one may be tried.
    pub(super) capacity: Option<u32>,
    /// How many requests it has carried, those on it included.
    pub(super) carried: u32,
    /// Streams whose clients wait, or which are being broken off.
    pub(super) active: u32,
    /// Streams whose clients are gone, and from when on they may be broken off.
    pub(super) abandoned: VecDeque<(StreamId, Instant)>,
    pub(super) resets: Budget,
    pub(super) idle_since: Instant,
}

impl<P> Connection<P> {
    /// One that is being opened.
    pub(super) fn new(permit: P, now: Instant) -> Self {
        Connection {
            permit,
            phase: Phase::Opening,
            capacity: None,
            carried: 0,
            active: 0,
            abandoned: VecDeque::new(),
            resets: Budget::new(now),
            idle_since: now,
        }
    }

    pub(super) fn streams(&self) -> u32 {
        self.active.saturating_add(u32::try_from(self.abandoned.len()).unwrap_or(u32::MAX))
    }

    fn facts(&self) -> Facts {
        let is_open = self.phase == Phase::Open;
        let streams = self.streams();
        Facts {
            // What is sent before the other end has told how much it allows would wait for ever if that is nothing.
            room: (is_open && streams < self.capacity.unwrap_or(0)).then_some(streams),
            // An open one until the other end has told.
            promises_room: self.phase == Phase::Opening || (is_open && self.capacity.is_none()),
            allows_nothing: is_open && self.capacity == Some(0),
            is_over: self.phase == Phase::Leaving && self.active == 0,
            is_abandoned: !self.abandoned.is_empty(),
        }
    }
}

/// What is asked about all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Facts {
    /// How many streams it has, if there is room for one more.
    room: Option<u32>,
    /// Whether it will have room although it has none, without a request on it having to end.
    promises_room: bool,
    /// Whether its other end allows nothing for now.
    allows_nothing: bool,
    /// Whether it takes no more requests and has none that somebody waits for.
    is_over: bool,
    /// Whether it has streams whose clients are gone.
    is_abandoned: bool,
}

/// All of them. Whatever changes one goes through [`Connections::change`].
#[derive(Debug)]
pub(super) struct Connections<P> {
    all: BTreeMap<ConnectionId, Connection<P>>,
    /// Those with room for one more stream, by how many they have.
    with_room: BTreeSet<(u32, ConnectionId)>,
    promise_room: usize,
    allow_nothing: usize,
    over: BTreeSet<ConnectionId>,
    /// Those with streams whose clients are gone.
    abandoned: BTreeSet<ConnectionId>,
}

impl<P> Default for Connections<P> {
    fn default() -> Self {
        Connections {
            all: BTreeMap::new(),
            with_room: BTreeSet::new(),
            promise_room: 0,
            allow_nothing: 0,
            over: BTreeSet::new(),
            abandoned: BTreeSet::new(),
        }
    }
}

impl<P> Connections<P> {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn has(&self, id: ConnectionId) -> bool {
        self.all.contains_key(&id)
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.all.keys().copied().collect()
    }

    /// The one with the fewest streams of those with room; of those the oldest, so that what is too much falls idle.
    pub(super) fn with_room(&self) -> Option<ConnectionId> {
        self.with_room.first().map(|(_, id)| *id)
    }

    /// How many will have room although they have none, without a request having to end.
    pub(super) fn promise_room(&self) -> usize {
        self.promise_room
    }

    /// Whether the other end of one allows nothing for now.
    pub(super) fn allow_nothing(&self) -> bool {
        self.allow_nothing > 0
    }

    /// Those that take no more requests and have none that somebody waits for.
    pub(super) fn over(&self) -> Vec<ConnectionId> {
        self.over.iter().copied().collect()
    }

    /// Those with streams whose clients are gone.
    pub(super) fn abandoned(&self) -> impl Iterator<Item = (ConnectionId, &Connection<P>)> {
        self.abandoned.iter().filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    pub(super) fn add(&mut self, id: ConnectionId, connection: Connection<P>) {
        self.note(id, Facts::default(), connection.facts());
        self.all.insert(id, connection);
    }

    /// Forgets one; whether there was such a one.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.all.remove(&id) else { return false };
        self.note(id, connection.facts(), Facts::default());
        true
    }

    /// Changes one, if it is there.
    pub(super) fn change<T>(
        &mut self,
        id: ConnectionId,
        change: impl FnOnce(&mut Connection<P>) -> T,
    ) -> Option<T> {
        let connection = self.all.get_mut(&id)?;
        let before = connection.facts();
        let result = change(connection);
        let after = connection.facts();
        self.note(id, before, after);
        Some(result)
    }

    /// Whether what is kept up to date is what each connection tells.
    #[cfg(test)]
    pub(super) fn are_consistent(&self) -> bool {
        let mut fresh = Connections::<P>::default();
        self.all.iter().for_each(|(id, connection)| fresh.note(*id, Facts::default(), connection.facts()));
        (&fresh.with_room, fresh.promise_room, fresh.allow_nothing, &fresh.over, &fresh.abandoned)
            == (&self.with_room, self.promise_room, self.allow_nothing, &self.over, &self.abandoned)
    }

    fn note(&mut self, id: ConnectionId, before: Facts, after: Facts) {
        if before.room != after.room {
            before.room.map(|streams| self.with_room.remove(&(streams, id)));
            after.room.map(|streams| self.with_room.insert((streams, id)));
        }
        let moved = |count: usize, was: bool, is: bool| count + usize::from(is) - usize::from(was);
        self.promise_room = moved(self.promise_room, before.promises_room, after.promises_room);
        self.allow_nothing = moved(self.allow_nothing, before.allows_nothing, after.allows_nothing);
        keep(&mut self.over, id, before.is_over, after.is_over);
        keep(&mut self.abandoned, id, before.is_abandoned, after.is_abandoned);
    }
}

/// Has one in a set if it belongs there.
fn keep(set: &mut BTreeSet<ConnectionId>, id: ConnectionId, was: bool, is: bool) {
    match (was, is) {
        (false, true) => drop(set.insert(id)),
        (true, false) => drop(set.remove(&id)),
        (true, true) | (false, false) => {}
    }
}
