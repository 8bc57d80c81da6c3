//! A client's stream: it can be given up without the others of its connection, and become something else than HTTP.
//!
//! Between proxies one connection carries the requests of many clients. Closing it because one of them does not read
//! would end the requests of all.

use super::switched::Switched;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Waker};

/// What runs in the place of an answer's body.
pub(super) type Tunnel = Pin<Box<dyn Future<Output = ()>>>;

/// Makes it.
type Next = Box<dyn FnOnce(Switched) -> Tunnel>;

/// A stream while its request is being answered.
#[derive(Default)]
pub struct Stream {
    given_up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    next: RefCell<Option<Next>>,
}

impl Stream {
    /// Ends it as soon as its connection can run, and with it everything that is kept for the answer. The client is told by a
    /// reset.
    pub fn give_up(&self) {
        self.given_up.set(true);
        let waker = self.waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether it was given up.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// Behind an answer that agrees to another protocol, `next` runs with the bytes of the stream, which are its end.
    pub fn switch(&self, next: impl FnOnce(Switched) -> Tunnel + 'static) {
        *self.next.borrow_mut() = Some(Box::new(next));
    }

    /// What it is to become.
    pub(super) fn next(&self) -> Option<Next> {
        self.next.take()
    }

    /// Remembers whom to wake.
    pub(super) fn is_polled_by(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("given_up", &self.given_up.get()).finish_non_exhaustive()
    }
}
