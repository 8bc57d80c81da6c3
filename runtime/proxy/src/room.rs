//! The places that clients' connections take, and which of them are given up when memory is tight.
//!
//! First go those whose clients do not read what they asked for, longest first: they hold the most, and may never let
//! go of it. Then those without a request, idle longest first. Only where memory is full and there is neither, those
//! go whose clients have been silent longest in the middle of a request.

use crate::memory::{Level, Reading};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a client may let an answer wait before it counts as one that does not read, and how long while memory is
/// full: then everybody waits until somebody has left.
const STALLED: Duration = Duration::from_secs(1);
const STALLED_WHEN_FULL: Duration = Duration::from_millis(100);

/// What is freed about by closing a connection: one with an answer that nobody reads, with what the kernel holds for it,
/// and another one. More than enough go at once if this is too little, too few if it is too much, and then more follow
/// at the next look.
const FREED_BY_STALLED: u64 = 256 << 10;
const FREED_BY_OTHER: u64 = 16 << 10;

/// How long it takes at most until what was told to leave has left and been counted. Before that, nobody else is told.
const LEAVING: Duration = Duration::from_millis(500);

/// How long memory must have been tight before idle clients are told, and full before slow ones are, also after the last
/// one was told that does not read: those are known by then, also on a busy machine (an answer goes on at 160 KiB/s while
/// memory is full, and up to 100 of it fit between this proxy and its client), and what they held is free.
const BEFORE_IDLE: Duration = Duration::from_secs(3);
const BEFORE_SLOW: Duration = Duration::from_secs(5);

/// Why a connection has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaving {
    /// Its client does not read.
    Unread,
    /// It has no request.
    Idle,
    /// Its client is slow.
    Slow,
}

impl Leaving {
    /// The word for it in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Leaving::Unread => "unread",
            Leaving::Idle => "idle",
            Leaving::Slow => "slow",
        }
    }

    /// The sentence for it in the log.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Leaving::Unread => "closed to free memory: the client does not read its answer",
            Leaving::Idle => "closed to free memory: no request for longest",
            Leaving::Slow => "closed to free memory: silent for longest in a request",
        }
    }
}

/// The place of one client's connection.
#[derive(Debug)]
pub(crate) struct Place {
    /// When its client last sent something, or took something.
    moved: Cell<Instant>,
    /// Since when it takes nothing although something is being written.
    blocked: Cell<Option<Instant>>,
    /// Requests whose answers have not passed; a relayed connection is one.
    requests: Cell<u32>,
    /// The answers that are passing, and since when each waits for its client.
    answers: RefCell<Vec<Rc<Passing>>>,
    /// Who waits until it takes something again.
    waiting: RefCell<Vec<Waker>>,
    told: Cell<Option<Leaving>>,
    leave: Notify,
}

/// An answer that is passing.
#[derive(Debug)]
pub(crate) struct Passing {
    waits: Cell<Option<Instant>>,
}

impl Passing {
    /// The client has got something, and may want more.
    pub(crate) fn got_some(&self, now: Instant) {
        self.waits.set(Some(now));
    }

    /// The client wants more than there is.
    pub(crate) fn wants_more(&self) {
        self.waits.set(None);
    }
}

