//! A request's place on a connection, given back exactly once.

use super::open::Link;
use super::resets::LastReset;
use super::shell::Pool;
use super::state::{ConnectionId, StreamId};
use super::switch::{Switch, Switched};
use crate::body::Body;
use hyper::client::conn::{http1, http2};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::oneshot;

/// A place on a connection for one request.
pub(super) struct Lease {
    pool: Rc<Pool>,
    connection: ConnectionId,
    stream: StreamId,
    last_reset: LastReset,
    well: Cell<bool>,
}

impl Lease {
    /// The place that was given.
    pub(super) fn new(
        pool: Rc<Pool>,
        connection: ConnectionId,
        stream: StreamId,
        last_reset: LastReset,
    ) -> Self {
        Lease { pool, connection, stream, last_reset, well: Cell::new(false) }
    }

    /// The request ended as it should.
    pub(super) fn ended_well(&self) {
        self.well.set(true);
    }

    /// Whether the end of the connection now may be the answer to resets, which are clients' doing.
    pub(super) fn is_blamed_on_resets(&self) -> bool {
        self.last_reset.is_blamed(Instant::now())
    }

    /// When its connection last saw a reset.
    pub(super) fn last_reset(&self) -> &LastReset {
        &self.last_reset
    }

    /// Where it is.
    pub(super) fn at(&self) -> (ConnectionId, StreamId) {
        (self.connection, self.stream)
    }

    /// Whose it is.
    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.finished((self.connection, self.stream), self.well.get());
    }
}

/// A connection for one request.
pub(crate) enum Checkout {
    /// HTTP/1.1; given back after the answer.
    Http1(OneAtATime),
    /// HTTP/2.
    Http2(Stream),
}

/// An HTTP/1.1 connection in use.
pub(crate) struct OneAtATime {
    pub(crate) sender: http1::SendRequest<Body>,
    switch: Switch,
    lease: Lease,
}

impl OneAtATime {
    pub(super) fn new(sender: http1::SendRequest<Body>, switch: Switch, lease: Lease) -> Self {
        OneAtATime { sender, switch, lease }
    }

    /// Whoever is about to send a request that asks for another protocol gets the connection once that is agreed on.
    pub(crate) fn expect_switch(&self) -> oneshot::Receiver<Switched> {
        self.switch.expect()
    }

    /// Gives the connection back once the answer has passed.
    pub(crate) fn give_back(self) {
        let OneAtATime { mut sender, switch, lease } = self;
        switch.forget();
        let back = |sender, lease: Lease| {
            lease.pool.put_back(lease.connection, Link::Single(sender, switch));
            lease.ended_well();
        };
        if sender.is_ready() {
            return back(sender, lease);
        }
        tokio::task::spawn_local(async move {
            if sender.ready().await.is_ok() {
                back(sender, lease);
            }
        });
    }
}

/// A place on an HTTP/2 connection.
pub(crate) struct Stream {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) lease: Rc<Lease>,
}

impl Stream {
    pub(super) fn new(sender: http2::SendRequest<Body>, lease: Lease) -> Self {
        Stream { sender, lease: Rc::new(lease) }
    }
}
