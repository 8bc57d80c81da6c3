//! Connections to endpoints that one worker keeps: HTTP/1.1 ones are used by one request at a time, HTTP/2 ones shared.
//!
//! The limits of an upstream hold over all workers, with one exception that Envoy makes too: a worker that has no
//! connection to an endpoint may always open one, so that nobody waits for a connection of another thread.

use crate::balance::Picked;
use crate::body::Body;
use crate::connect::{ConnectFailure, Upward, connect};
use crate::local::LocalExecutor;
use crate::metrics::Metrics;
use crate::upstream::{Held, Spoken, Upstream};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// The pools of one worker, by endpoint and protocol.
#[derive(Default)]
pub(crate) struct Pools(RefCell<BTreeMap<(u64, Spoken), Rc<Pool>>>);

/// The connections of one worker to one endpoint.
struct Pool {
    upstream: u64,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Rc<Shared>>>,
    /// How many connections are open or being opened.
    open: Cell<u32>,
    /// How many HTTP/2 connections are being opened.
    opening: Cell<u32>,
    changed: Notify,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Limits {
    per_connection: Option<u32>,
    idle_timeout: std::time::Duration,
}

/// An HTTP/1.1 connection that nobody uses.
struct Idle {
    sender: http1::SendRequest<Body>,
    used: u32,
    since: Instant,
}

/// An HTTP/2 connection.
struct Shared {
    sender: http2::SendRequest<Body>,
    used: Cell<u32>,
    last: Cell<Instant>,
}

/// Why a request got no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The endpoint could not be connected to.
    Failed(ConnectFailure),
    /// The limits of the upstream are reached.
    Overflow,
}

/// A connection for one request.
pub(crate) enum Checkout {
    /// HTTP/1.1; given back after the answer.
    Http1(OneAtATime),
    /// HTTP/2.
    Http2(http2::SendRequest<Body>),
}

/// An HTTP/1.1 connection in use.
pub(crate) struct OneAtATime {
    pub(crate) sender: http1::SendRequest<Body>,
    used: u32,
    pool: Rc<Pool>,
}

impl OneAtATime {
    /// Gives the connection back once the answer has passed, or forgets it if it may carry no more requests.
    pub(crate) fn give_back(mut self) {
        let exhausted = self.pool.limits.per_connection.is_some_and(|most| self.used >= most);
        if exhausted {
            return;
        }
        tokio::task::spawn_local(async move {
            if self.sender.ready().await.is_ok() {
                let idle = Idle { sender: self.sender, used: self.used, since: Instant::now() };
                self.pool.idle.borrow_mut().push(idle);
                self.pool.changed.notify_one();
            }
        });
    }
}

impl Pools {
    /// A connection to an endpoint, from the pool or new.
    pub(crate) async fn checkout(
        &self,
        picked: &Picked,
        spoken: Spoken,
        metrics: &Arc<Metrics>,
    ) -> Result<Checkout, NoConnection> {
        let pool = self.pool(picked, spoken);
        match spoken {
            Spoken::Http2 => pool.http2(picked, metrics).await.map(Checkout::Http2),
            Spoken::Http1 | Spoken::Bytes => Pool::http1(&pool, picked, metrics).await.map(Checkout::Http1),
        }
    }

    fn pool(&self, picked: &Picked, spoken: Spoken) -> Rc<Pool> {
        let mut pools = self.0.borrow_mut();
        let pool = pools.entry((picked.endpoint.id, spoken)).or_insert_with(|| {
            Rc::new(Pool {
                upstream: picked.upstream.id,
                idle: RefCell::default(),
                shared: RefCell::default(),
                open: Cell::new(0),
                opening: Cell::new(0),
                changed: Notify::new(),
                limits: Limits {
                    per_connection: picked.group().and_then(|group| group.config.requests_per_connection),
                    idle_timeout: picked.upstream.config.pool.idle_timeout,
                },
            })
        });
        Rc::clone(pool)
    }

    /// Closes what was unused for too long, and everything of upstreams that are gone.
    pub(crate) fn sweep(&self, exists: impl Fn(u64) -> bool) {
        self.0.borrow_mut().retain(|_, pool| {
            pool.sweep();
            exists(pool.upstream) && (pool.open.get() > 0 || Rc::strong_count(pool) > 1)
        });
    }
}

/// Lowers the number of open connections when the connection's task ends.
struct Open {
    pool: Rc<Pool>,
    _counted: Held<Upstream>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.pool.open.set(self.pool.open.get().saturating_sub(1));
        self.pool.changed.notify_one();
    }
}

fn connections(upstream: &Upstream) -> &std::sync::atomic::AtomicU32 {
    &upstream.load.connections
}

fn pending(upstream: &Upstream) -> &std::sync::atomic::AtomicU32 {
    &upstream.load.pending
}

