//! Time limits that hardly ever pass: a timer of the runtime is set only for those that are still waited for after a while.
//!
//! Setting and removing a timer costs more than most requests take otherwise, and each of them has several limits. Here a
//! limit that is far away is noted in a list of the worker, until it is dropped. Ten times a second whoever is in the list is
//! woken; who then still waits sets a timer of the runtime, so that no limit is late by that.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What is nearer than this gets a timer at once: several times as long as between two looks at the list.
const NEAR: Duration = Duration::from_millis(500);

thread_local! {
    /// When the list was last looked at. What is far away from then is not near now, so most limits ask no clock; should this worker
    /// be late with its looks, it is late with everything.
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
    static WAITING: RefCell<List> = const { RefCell::new(List { places: Vec::new(), free: Vec::new() }) };
    /// How often the list was looked at.
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// Those who wait since the last look.
#[derive(Default)]
struct List {
    places: Vec<Place>,
    /// Which places nobody has any more.
    free: Vec<usize>,
}

/// Who is woken, and for how many limits: those of one task share a place if they come one after the other. Once there are none
/// it is empty, so that a task that has ended is not kept.
struct Place {
    waker: Option<Waker>,
    limits: u32,
}

impl List {
    /// A place for one more limit of a task.
    fn enter(&mut self, waker: &Waker) -> usize {
        let is_its = |place: &&mut Place| place.waker.as_ref().is_some_and(|other| other.will_wake(waker));
        if let Some(last) = self.places.last_mut().filter(is_its) {
            last.limits += 1;
            return self.places.len() - 1;
        }
        let new = Place { waker: Some(waker.clone()), limits: 1 };
        match self.free.pop().and_then(|free| Some((free, self.places.get_mut(free)?))) {
            Some((free, place)) => {
                *place = new;
                free
            }
            None => {
                self.places.push(new);
                self.places.len() - 1
            }
        }
    }

    /// A limit that waits at a place is polled by this task: the same place if it was before, or another one, with what is left
    /// of the first to be dropped.
    fn again(&mut self, place: usize, waker: &Waker) -> (usize, Option<Waker>) {
        match self.places.get_mut(place) {
            Some(Place { waker: Some(known), limits: _ }) if known.will_wake(waker) => (place, None),
            Some(_) | None => {
                let left = self.leave(place);
                (self.enter(waker), left)
            }
        }
    }

    /// A limit waits there no more. What is left is dropped where nobody has borrowed the list: it may be a task's end.
    fn leave(&mut self, place: usize) -> Option<Waker> {
        let left = self.places.get_mut(place)?;
        left.limits = left.limits.saturating_sub(1);
        let waker = left.waker.take_if(|_| left.limits == 0)?;
        self.free.push(place);
        Some(waker)
    }
}

/// Wakes those who wait since the last look. Each worker calls it ten times a second.
pub(crate) fn look() {
    LOOKS.set(LOOKS.get() + 1);
    LOOKED.set(Some(Instant::now()));
    let mut waiting = WAITING.take();
    waiting.places.drain(..).filter_map(|place| place.waker).for_each(Waker::wake);
    waiting.free.clear();
    // Those who were woken have not run yet, so nobody is in the list: its room is for the next.
    WAITING.set(waiting);
}

/// Ready at an instant. It is for tasks of workers.
pub(crate) struct Until {
    at: Instant,
    state: State,
}

enum State {
    New,
    /// In the list since so many looks, at this place.
    Listed(u64, usize),
    Set(Pin<Box<Sleep>>),
}

/// Ready at `at`.
pub(crate) fn until(at: Instant) -> Until {
    Until { at, state: State::New }
}

impl Until {
    /// Is ready at another instant from here on, if that is another.
    pub(crate) fn move_to(&mut self, at: Instant) {
        if self.at != at {
            *self = until(at);
        }
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match &mut this.state {
            State::Set(sleep) => return sleep.as_mut().poll(cx),
            State::Listed(looks, place) if *looks == LOOKS.get() => {
                let (own, _left) = WAITING.with_borrow_mut(|waiting| waiting.again(*place, cx.waker()));
                *place = own;
                return Poll::Pending;
            }
            State::New if this.at > LOOKED.get().unwrap_or_else(Instant::now) + NEAR => {
                let place = WAITING.with_borrow_mut(|waiting| waiting.enter(cx.waker()));
                this.state = State::Listed(LOOKS.get(), place);
                return Poll::Pending;
            }
            State::New | State::Listed(..) => {}
        }
        let mut sleep = Box::pin(tokio::time::sleep_until(this.at));
        let polled = sleep.as_mut().poll(cx);
        this.state = State::Set(sleep);
        polled
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let State::Listed(looks, place) = self.state {
            // At its very end a thread has no list.
            let _ = LOOKS.try_with(|now| {
                if now.get() == looks {
                    let _left = WAITING.try_with(|waiting| waiting.borrow_mut().leave(place));
                }
            });
        }
    }
}

/// What a future comes to, unless it takes longer than `limit`. It is for tasks of workers.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut limit) = (pin!(future), until(Instant::now() + limit));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut limit).poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicU64);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls a limit that is far away, for a task.
    fn poll(limit: &mut Until, task: &Arc<Woken>) {
        let waker = Waker::from(Arc::clone(task));
        assert!(Pin::new(limit).poll(&mut Context::from_waker(&waker)).is_pending());
    }

    fn far() -> Until {
        until(Instant::now() + Duration::from_secs(15))
    }

    #[tokio::test]
    async fn who_polled_a_limit_last_is_woken() {
        let tasks = [(); 3].map(|()| Arc::<Woken>::default());
        let (mut own, mut other, mut third) = (far(), far(), far());
        poll(&mut own, &tasks[0]);
        poll(&mut other, &tasks[0]);
        poll(&mut third, &tasks[2]);
        poll(&mut own, &tasks[1]);
        look();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [1; 3]);
        assert!([own, other, third].iter().all(|limit| matches!(limit.state, State::Listed(..))));
    }

    #[tokio::test]
    async fn a_limit_that_is_dropped_keeps_no_task_and_its_place_is_for_the_next() {
        look();
        let tasks = [(); 4].map(|()| Arc::<Woken>::default());
        for _ in 0..1000 {
            let mut limits = [(); 6].map(|()| far());
            limits.iter_mut().enumerate().for_each(|(number, limit)| poll(limit, &tasks[number / 2]));
        }
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 1));
        assert!(WAITING.with_borrow(|waiting| waiting.places.len()) <= 6);
        let mut one = far();
        poll(&mut one, &tasks[3]);
        look();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [0, 0, 0, 1]);
        let mut next = far();
        poll(&mut next, &tasks[0]);
        // It was in a list that is no more.
        drop(one);
        look();
        assert_eq!(tasks[0].0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_than_its_limit_comes_to_nothing() {
        let looking = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                look();
            }
        };
        let limit = Duration::from_secs(2);
        let both = async {
            let soon = within(limit, tokio::time::sleep(limit - Duration::from_millis(1))).await;
            (soon, within(limit, std::future::pending::<()>()).await)
        };
        tokio::select! {
            () = looking => {}
            both = both => assert_eq!(both, (Some(()), None)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn near_and_far_limits_are_kept_to_the_millisecond() {
        let looking = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                look();
            }
        };
        let waiting = async {
            for limit in [0, 1, 499, 501, 700, 15_000] {
                let begin = Instant::now();
                until(begin + Duration::from_millis(limit)).await;
                assert_eq!(begin.elapsed().as_millis(), u128::from(limit));
            }
        };
        tokio::select! {
            () = looking => {}
            () = waiting => {}
        }
    }

    #[tokio::test]
    async fn a_limit_that_does_not_pass_sets_no_timer() {
        let mut limit = until(Instant::now() + Duration::from_secs(15));
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut limit).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(matches!(limit.state, State::Listed(..)));
        look();
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut limit).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(matches!(limit.state, State::Set(_)));
    }
}
