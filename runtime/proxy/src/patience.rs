//! Time limits that hardly ever pass: a timer of the runtime is set only for those that are still waited for after a while.
//!
//! Setting and removing a timer costs more than most requests take otherwise, and each of them has several limits. Here a
//! limit that is far away is noted in a list of the worker. Ten times a second whoever is in the list is woken; who then
//! still waits sets a timer of the runtime, so that no limit is late by that.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What is nearer than this gets a timer at once: several times as long as between two looks at the list.
const NEAR: Duration = Duration::from_millis(500);

thread_local! {
    /// When the list was last looked at. What is far away from then is not near now, so most limits ask no clock; should this worker
    /// be late with its looks, it is late with everything.
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    /// How often the list was looked at.
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// Wakes those who wait since the last look. Each worker calls it ten times a second.
pub(crate) fn look() {
    LOOKS.set(LOOKS.get() + 1);
    LOOKED.set(Some(Instant::now()));
    let waiting = WAITING.take();
    for waker in waiting {
        waker.wake();
    }
}

/// Ready at an instant. It is for tasks of workers.
pub(crate) struct Until {
    at: Instant,
    state: State,
}

enum State {
    New,
    /// In the list since so many looks.
    Listed(u64),
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
            State::Listed(looks) if *looks == LOOKS.get() => return Poll::Pending,
            State::New if this.at > LOOKED.get().unwrap_or_else(Instant::now) + NEAR => {
                WAITING.with_borrow_mut(|waiting| {
                    if !waiting.last().is_some_and(|last| last.will_wake(cx.waker())) {
                        waiting.push(cx.waker().clone());
                    }
                });
                this.state = State::Listed(LOOKS.get());
                return Poll::Pending;
            }
            State::New | State::Listed(_) => {}
        }
        let mut sleep = Box::pin(tokio::time::sleep_until(this.at));
        let polled = sleep.as_mut().poll(cx);
        this.state = State::Set(sleep);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(matches!(limit.state, State::Listed(_)));
        look();
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut limit).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(matches!(limit.state, State::Set(_)));
    }
}
