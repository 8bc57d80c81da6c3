//! A request's place on a connection, given back exactly once.

use super::open::{Link, Single};
use super::resets::LastReset;
use super::shell::Pool;
use super::state::{ConnectionId, StreamId};
use super::switch::Switched;
use crate::body::Body;
use crate::pool::Unanswered;
use crate::replayed::Replayed;
use http::Response;
use meshd_http::Incoming;
use meshd_http::h1::RequestHead;
use meshd_http::h2::client::Sender;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

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
    single: Single,
    lease: Lease,
}

impl OneAtATime {
    pub(super) fn new(single: Single, lease: Lease) -> Self {
        OneAtATime { single, lease }
    }

    /// Sends a request.
    pub(crate) async fn send(
        &self,
        head: RequestHead<'_>,
        body: Option<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.single.connection.send_head(head, body).await.map_err(|why| {
            let text = why.error.to_string();
            if why.is_unsent {
                Unanswered::NotSent(text)
            } else if why.error.is_malformed() {
                Unanswered::Protocol(text)
            } else {
                Unanswered::Reset(text)
            }
        })
    }

    /// Gives the connection back once the answer has passed.
    pub(crate) fn give_back(self) {
        if !self.single.connection.is_uploading() {
            return self.back();
        }
        tokio::task::spawn_local(async move {
            self.single.connection.ready().await;
            self.back();
        });
    }

    fn back(self) {
        let OneAtATime { single, lease } = self;
        if !single.has_ended() {
            lease.pool.put_back(lease.connection, Link::Single(single));
            lease.ended_well();
        }
    }

    /// The connection, on which another protocol was agreed on.
    pub(crate) fn into_switched(self) -> Option<Switched> {
        let OneAtATime { single: Single { connection, counted, .. }, lease } = self;
        let (stream, unread) = connection.into_parts()?;
        Some(Switched::new(Replayed::new(unread.to_vec(), stream.into_inner()), counted, lease))
    }
}

/// A place on an HTTP/2 connection.
pub(crate) struct Stream {
    pub(super) sender: Sender,
    pub(super) lease: Rc<Lease>,
}

impl Stream {
    pub(super) fn new(sender: Sender, lease: Lease) -> Self {
        Stream { sender, lease: Rc::new(lease) }
    }
}