impl Place {
    /// A place outside any room: nobody is ever asked to leave it.
    pub(crate) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Place {
            moved: Cell::new(now),
            blocked: Cell::new(None),
            requests: Cell::new(0),
            answers: RefCell::default(),
            waiting: RefCell::default(),
            told: Cell::new(None),
            leave: Notify::new(),
        })
    }

    /// The client sent something.
    pub(crate) fn sent(&self, now: Instant) {
        self.moved.set(now);
    }

    /// The client took something.
    pub(crate) fn took(&self, now: Instant) {
        self.moved.set(now);
        if self.blocked.take().is_some() {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }

    /// The client takes nothing.
    pub(crate) fn takes_nothing(&self, now: Instant) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(now));
        }
    }

    /// Returns once more of its answers may be kept: while memory is full, not before the client takes what there is.
    pub(crate) fn poll_takes(&self, level: Level, cx: &Context<'_>) -> Poll<()> {
        if level < Level::Full || self.blocked.get().is_none() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// A request begins.
    pub(crate) fn begin(&self) {
        self.requests.set(self.requests.get().saturating_add(1));
    }

    /// Its answer has passed.
    pub(crate) fn end(&self, now: Instant) {
        self.requests.set(self.requests.get().saturating_sub(1));
        self.moved.set(now);
    }

    /// An answer begins to pass.
    pub(crate) fn passing(&self) -> Rc<Passing> {
        let passing = Rc::new(Passing { waits: Cell::new(None) });
        self.answers.borrow_mut().push(Rc::clone(&passing));
        passing
    }

    /// It has passed.
    pub(crate) fn passed(&self, passing: &Rc<Passing>) {
        self.answers.borrow_mut().retain(|other| !Rc::ptr_eq(other, passing));
    }

    /// Returns when the place has to be given up, and why.
    pub(crate) async fn told(&self) -> Leaving {
        loop {
            if let Some(why) = self.told.get() {
                return why;
            }
            self.leave.notified().await;
        }
    }

    /// Since when the client does not read.
    fn unread_since(&self) -> Option<Instant> {
        let answers = self.answers.borrow();
        answers.iter().filter_map(|passing| passing.waits.get()).chain(self.blocked.get()).min()
    }

    fn leave(&self, why: Leaving) {
        if self.told.get().is_none() {
            self.told.set(Some(why));
            self.leave.notify_one();
        }
    }
}

/// The places of one worker.
#[derive(Debug, Default)]
pub(crate) struct Room {
    places: RefCell<BTreeMap<u64, Weak<Place>>>,
    next: Cell<u64>,
    /// When somebody was last told to leave.
    told: Cell<Option<Instant>>,
    /// Since when memory has been tight, with no client that does not read.
    tight: Cell<Option<Instant>>,
}

/// What a look at a room brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Clients that do not read, closed or not.
    pub(crate) stalled: u64,
    /// Connections that were told to leave.
    pub(crate) leaving: u64,
}

impl Room {
    /// A place in this room, until it is dropped.
    pub(crate) fn take(&self, now: Instant) -> Rc<Place> {
        let place = Place::new(now);
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.places.borrow_mut().insert(number, Rc::downgrade(&place));
        place
    }

    /// Tells as many to leave as memory demands of this worker, one of `workers`.
    pub(crate) fn clear(&self, reading: Reading, workers: u64, now: Instant) -> Told {
        self.places.borrow_mut().retain(|_, place| place.strong_count() > 0);
        let level = reading.level();
        let patience = if level == Level::Full { STALLED_WHEN_FULL } else { STALLED };
        let mut unread = self.which(|place| place.unread_since().filter(|since| now - *since >= patience));
        let stalled = unread.len() as u64;
        let excess = reading.excess() / workers.max(1);
        let leaving = match level {
            Level::Ample => {
                self.tight.set(None);
                0
            }
            Level::Tight | Level::Full if self.told.get().is_some_and(|told| now - told < LEAVING) => 0,
            Level::Tight | Level::Full if stalled > 0 => {
                self.tight.set(None);
                tell(&mut unread, Leaving::Unread, excess / FREED_BY_STALLED)
            }
            Level::Tight | Level::Full => {
                let since = self.tight.get().unwrap_or(now);
                self.tight.set(Some(since));
                self.tell_others(level, now - since, excess)
            }
        };
        if leaving > 0 {
            self.told.set(Some(now));
        }
        Told { stalled, leaving }
    }

