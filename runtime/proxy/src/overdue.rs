//! Limits of time for a request on its way: they move while its client sends, since a slow upload is not the upstream's fault.

use crate::body::Replayable;
use crate::patience::{self, Until};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

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
pub(crate) struct Silent {
    body: Replayable,
    idle: Duration,
    until: Until,
}

impl Silent {
    /// That nothing of `body` comes for `idle`.
    pub(crate) fn new(body: &Replayable, idle: Duration) -> Self {
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
