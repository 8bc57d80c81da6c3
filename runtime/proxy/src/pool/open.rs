//! Opening a connection and following what becomes of it.

use super::resets::LastReset;
use super::shell::Pool;
use super::state::ConnectionId;
use crate::balance::Picked;
use crate::bounds::Bounds;
use crate::buffers;
use crate::connect::{ConnectFailure, Upward, connect, connect_for_client};
use crate::metrics::Metrics;
use crate::reads_on::ReadsOn;
use crate::upstream::Spoken;
use meshd_http::h2::client::{NOT_TOLD, Sender};
use meshd_http::{Limits, client, h2};
use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use tokio::task::AbortHandle;

/// What requests are sent with. The connection closes when it is dropped and no request is left.
pub(super) enum Link {
    /// HTTP/1.1, as long as no request uses it.
    Single(Single),
    /// HTTP/2.
    Shared(Sender, LastReset),
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

async fn open2(stream: Upward, place: Place) -> Result<Sender, ConnectFailure> {
    let opened = h2::client::open(ReadsOn::new(stream), buffers::of_upstream()).await;
    let (sender, mut connection) =
        opened.map_err(|error| ConnectFailure { reason: "http", message: error.to_string() })?;
    tokio::task::spawn_local(async move {
        let (mut told, mut is_leaving) = (NOT_TOLD, false);
        let _ = poll_fn(|cx| {
            let polled = Pin::new(&mut connection).poll(cx);
            if let Some(pool) = place.0.upgrade().filter(|_| !is_leaving) {
                let allowed = connection.allowed();
                if std::mem::replace(&mut told, allowed) != allowed {
                    let streams = u32::try_from(allowed).unwrap_or(u32::MAX);
                    pool.tell(|state, now| state.allowed(place.1, streams, now));
                }
                // No more requests; those on the connection go on.
                if pool.has_taken_leave(place.1, cx) {
                    is_leaving = true;
                    pool.leaves(place.1);
                }
            }
            polled
        })
        .await;
        gone(&place);
    });
    Ok(sender)
}

fn gone((pool, id): &Place) {
    if let Some(pool) = pool.upgrade() {
        pool.gone(*id);
    }
}