impl Pool {
    /// Permission to open one more connection.
    fn admit(self: &Rc<Self>, upstream: &Arc<Upstream>) -> Option<Open> {
        let counted = if self.open.get() == 0 {
            Held::raise(upstream, connections)
        } else {
            Held::below(upstream, connections, upstream.config.pool.max_connections)?
        };
        self.open.set(self.open.get() + 1);
        Some(Open { pool: Rc::clone(self), _counted: counted })
    }

    /// Waits until something about this pool changes, unless too many wait already.
    async fn wait(&self, upstream: &Arc<Upstream>) -> Result<(), NoConnection> {
        let _waiting =
            Held::below(upstream, pending, upstream.config.pool.max_pending).ok_or(NoConnection::Overflow)?;
        self.changed.notified().await;
        Ok(())
    }

    async fn http1(
        self: &Rc<Self>,
        picked: &Picked,
        metrics: &Arc<Metrics>,
    ) -> Result<OneAtATime, NoConnection> {
        loop {
            while let Some(idle) = self.idle.borrow_mut().pop() {
                if idle.sender.is_ready() {
                    return Ok(OneAtATime {
                        sender: idle.sender,
                        used: idle.used + 1,
                        pool: Rc::clone(self),
                    });
                }
            }
            let Some(open) = self.admit(&picked.upstream) else {
                self.wait(&picked.upstream).await?;
                continue;
            };
            let stream = connect(picked, Spoken::Http1, metrics).await.map_err(NoConnection::Failed)?;
            let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
            let (sender, connection) =
                handshake.map_err(|error| NoConnection::Failed(handshake_failure(&error)))?;
            tokio::task::spawn_local(async move {
                let _ = connection.await;
                drop(open);
            });
            return Ok(OneAtATime { sender, used: 1, pool: Rc::clone(self) });
        }
    }

    async fn http2(
        self: &Rc<Self>,
        picked: &Picked,
        metrics: &Arc<Metrics>,
    ) -> Result<http2::SendRequest<Body>, NoConnection> {
        loop {
            if let Some(sender) = self.share() {
                return Ok(sender);
            }
            if self.opening.get() > 0 {
                // One new connection serves everybody who waits for it.
                self.wait(&picked.upstream).await?;
                // Only now is there something for the next one. As long as a connection is being opened, passing the
                // word on would wake this very request again and again.
                if self.opening.get() == 0 {
                    self.changed.notify_one();
                }
                continue;
            }
            let Some(open) = self.admit(&picked.upstream) else {
                self.wait(&picked.upstream).await?;
                continue;
            };
            let opening = Opening::new(self);
            let stream = connect(picked, Spoken::Http2, metrics).await.map_err(NoConnection::Failed)?;
            let sender = handshake2(stream, open).await.map_err(NoConnection::Failed)?;
            let now = Instant::now();
            self.shared.borrow_mut().push(Rc::new(Shared {
                sender,
                used: Cell::new(0),
                last: Cell::new(now),
            }));
            drop(opening);
        }
    }

    /// The least recently used HTTP/2 connection that may carry one more request.
    fn share(&self) -> Option<http2::SendRequest<Body>> {
        let mut shared = self.shared.borrow_mut();
        let spent = |connection: &Shared| {
            connection.sender.is_closed()
                || self.limits.per_connection.is_some_and(|most| connection.used.get() >= most)
        };
        shared.retain(|connection| !spent(connection));
        let connection = shared.iter().min_by_key(|connection| connection.last.get())?;
        connection.used.set(connection.used.get().saturating_add(1));
        connection.last.set(Instant::now());
        Some(connection.sender.clone())
    }

    fn sweep(&self) {
        let fresh = |since: Instant| since.elapsed() < self.limits.idle_timeout;
        self.idle.borrow_mut().retain(|idle| fresh(idle.since) && !idle.sender.is_closed());
        self.shared.borrow_mut().retain(|shared| fresh(shared.last.get()) && !shared.sender.is_closed());
    }
}

/// While it lives, an HTTP/2 connection is being opened.
struct Opening<'a>(&'a Pool);

impl<'a> Opening<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.opening.set(pool.opening.get() + 1);
        Opening(pool)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(self.0.opening.get().saturating_sub(1));
        self.0.changed.notify_one();
    }
}

async fn handshake2(stream: Upward, open: Open) -> Result<http2::SendRequest<Body>, ConnectFailure> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder.timer(TokioTimer::new()).adaptive_window(true);
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| handshake_failure(&error))?;
    tokio::task::spawn_local(async move {
        let _ = connection.await;
        drop(open);
    });
    Ok(sender)
}

fn handshake_failure(error: &hyper::Error) -> ConnectFailure {
    ConnectFailure { reason: "http", message: error.to_string() }
}