    /// Tells the idle ones, or if there are none the slow ones, once memory has been tight for this long.
    fn tell_others(&self, level: Level, long: Duration, excess: u64) -> u64 {
        if long < BEFORE_IDLE {
            return 0;
        }
        let mut idle = self.which(|place| (place.requests.get() == 0).then(|| place.moved.get()));
        if !idle.is_empty() {
            return tell(&mut idle, Leaving::Idle, excess / FREED_BY_OTHER);
        }
        if level < Level::Full || long < BEFORE_SLOW {
            return 0;
        }
        let mut slow = self.which(|place| Some(place.moved.get()));
        tell(&mut slow, Leaving::Slow, excess / FREED_BY_OTHER)
    }

    /// The places for which there is a moment, and which have not been told yet.
    fn which(&self, since: impl Fn(&Place) -> Option<Instant>) -> Vec<(Instant, Rc<Place>)> {
        let places = self.places.borrow();
        let present = places.values().filter_map(Weak::upgrade).filter(|place| place.told.get().is_none());
        present.filter_map(|place| Some((since(&place)?, place))).collect()
    }
}

/// What the workers saw in their rooms, for whoever looks at the proxy as a whole.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// For each worker, how many of its clients do not read.
    stalled: Vec<AtomicU64>,
    /// How many were told to leave, altogether.
    told: AtomicU64,
}

impl Rooms {
    /// Of so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Rooms { stalled: (0..workers).map(|_| AtomicU64::new(0)).collect(), told: AtomicU64::new(0) }
    }

    /// Clears a worker's room as far as memory demands.
    pub(crate) fn look(&self, worker: usize, room: &Room) {
        let told = room.clear(Reading::now(), self.stalled.len() as u64, Instant::now());
        if let Some(stalled) = self.stalled.get(worker) {
            stalled.store(told.stalled, Ordering::Relaxed);
        }
        self.told.fetch_add(told.leaving, Ordering::Relaxed);
    }

    /// How many clients do not read.
    pub(crate) fn stalled(&self) -> u64 {
        self.stalled.iter().map(|stalled| stalled.load(Ordering::Relaxed)).sum()
    }

    /// How many were told to leave since the proxy started.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
}

