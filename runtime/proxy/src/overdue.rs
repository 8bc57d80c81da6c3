//! Limits of time for a request on its way: they move while its client sends, since a slow upload is not the upstream's fault.

use crate::body::Replayable;
use crate::outcome::Failure;
use crate::patience::{self, Until};
use crate::route::Route;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// What ends a request that has no answer yet.
pub(crate) struct Patience {
    /// The client stops waiting.
    given_up: Option<Until>,
    /// The route's time is over.
    overdue: Option<Overdue>,
    /// Nothing moves.
    silent: Option<Silent>,
}

impl Patience {
    /// That of a request with this body, which began at `start`, and whose client waits until then if it says so.
    pub(crate) fn new(route: &Route, body: &Replayable, start: Instant, until: Option<Instant>) -> Self {
        Patience {
            given_up: until.map(patience::until),
            overdue: route.timeout.map(|limit| Overdue::new(body, limit, start)),
            silent: route.idle_timeout.map(|idle| Silent::new(body, idle)),
        }
    }

    /// Ready once there will be no answer, with the reason.
    pub(crate) fn poll(&mut self, body: &Replayable, cx: &mut Context<'_>) -> Poll<Failure> {
        let Patience { given_up, overdue, silent } = self;
        if has_come(given_up, cx) {
            return Poll::Ready(Failure::Deadline);
        }
        if has_come(overdue, cx) {
            return Poll::Ready(Failure::Timeout);
        }
        if has_come(silent, cx) {
            let is_awaited = body.is_awaited();
            return Poll::Ready(if is_awaited { Failure::SilentClient } else { Failure::SilentUpstream });
        }
        Poll::Pending
    }
}

/// Whether a limit, if there is one, has come.
pub(crate) fn has_come<F: Future<Output = ()> + Unpin>(limit: &mut Option<F>, cx: &mut Context<'_>) -> bool {
    limit.as_mut().is_some_and(|limit| Pin::new(limit).poll(cx).is_ready())
}

/// Ready once the upstream has taken longer than a limit: since a beginning, and since the client last sent something.
pub(crate) struct Overdue {
    body: Replayable,
    limit: Duration,
    start: Instant,
    until: Until,
}

impl Overdue {
    /// That `body` takes longer than `limit`, counted from `start` at the earliest.
    pub(crate) fn new(body: &Replayable, limit: Duration, start: Instant) -> Self {
        Overdue { body: body.clone(), limit, start, until: patience::until(start + limit) }
    }
}

impl Future for Overdue {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let moved = ready!(this.body.poll_moved(cx));
        this.until.move_to(moved.max(this.start) + this.limit);
        Pin::new(&mut this.until).poll(cx)
    }
}

/// Ready once the client has sent nothing for a while.
struct Silent {
    body: Replayable,
    idle: Duration,
    until: Until,
}

impl Silent {
    /// That nothing of `body` comes for `idle`.
    fn new(body: &Replayable, idle: Duration) -> Self {
        Silent { body: body.clone(), idle, until: patience::until(body.moved() + idle) }
    }
}

impl Future for Silent {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.until.move_to(this.body.moved() + this.idle);
        Pin::new(&mut this.until).poll(cx)
    }
}
