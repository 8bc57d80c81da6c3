//! What is heard in the middle of a task: a part of it has something to do.
//!
//! A task that polls several things is woken for one of them, and would ask all. A bell is the waker of one of them: it says
//! whether that one was woken, and wakes the task only where the task would not look by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// A bell for one task.
pub(crate) struct Bell {
    inner: Arc<Inner>,
    waker: Waker,
    /// What the task is known by.
    task: Option<Waker>,
}

struct Inner {
    rung: AtomicBool,
    /// Whether the task is looking at what there is to do, and at the bell last.
    listening: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Either the task sees this when it looks last, or this sees that it looks no more.
        self.rung.store(true, Ordering::SeqCst);
        if !self.listening.load(Ordering::SeqCst) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            task.into_iter().for_each(Waker::wake);
        }
    }
}

impl Bell {
    /// One that has been rung, since nothing was done yet.
    pub(crate) fn rung() -> Self {
        let inner = Arc::new(Inner {
            rung: AtomicBool::new(true),
            listening: AtomicBool::new(false),
            task: Mutex::new(None),
        });
        Bell { waker: Waker::from(Arc::clone(&inner)), inner, task: None }
    }

    /// The task looks now, until it calls [`Bell::rest`]; the waker that rings.
    pub(crate) fn listen(&mut self, cx: &Context<'_>) -> Waker {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
            *self.inner.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        }
        self.inner.listening.store(true, Ordering::SeqCst);
        self.waker.clone()
    }

    /// Rings it.
    pub(crate) fn ring(&self) {
        self.inner.rung.store(true, Ordering::SeqCst);
    }

    /// Whether it was rung since the last time.
    pub(crate) fn take(&self) -> bool {
        self.is_rung() && self.inner.rung.swap(false, Ordering::SeqCst)
    }

    /// Whether it was rung.
    pub(crate) fn is_rung(&self) -> bool {
        self.inner.rung.load(Ordering::SeqCst)
    }

    /// The task looks no more; whether it was rung in the meantime, which nobody else will say.
    pub(crate) fn rest(&self) -> bool {
        self.inner.listening.store(false, Ordering::SeqCst);
        self.is_rung()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    struct Task(AtomicU32);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_task_is_woken_unless_it_looks_by_itself() {
        let task = Arc::new(Task(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&task));
        let woken = || task.0.load(Ordering::Relaxed);
        let mut bell = Bell::rung();
        let ringer = bell.listen(&Context::from_waker(&waker));
        assert!(bell.take() && !bell.take());
        ringer.wake_by_ref();
        assert_eq!((bell.is_rung(), woken()), (true, 0), "it looks last before it rests");
        assert!(bell.rest(), "and is told if it does not");
        assert!(bell.take());
        ringer.wake_by_ref();
        assert_eq!(woken(), 1);
        assert!(bell.take(), "when it is woken");
        ringer.wake();
        assert_eq!(woken(), 2);
    }
}