/// Tells the first `count` of them to leave, but one at least if there is one.
fn tell(places: &mut [(Instant, Rc<Place>)], why: Leaving, count: u64) -> u64 {
    places.sort_by_key(|(since, _)| *since);
    let count = usize::try_from(count).unwrap_or(usize::MAX).max(1);
    let told = places.iter().take(count);
    told.map(|(_, place)| place.leave(why)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    const LIMIT: u64 = 100 << 20;

    fn reading(percent: u64) -> Reading {
        Reading { used: LIMIT / 100 * percent, limit: Some(LIMIT) }
    }

    fn told(places: &[Rc<Place>]) -> Vec<Option<Leaving>> {
        places.iter().map(|place| place.told.get()).collect()
    }

    #[tokio::test]
    async fn whoever_does_not_read_goes_first_and_only_when_memory_is_tight() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let idle = room.take(at(0));
        let [blocked, flow_controlled, reads] = [room.take(at(10)), room.take(at(10)), room.take(at(10))];
        [&blocked, &flow_controlled, &reads].iter().for_each(|place| place.begin());
        blocked.takes_nothing(at(10));
        flow_controlled.passing().got_some(at(11));
        let waits_for_the_upstream = reads.passing();
        waits_for_the_upstream.got_some(at(10));
        waits_for_the_upstream.wants_more();
        let places = [idle, blocked, flow_controlled, reads];
        let clear = |percent, second| room.clear(reading(percent), 1, at(second));
        assert_eq!(clear(64, 12), Told { stalled: 2, leaving: 0 });
        assert_eq!(told(&places), [None; 4]);
        assert_eq!(clear(65, 12), Told { stalled: 2, leaving: 1 }, "one at least");
        assert_eq!(told(&places), [None, Some(Leaving::Unread), None, None], "the longest first");
        assert_eq!(clear(65, 12).leaving, 0, "it has hardly left");
        assert_eq!(clear(65, 13).leaving, 1);
        assert_eq!(told(&places), [None, Some(Leaving::Unread), Some(Leaving::Unread), None]);
        assert_eq!((clear(65, 14).leaving, clear(65, 16).leaving), (0, 0), "what they held becomes free");
        assert_eq!(clear(65, 17).leaving, 1);
        assert_eq!(told(&places)[0], Some(Leaving::Idle), "then idle ones");
        assert_eq!(clear(74, 19).leaving, 0, "a request is not cut off as long as it is only tight");
        assert_eq!(clear(75, 19).leaving, 1);
        assert_eq!(told(&places)[3], Some(Leaving::Slow));
        assert_eq!(places[3].told().await, Leaving::Slow);
        assert_eq!(clear(99, 20).leaving, 0, "nobody is left to be told");
    }

    #[test]
    fn where_memory_is_full_a_short_wait_is_enough() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let room = Room::default();
        let place = room.take(at(0));
        place.takes_nothing(at(0));
        assert_eq!(room.clear(reading(74), 1, at(200)).leaving, 0);
        assert_eq!(room.clear(reading(75), 1, at(99)).leaving, 0);
        assert_eq!(room.clear(reading(75), 1, at(100)).leaving, 1);
        assert_eq!(told(&[place]), [Some(Leaving::Unread)]);
    }

    #[test]
    fn while_memory_is_full_nothing_more_is_kept_for_a_client_that_takes_nothing() {
        struct Woken(AtomicU64);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let woken = Arc::new(Woken(AtomicU64::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        let now = Instant::now();
        let place = Place::new(now);
        assert!(place.poll_takes(Level::Full, &context).is_ready(), "it takes what comes");
        place.takes_nothing(now);
        assert!(place.poll_takes(Level::Tight, &context).is_ready());
        assert!(place.poll_takes(Level::Full, &context).is_pending());
        assert!(place.poll_takes(Level::Full, &context).is_pending(), "asked twice, it is woken once");
        place.took(now);
        place.took(now);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(place.poll_takes(Level::Full, &context).is_ready());
    }

    #[test]
    fn the_oldest_idle_ones_go_as_many_as_needed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let places: Vec<Rc<Place>> = (0..1000).map(|second| room.take(at(second))).collect();
        // A request that has passed makes a connection young again.
        places[0].begin();
        places[0].end(at(1000));
        // Half a MiB for each of two workers, 16 KiB each.
        let used = LIMIT / 100 * 65 + (1 << 20);
        let clear = |second| room.clear(Reading { used, limit: Some(LIMIT) }, 2, at(second));
        assert_eq!(
            (clear(998).leaving, clear(1000).leaving),
            (0, 0),
            "somebody may be found who does not read"
        );
        assert_eq!(clear(1001).leaving, 32);
        let gone: Vec<usize> = (0..1000).filter(|n| places[*n].told.get().is_some()).collect();
        assert_eq!(gone, (1..33).collect::<Vec<_>>());
        drop(places);
        assert_eq!(room.clear(reading(99), 1, at(1002)).leaving, 0);
        assert!(room.places.borrow().is_empty(), "places that were given up are forgotten");
    }

    #[test]
    fn reading_a_little_is_reading() {
        let start = Instant::now();
        let room = Room::default();
        let place = room.take(start);
        place.begin();
        for second in 0..10 {
            place.takes_nothing(start + Duration::from_secs(second));
            place.took(start + Duration::from_millis(1000 * second + 999));
        }
        place.takes_nothing(start + Duration::from_secs(10));
        place.takes_nothing(start + Duration::from_secs(11));
        assert_eq!(room.clear(reading(70), 1, start + Duration::from_millis(10_999)), Told::default());
        assert_eq!(room.clear(reading(70), 1, start + Duration::from_millis(11_000)).leaving, 1);
    }
}
