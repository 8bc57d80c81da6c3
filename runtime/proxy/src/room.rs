//! The places that clients' connections take, and which of them are given up when memory is tight.
//!
//! First goes what clients asked for and do not read, longest first: it holds the most, and may never let go of it. Over
//! HTTP/1.1 the connection is closed; over HTTP/2 the one answer is reset, since others share its connection. Then go the
//! connections without a request, idle longest first. Only where memory is full and there is neither, those go whose
//! clients have been silent longest in the middle of a request.

use crate::memory::{Level, Reading};
use crate::place::{Leaving, Place, Unread};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
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
const LEAVING: Duration = Duration::from_millis(250);

/// How long memory must have been tight before idle clients are told, and full before slow ones are, also after the last
/// one was told that does not read: those are known by then (an answer goes on at 320 KiB/s while memory is full, and up
/// to 100 of it fit between this proxy and its client), and what they held is free.
const BEFORE_IDLE: Duration = Duration::from_secs(3);
const BEFORE_SLOW: Duration = Duration::from_secs(5);

/// The same for idle ones as long as answers have moved just now: on a busy machine it takes longer until it shows whose
/// they are who does not read, and with everybody who reads memory becomes free. Idle clients hold little.
const BEFORE_IDLE_WHILE_MOVING: Duration = Duration::from_secs(10);
const JUST_NOW: Duration = Duration::from_millis(500);

/// The places of one worker.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Those that are there, and since the last look some that are not.
    places: RefCell<Vec<Weak<Place>>>,
    /// When somebody was last told to leave.
    told: Cell<Option<Instant>>,
    /// Since when memory has been tight, with no client that does not read.
    tight: Cell<Option<Instant>>,
}

/// What a look at a room brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Answers and connections that are not read, given up or not.
    pub(crate) stalled: u64,
    /// Those that were given up, and other connections that were told to leave.
    pub(crate) leaving: u64,
}

/// The other workers of the proxy, all of which see the same memory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Others {
    /// How many there are.
    pub(crate) workers: u64,
    /// What is not read of theirs.
    pub(crate) stalled: u64,
}

impl Others {
    /// This worker's part in what has to be freed: as much as `stalled`, what is not read of its own, is of all, or an
    /// equal part where everything is read.
    fn share(self, excess: u64, stalled: u64) -> u64 {
        let (part, all) = match stalled.saturating_add(self.stalled) {
            0 => (1, self.workers.saturating_add(1)),
            all => (stalled, all),
        };
        excess.saturating_mul(part) / all
    }
}

impl Room {
    /// A place in this room, until it is dropped.
    pub(crate) fn take(&self, now: Instant) -> Rc<Place> {
        let place = Place::new(now);
        self.places.borrow_mut().push(Rc::downgrade(&place));
        place
    }

    /// Tells as many to leave as memory demands of this worker.
    pub(crate) fn clear(&self, reading: Reading, others: Others, now: Instant) -> Told {
        self.places.borrow_mut().retain(|place| place.strong_count() > 0);
        let level = reading.pressed().level();
        let patience = if level == Level::Full { STALLED_WHEN_FULL } else { STALLED };
        let unread: Vec<_> = self.present().flat_map(|place| place.unread(patience, now)).collect();
        let stalled = unread.len() as u64;
        let leaving = match level {
            Level::Ample => {
                self.tight.set(None);
                0
            }
            Level::Tight | Level::Full if self.told.get().is_some_and(|told| now - told < LEAVING) => 0,
            Level::Tight | Level::Full => self.make_room(reading, others, unread, now),
        };
        if leaving > 0 {
            self.told.set(Some(now));
        }
        Told { stalled, leaving }
    }

    /// Tells as many to leave as are too many beside those who have been told and have not left yet.
    fn make_room(
        &self,
        reading: Reading,
        others: Others,
        mut unread: Vec<(Instant, Unread)>,
        now: Instant,
    ) -> u64 {
        let free_soon = self.free_soon();
        let excess = others.share(reading.pressed().excess(), unread.len() as u64).saturating_sub(free_soon);
        if free_soon > 0 && excess == 0 {
            return 0;
        }
        if !unread.is_empty() || others.stalled > 0 {
            self.tight.set(None);
            return tell(&mut unread, Unread::give_up, excess / FREED_BY_STALLED);
        }
        // Only who does not read leaves for those who wait.
        let level = reading.level();
        if level == Level::Ample {
            self.tight.set(None);
            return 0;
        }
        let since = self.tight.get().unwrap_or(now);
        self.tight.set(Some(since));
        let excess = others.share(reading.excess(), 0).saturating_sub(free_soon);
        self.tell_others(level, now - since, excess, now)
    }

