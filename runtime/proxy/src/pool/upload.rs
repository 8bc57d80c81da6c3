//! The body of a request on a shared connection: it stays silent when its client breaks off, until it is decided what
//! becomes of the stream.

use super::lease::Lease;
use super::resets::LastReset;
use crate::body::{Body, BodyError};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use meshd_http::h2;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::sync::Notify;

/// What is known about an upload outside of it.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether the client broke off.
    broken: Cell<bool>,
    /// Whether there is nothing more to send, or nobody to send it.
    over: Cell<bool>,
    /// Whether the stream is to be broken off.
    cut: Cell<bool>,
    last_reset: LastReset,
    changed: Notify,
    waker: RefCell<Option<Waker>>,
}

impl Progress {
    /// Of a request with or without a body.
    pub(super) fn new(has_body: bool, last_reset: &LastReset) -> Self {
        Progress { over: Cell::new(!has_body), last_reset: last_reset.clone(), ..Progress::default() }
    }

    /// Whether everything was sent.
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Returns once the client has broken off.
    pub(super) async fn breaks(&self) {
        while !self.broken.get() {
            self.changed.notified().await;
        }
    }

    /// Returns once there is nothing more to send.
    pub(super) async fn ends(&self) {
        while !self.over.get() {
            self.changed.notified().await;
        }
    }

    /// Breaks the stream off.
    pub(super) fn cut(&self) {
        self.last_reset.is(Instant::now());
        self.cut.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The body.
pub(super) struct Upload {
    body: Body,
    progress: Rc<Progress>,
    #[expect(dead_code, reason = "the stream is in use as long as its body is being sent")]
    lease: Rc<Lease>,
}

impl Upload {
    /// Sends `body`.
    pub(super) fn new(body: Body, progress: &Rc<Progress>, lease: &Rc<Lease>) -> Self {
        Upload { body, progress: Rc::clone(progress), lease: Rc::clone(lease) }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.progress.cut.get() {
            return Poll::Ready(Some(Err(h2::Error::from(::h2::Error::from(h2::Reason::CANCEL)).into())));
        }
        *self.progress.waker.borrow_mut() = Some(cx.waker().clone());
        if self.progress.broken.get() {
            return Poll::Pending;
        }
        match self.body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Err(_))) => {
                self.progress.broken.set(true);
                self.progress.changed.notify_waiters();
                self.progress.changed.notify_one();
                Poll::Pending
            }
            polled @ (Poll::Ready(_) | Poll::Pending) => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.progress.over.set(true);
        self.progress.changed.notify_waiters();
        self.progress.changed.notify_one();
    }
}
