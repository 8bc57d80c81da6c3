//! Opening a connection and following what becomes of it.

use super::resets::LastReset;
use super::shell::Pool;
use super::state::ConnectionId;
use crate::balance::Picked;
use crate::body::Body;
use crate::bounds::Bounds;
use crate::buffers;
use crate::connect::{ConnectFailure, Upward, connect, connect_for_client};
use crate::metrics::Metrics;
use crate::reads_on::ReadsOn;
use crate::upstream::Spoken;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use meshd_http::{Limits, client};
use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use tokio::task::AbortHandle;

/// What requests are sent with. The connection closes when it is dropped and no request is left.
pub(super) enum Link {
    /// HTTP/1.1, as long as no request uses it.
    Single(Single),
    /// HTTP/2.
    Shared(http2::SendRequest<Body>, LastReset),
}

/// A connection for one request at a time.
pub(super) struct Single {
    pub(super) connection: client::Connection<ReadsOn<Upward>>,
    pub(super) counted: Counted,
    watch: Watch,
}

impl Single {
    /// Whether it has ended while nobody uses it. If not, its watch is woken when it does.
    pub(super) fn has_ended(&self) -> bool {
        let waker = self.watch.waker.borrow();
        let waker = waker.as_ref().map_or(Waker::noop(), |waker| waker);
        self.connection.poll_ended(&mut Context::from_waker(waker)).is_ready()
    }
}

/// The task that is woken when a connection ends that nobody uses. It is over with the connection.
struct Watch {
    waker: Rc<RefCell<Option<Waker>>>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that its pool counts until this is dropped.
pub(super) struct Counted(Place);

impl Drop for Counted {
    fn drop(&mut self) {
        gone(&self.0);
    }
}

/// Which connection of which pool.
type Place = (Weak<Pool>, ConnectionId);

type Connection = http2::Connection<TokioIo<ReadsOn<Upward>>, Body, Executor>;

/// How many streams the HTTP library would allow before the other end has told how many. The pool sends one, so this
/// only has to be a number that no other end can tell: they have 32 bits.
const NOT_TOLD: usize = usize::MAX - 1;

/// Opens a connection.
pub(super) async fn open(
    picked: &Picked,
    spoken: Spoken,
    metrics: &Metrics,
    place: Place,
) -> Result<Link, ConnectFailure> {
    match spoken {
        Spoken::Http1 | Spoken::Bytes => {
            let stream = connect_for_client(picked, Spoken::Http1, metrics).await?;
            Ok(open1(stream, place))
        }
        Spoken::Http2 => {
            // Its answers are bounded by their windows, and many of them share one receive buffer.
            let stream = connect(picked, spoken, metrics).await?;
            open2(stream, place).await.map(|sender| Link::Shared(sender, LastReset::default()))
        }
    }
}

fn open1(stream: Upward, place: Place) -> Link {
    let limits = Limits { headers: Bounds::BETWEEN_PROXIES.headers, bytes: buffers::HTTP1_BUFFER };
    let connection = client::Connection::new(ReadsOn::new(stream), limits);
    let counted = Counted((Weak::clone(&place.0), place.1));
    let waker = Rc::new(RefCell::new(None));
    let own = Rc::clone(&waker);
    // Whoever uses a connection sees its end; while nobody does, this task.
    let watching = tokio::task::spawn_local(poll_fn(move |cx| {
        own.replace(Some(cx.waker().clone()));
        if let Some(pool) = place.0.upgrade() {
            pool.look(place.1);
        }
        Poll::<()>::Pending
    }));
    Link::Single(Single { connection, counted, watch: Watch { waker, task: watching.abort_handle() } })
}

async fn open2(stream: Upward, place: Place) -> Result<http2::SendRequest<Body>, ConnectFailure> {
    let following = Rc::new(Following {
        place: (Weak::clone(&place.0), place.1),
        connection: OnceCell::new(),
        told: Cell::new(NOT_TOLD),
        is_first_task: Cell::new(true),
    });
    let mut builder = http2::Builder::new(Executor(Rc::clone(&following)));
    builder.timer(TokioTimer::new()).initial_max_send_streams(NOT_TOLD);
    // Who answers is known when it has answered; whatever could be admitted is read, and measured then.
    builder.max_header_list_size(Bounds::BETWEEN_PROXIES.header_list());
    buffers::of_upstream(&mut builder);
    let (sender, connection) =
        builder.handshake(TokioIo::new(ReadsOn::new(stream))).await.map_err(|error| failure(&error))?;
    let connection = Rc::new(RefCell::new(connection));
    let _ = following.connection.set(Rc::downgrade(&connection));
    tokio::task::spawn_local(async move {
        let _ = poll_fn(|cx| Pin::new(&mut *connection.borrow_mut()).poll(cx)).await;
        // No more requests; those on the connection go on.
        if let Some(pool) = place.0.upgrade() {
            pool.leaves(place.1);
        }
    });
    Ok(sender)
}

fn failure(error: &hyper::Error) -> ConnectFailure {
    ConnectFailure { reason: "http", message: error.to_string() }
}

fn gone((pool, id): &Place) {
    if let Some(pool) = pool.upgrade() {
        pool.gone(*id);
    }
}

/// What is known about an HTTP/2 connection's other end.
struct Following {
    place: Place,
    connection: OnceCell<Weak<RefCell<Connection>>>,
    /// How many streams the pool was told of.
    told: Cell<usize>,
    is_first_task: Cell<bool>,
}

impl Following {
    /// Tells the pool when the other end has changed its mind.
    fn look(&self) {
        let connection = self.connection.get().and_then(Weak::upgrade);
        let Some(allowed) = connection.as_ref().and_then(|it| it.try_borrow().ok()) else { return };
        let allowed = allowed.current_max_send_streams();
        if self.told.replace(allowed) == allowed {
            return;
        }
        if let Some(pool) = self.place.0.upgrade() {
            let streams = u32::try_from(allowed).unwrap_or(u32::MAX);
            pool.tell(|state, now| state.allowed(self.place.1, streams, now));
        }
    }
}

/// Runs the tasks of one HTTP/2 connection on the worker's own thread. The first one is the connection's own: what the
/// other end says is known after it has run, and the connection is gone when it ends.
#[derive(Clone)]
pub(super) struct Executor(Rc<Following>);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        if !self.0.is_first_task.replace(false) {
            tokio::task::spawn_local(async move {
                future.await;
            });
            return;
        }
        let following = Rc::clone(&self.0);
        tokio::task::spawn_local(async move {
            let mut future = Box::pin(future);
            poll_fn(|cx| {
                let polled = future.as_mut().poll(cx);
                following.look();
                polled
            })
            .await;
            gone(&following.place);
        });
    }
}
