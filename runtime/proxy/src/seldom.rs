//! A future that is looked at only when it has something to say.
//!
//! Whoever waits for several things asks all of them whenever one of them moves. What hardly ever happens (a client that
//! overstays, a proxy that drains) is asked thousands of times for nothing.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `inner` when it was woken, and not when its task was for another reason.
pub(crate) struct Seldom<F> {
    inner: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// What `inner` wakes.
    waker: Waker,
    /// The task that the bell wakes.
    task: Option<Waker>,
}

struct Bell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.into_iter().for_each(Waker::wake);
    }
}

impl<F> Seldom<F> {
    /// Around `inner`.
    pub(crate) fn new(inner: F) -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::new(None) });
        Seldom { inner: Box::pin(inner), waker: Waker::from(Arc::clone(&bell)), bell, task: None }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            this.task = Some(cx.waker().clone());
            *this.bell.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        }
        if !this.bell.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // What rings from here on is about something that `inner` has not seen.
        this.bell.rung.store(false, Ordering::Release);
        this.inner.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn it_is_asked_once_for_each_time_that_it_was_woken() {
        let (asked, notify) = (Cell::new(0), Notify::new());
        let notified = async {
            notify.notified().await;
            notify.notified().await;
        };
        let mut notified = Box::pin(notified);
        let counted = poll_fn(|cx| {
            asked.set(asked.get() + 1);
            notified.as_mut().poll(cx)
        });
        let mut seldom = Seldom::new(counted);
        let both = async {
            for round in 0..10 {
                tokio::task::yield_now().await;
                if round == 5 {
                    notify.notify_one();
                }
            }
            std::future::pending::<()>().await;
        };
        let other = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            notify.notify_one();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = &mut seldom => {}
            () = both => {}
            () = other => {}
        }
        assert_eq!(asked.get(), 3);
    }
}