    /// Tells the idle ones, or if there are none the slow ones, once memory has been tight for this long.
    fn tell_others(&self, level: Level, long: Duration, excess: u64, now: Instant) -> u64 {
        let is_moving = || self.present().any(|place| place.moved_an_answer(now - JUST_NOW));
        if long < BEFORE_IDLE || (long < BEFORE_IDLE_WHILE_MOVING && is_moving()) {
            return 0;
        }
        let idle = self.present().filter_map(|place| Some((place.idle_since()?, place)));
        let mut idle: Vec<_> = idle.collect();
        if !idle.is_empty() {
            return tell(&mut idle, |place| place.leave(Leaving::Idle), excess / FREED_BY_OTHER);
        }
        if level < Level::Full || long < BEFORE_SLOW {
            return 0;
        }
        let mut slow: Vec<_> = self.present().map(|place| (place.moved(), place)).collect();
        tell(&mut slow, |place| place.leave(Leaving::Slow), excess / FREED_BY_OTHER)
    }

    /// What becomes free when those have left who were told to.
    fn free_soon(&self) -> u64 {
        let places = self.places.borrow();
        let present = places.iter().filter_map(Weak::upgrade);
        let freed = present.map(|place| match place.why_told() {
            Some(Leaving::Unread) => FREED_BY_STALLED,
            Some(Leaving::Idle | Leaving::Slow) => FREED_BY_OTHER,
            None => place.given_up().saturating_mul(FREED_BY_STALLED),
        });
        freed.sum()
    }

    /// The places that have not been told to leave.
    fn present(&self) -> impl Iterator<Item = Rc<Place>> {
        let places: Vec<_> = self.places.borrow().iter().filter_map(Weak::upgrade).collect();
        places.into_iter().filter(|place| place.why_told().is_none())
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
        let others = self.stalled.iter().enumerate().filter(|(number, _)| *number != worker);
        let others = others.fold(Others::default(), |sum, (_, stalled)| Others {
            workers: sum.workers + 1,
            stalled: sum.stalled.saturating_add(stalled.load(Ordering::Relaxed)),
        });
        let told = room.clear(Reading::now(), others, Instant::now());
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
fn tell<T>(them: &mut [(Instant, T)], leave: impl Fn(&T), count: u64) -> u64 {
    them.sort_by_key(|(since, _)| *since);
    let count = usize::try_from(count).unwrap_or(usize::MAX).max(1);
    them.iter().take(count).map(|(_, it)| leave(it)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100 << 20;
    const ALONE: Others = Others { workers: 0, stalled: 0 };

    fn reading(percent: u64) -> Reading {
        Reading { used: LIMIT / 100 * percent, limit: Some(LIMIT), waiting: 0 }
    }

    fn told(places: &[Rc<Place>]) -> Vec<Option<Leaving>> {
        places.iter().map(|place| place.why_told()).collect()
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
        flow_controlled.passing(None).got_some(at(11));
        let waits_for_the_upstream = reads.passing(None);
        waits_for_the_upstream.got_some(at(10));
        waits_for_the_upstream.wants_more();
        let clear = |percent, second| room.clear(reading(percent), ALONE, at(second));
        let told = |place: &Rc<Place>| place.why_told();
        assert_eq!(clear(64, 12), Told { stalled: 2, leaving: 0 });
        assert_eq!(told(&blocked), None);
        assert_eq!(clear(65, 12), Told { stalled: 2, leaving: 1 }, "one at least");
        assert_eq!(
            (told(&blocked), told(&flow_controlled)),
            (Some(Leaving::Unread), None),
            "the longest first"
        );
        drop(blocked);
        assert_eq!(clear(65, 12).leaving, 0, "it has hardly left");
        assert_eq!((clear(65, 13).leaving, told(&flow_controlled)), (1, Some(Leaving::Unread)));
        drop(flow_controlled);
        assert_eq!((clear(65, 14).leaving, clear(65, 16).leaving), (0, 0), "what they held becomes free");
        assert_eq!((clear(65, 17).leaving, told(&idle)), (1, Some(Leaving::Idle)), "then idle ones");
        drop(idle);
        assert_eq!(clear(74, 19).leaving, 0, "a request is not cut off as long as it is only tight");
        assert_eq!((clear(75, 19).leaving, told(&reads)), (1, Some(Leaving::Slow)));
        assert_eq!(std::future::poll_fn(|cx| reads.poll_told(cx)).await, Leaving::Slow);
        drop((reads, waits_for_the_upstream));
        assert_eq!(clear(99, 20).leaving, 0, "nobody is left to be told");
    }

    #[test]
    fn only_whoever_does_not_read_leaves_for_those_who_wait() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let [idle, unread] = [room.take(at(0)), room.take(at(0))];
        unread.takes_nothing(at(0));
        let clear = |percent, second| {
            room.clear(Reading { waiting: LIMIT, ..reading(percent) }, ALONE, at(second)).leaving
        };
        assert_eq!(clear(49, 20), 0);
        assert_eq!((clear(60, 20), told(&[idle.clone(), unread])), (1, vec![None, Some(Leaving::Unread)]));
        assert_eq!([30, 40, 60].map(|second| clear(64, second)), [0; 3]);
        assert_eq!((clear(65, 70), clear(65, 73)), (0, 1), "of the limit alone idle ones go");
        assert_eq!(told(&[idle]), [Some(Leaving::Idle)]);
    }

    #[test]
    fn where_memory_is_full_a_short_wait_is_enough() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let room = Room::default();
        let place = room.take(at(0));
        place.takes_nothing(at(0));
        assert_eq!(room.clear(reading(74), ALONE, at(200)).leaving, 0);
        assert_eq!(room.clear(reading(75), ALONE, at(99)).leaving, 0);
        assert_eq!(room.clear(reading(75), ALONE, at(100)).leaving, 1);
        assert_eq!(told(&[place]), [Some(Leaving::Unread)]);
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
        let clear = |second| {
            room.clear(
                Reading { used, limit: Some(LIMIT), waiting: 0 },
                Others { workers: 1, stalled: 0 },
                at(second),
            )
        };
        assert_eq!(
            (clear(998).leaving, clear(1000).leaving),
            (0, 0),
            "somebody may be found who does not read"
        );
        assert_eq!(clear(1001).leaving, 32);
        let gone: Vec<usize> = (0..1000).filter(|n| places[*n].why_told().is_some()).collect();
        assert_eq!(gone, (1..33).collect::<Vec<_>>());
        drop(places);
        assert_eq!(room.clear(reading(99), ALONE, at(1002)).leaving, 0);
        assert!(room.places.borrow().is_empty(), "places that were given up are forgotten");
    }

    #[test]
    fn idle_ones_stay_while_answers_move() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let [idle, reads] = [room.take(at(0)), room.take(at(0))];
        reads.begin();
        let moves = reads.passing(None);
        let clear = |second| {
            moves.got_some(at(second));
            moves.wants_more();
            room.clear(reading(65), ALONE, at(second)).leaving
        };
        assert_eq!([0, 3, 9].map(clear), [0; 3]);
        assert_eq!((clear(10), told(&[idle, reads])), (1, vec![Some(Leaving::Idle), None]));
    }

