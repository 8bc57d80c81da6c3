//! Bytes in both directions until both ends are done, one breaks, or nothing moves for too long.
//!
//! What ends early must not look complete. An end that was not told "this was all" is told by a reset when the relay is
//! over, whatever ended it: a reset from the other side, silence, or the end of this proxy.

use crate::connect::Upward;
use crate::paced::Paced;
use crate::replayed::Replayed;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

/// How much is moved at once in each direction.
const BUFFER: usize = 16 * 1024;

/// A connection that may be broken off, so that its other end does not take what it received for everything.
pub(crate) trait Breaks: AsyncRead + AsyncWrite + Unpin {
    /// When it is dropped, it is not closed in order.
    fn break_off(&self);
}

impl Breaks for Paced {
    fn break_off(&self) {
        // Fails only for a connection that is gone.
        let _ = self.tcp().set_zero_linger();
    }
}

impl<S: Breaks> Breaks for Replayed<S> {
    fn break_off(&self) {
        self.stream().break_off();
    }
}

impl<S: Breaks> Breaks for TlsStream<S> {
    fn break_off(&self) {
        self.get_ref().0.break_off();
    }
}

impl Breaks for Upward {
    fn break_off(&self) {
        match self {
            Upward::Plain(stream) => stream.break_off(),
            Upward::Tls(stream) => stream.get_ref().0.break_off(),
        }
    }
}

/// One end of a relay. Unless it was told an orderly end, it is reset when this is dropped; over TLS, without a
/// `close_notify` (RFC 8446 section 6.1).
pub(crate) struct End<S: Breaks> {
    stream: RefCell<S>,
    /// Whether it was told that it has received everything.
    is_complete: Cell<bool>,
}

impl<S: Breaks> End<S> {
    /// An end that has been told nothing yet.
    pub(crate) fn new(stream: S) -> Self {
        End { stream: RefCell::new(stream), is_complete: Cell::new(false) }
    }
}

impl<S: Breaks> Drop for End<S> {
    fn drop(&mut self) {
        if !self.is_complete.get() {
            self.stream.borrow().break_off();
        }
    }
}

impl<S: Breaks> AsyncRead for &End<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer)
    }
}

impl<S: Breaks> AsyncWrite for &End<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }
}

/// How many bytes were relayed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    up: Cell<u64>,
    down: Cell<u64>,
}

impl Counts {
    /// Bytes from the client, and bytes to it.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.up.get(), self.down.get())
    }
}

/// Relays between a client and an upstream, with half-closed connections kept working. The error is what broke, if not
/// both ends finished; its kind is `TimedOut` if nothing moved for `idle`.
pub(crate) async fn relay<C, U>(
    client: &End<C>,
    upstream: &End<U>,
    idle: Option<Duration>,
    counts: &Counts,
) -> io::Result<()>
where
    C: Breaks,
    U: Breaks,
{
    let moved = Cell::new(Instant::now());
    let both = async {
        tokio::try_join!(
            direction(client, upstream, &counts.up, &moved),
            direction(upstream, client, &counts.down, &moved)
        )
    };
    let silent = async {
        let Some(idle) = idle else { return std::future::pending().await };
        loop {
            let at = moved.get() + idle;
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    };
    tokio::select! {
        result = both => result.map(|_| ()),
        () = silent => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moved for too long")),
    }
}

async fn direction<A, B>(
    mut from: &End<A>,
    mut to: &End<B>,
    count: &Cell<u64>,
    moved: &Cell<Instant>,
) -> io::Result<()>
where
    A: Breaks,
    B: Breaks,
{
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if some(&mut from, &mut buffer).await? == 0 {
            to.shutdown().await?;
            to.is_complete.set(true);
            return Ok(());
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
        count.set(count.get() + buffer.len() as u64);
        moved.set(Instant::now());
    }
}

/// Reads what has come into `buffer`, which takes no memory as long as nothing comes: most connections are idle.
async fn some<R: AsyncRead + Unpin>(from: &mut R, buffer: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut scratch = [const { MaybeUninit::uninit() }; BUFFER];
        let mut read = ReadBuf::uninit(&mut scratch);
        let result = Pin::new(&mut *from).poll_read(cx, &mut read);
        if result.is_pending() {
            *buffer = Vec::new();
        }
        ready!(result)?;
        buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}
