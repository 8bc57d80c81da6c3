//! The place that a client's connection takes: whether its client reads, and what else it does.

use crate::memory::Level;
use meshd_http::h2::Stream;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

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

/// How long a connection that several requests share may take nothing before it counts as unread as a whole. Between
/// proxies the other end may itself be short of memory, and reads seldom then.
const BLOCKED_WITH_OTHERS: Duration = Duration::from_secs(5);

/// What a client does not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// All of a connection.
    Place(Rc<Place>),
    /// One of the answers on it.
    Answer(Rc<Passing>),
}

impl Unread {
    /// Gives it up.
    pub(crate) fn give_up(&self) {
        match self {
            Unread::Place(place) => place.leave(Leaving::Unread),
            Unread::Answer(passing) => passing.stream.iter().for_each(|stream| stream.give_up()),
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
    /// The task of the connection, once it waits to be told.
    task: RefCell<Option<Waker>>,
}

/// An answer that is passing.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// When the client last got some of it.
    got: Cell<Option<Instant>>,
    /// Since when it has let the rest wait.
    waits: Cell<Option<Instant>>,
    /// Over HTTP/2, where other requests share the connection.
    stream: Option<Rc<Stream>>,
}

impl Passing {
    /// Since when the client does not read it, if it has not been given up.
    fn unread_since(&self) -> Option<Instant> {
        self.waits.get().filter(|_| !self.is_given_up())
    }

    fn is_given_up(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_given_up())
    }

    /// The client has got something, and may want more.
    pub(crate) fn got_some(&self, now: Instant) {
        self.got.set(Some(now));
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
            task: RefCell::default(),
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

    /// An answer begins to pass, over HTTP/2 on a stream.
    pub(crate) fn passing(&self, stream: Option<Rc<Stream>>) -> Rc<Passing> {
        let passing = Rc::new(Passing { stream, ..Passing::default() });
        self.answers.borrow_mut().push(Rc::clone(&passing));
        passing
    }

    /// It has passed.
    pub(crate) fn passed(&self, passing: &Rc<Passing>) {
        self.answers.borrow_mut().retain(|other| !Rc::ptr_eq(other, passing));
    }

    /// Ready when the place has to be given up, with the reason. It is for the task of the connection alone.
    pub(crate) fn poll_told(&self, cx: &Context<'_>) -> Poll<Leaving> {
        if let Some(why) = self.told.get() {
            return Poll::Ready(why);
        }
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// What the client does not read, and since when, if it has been for `patience`. Over HTTP/2 these are single answers;
    /// the connection itself is one only where nothing passes on it at all.
    pub(crate) fn unread(self: &Rc<Self>, patience: Duration, now: Instant) -> Vec<(Instant, Unread)> {
        let answers = self.answers.borrow();
        let waiting = |passing: &Rc<Passing>| Some((passing.unread_since()?, Rc::clone(passing)));
        let waiting: Vec<_> = answers.iter().filter_map(waiting).collect();
        let is_shared = answers.iter().any(|passing| passing.stream.is_some());
        if is_shared && !waiting.is_empty() {
            let long = waiting.into_iter().filter(|(since, _)| now - *since >= patience);
            return long.map(|(since, passing)| (since, Unread::Answer(passing))).collect();
        }
        let patience = if is_shared { patience.max(BLOCKED_WITH_OTHERS) } else { patience };
        let since = waiting.iter().map(|(since, _)| *since).chain(self.blocked.get()).min();
        let long = since.filter(|since| now - *since >= patience);
        long.map(|since| (since, Unread::Place(Rc::clone(self)))).into_iter().collect()
    }

    /// How many of its answers were given up and are still there.
    pub(crate) fn given_up(&self) -> u64 {
        let answers = self.answers.borrow();
        answers.iter().filter(|passing| passing.is_given_up()).count() as u64
    }

    /// Whether an answer that has not passed yet has moved since then.
    pub(crate) fn moved_an_answer(&self, since: Instant) -> bool {
        self.answers.borrow().iter().any(|passing| passing.got.get().is_some_and(|got| got >= since))
    }

    /// Why it has been told to leave, if it has.
    pub(crate) fn why_told(&self) -> Option<Leaving> {
        self.told.get()
    }

    /// When its client last did something, if it has no request.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.requests.get() == 0).then(|| self.moved.get())
    }

    /// When its client last did something.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Tells it to leave.
    pub(crate) fn leave(&self, why: Leaving) {
        if self.told.get().is_none() {
            self.told.set(Some(why));
            self.task.take().into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

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

    /// What of a place is not read for a second, the place itself being 0 and its answers 1, 2, 3.
    fn unread(place: &Rc<Place>, now: Instant) -> Vec<usize> {
        let answers = place.answers.borrow().clone();
        let number = |unread: Unread| match unread {
            Unread::Place(_) => 0,
            Unread::Answer(answer) => {
                1 + answers.iter().position(|other| Rc::ptr_eq(other, &answer)).unwrap_or(usize::MAX - 1)
            }
        };
        let unread = place.unread(Duration::from_secs(1), now);
        unread.into_iter().map(|(_, unread)| number(unread)).collect()
    }

    fn add_stream(place: &Place) -> Rc<Passing> {
        let passing = Rc::new(Passing { stream: Some(Rc::default()), ..Passing::default() });
        place.answers.borrow_mut().push(Rc::clone(&passing));
        passing
    }

    #[test]
    fn an_answer_beside_others_goes_alone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let place = Place::new(start);
        let [stalled, reads, late] = [add_stream(&place), add_stream(&place), add_stream(&place)];
        stalled.got_some(at(0));
        reads.got_some(at(0));
        reads.wants_more();
        late.got_some(at(3));
        place.takes_nothing(at(0));
        assert_eq!(unread(&place, at(1)), [1]);
        assert_eq!(unread(&place, at(4)), [1, 3]);
        Unread::Answer(Rc::clone(&stalled)).give_up();
        assert_eq!(unread(&place, at(4)), [3], "what was given up is not counted again");
        late.wants_more();
        assert_eq!(unread(&place, at(4)), [0; 0], "nothing at all passes, but only for four seconds");
        assert_eq!(unread(&place, at(5)), [0]);
        place.took(at(5));
        assert_eq!(unread(&place, at(9)), [0; 0]);
    }

    #[test]
    fn a_connection_with_one_answer_goes_with_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let place = Place::new(start);
        place.passing(None).got_some(at(1));
        assert_eq!(unread(&place, at(1)), [0; 0]);
        assert_eq!(unread(&place, at(2)), [0]);
        let blocked = Place::new(start);
        blocked.takes_nothing(at(1));
        assert_eq!(unread(&blocked, at(2)), [0]);
    }
}