    #[test]
    fn what_is_leaving_is_not_told_to_again_nor_are_others_for_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let mut places: Vec<_> = (0..10).map(|_| room.take(start)).collect();
        places.iter().for_each(|place| place.takes_nothing(start));
        let used = LIMIT / 100 * 65 + 4 * FREED_BY_STALLED;
        let clear = |second| room.clear(Reading { used, limit: Some(LIMIT), waiting: 0 }, ALONE, at(second));
        assert_eq!(clear(2).leaving, 4);
        assert_eq!(clear(4), Told { stalled: 6, leaving: 0 }, "they have not left yet");
        places.retain(|place| place.why_told().is_none());
        assert_eq!(clear(6), Told { stalled: 6, leaving: 4 });
    }

    #[test]
    fn nobody_goes_who_is_idle_while_another_worker_has_answers_that_are_not_read() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let room = Room::default();
        let idle = room.take(start);
        let clear = |stalled, second| room.clear(reading(65), Others { workers: 1, stalled }, at(second));
        assert_eq!([0, 10, 20].map(|second| clear(1, second).leaving), [0; 3]);
        assert_eq!([30, 32].map(|second| clear(0, second).leaving), [0; 2]);
        assert_eq!((clear(0, 33).leaving, told(&[idle])), (1, vec![Some(Leaving::Idle)]));
        let share = |own, stalled| Others { workers: 3, stalled }.share(1000, own);
        assert_eq!([share(0, 0), share(0, 5), share(5, 0), share(1, 3)], [250, 0, 1000, 250]);
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
        assert_eq!(room.clear(reading(70), ALONE, start + Duration::from_millis(10_999)), Told::default());
        assert_eq!(room.clear(reading(70), ALONE, start + Duration::from_millis(11_000)).leaving, 1);
    }
}
