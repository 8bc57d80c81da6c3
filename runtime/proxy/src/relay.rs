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
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

/// How much is moved at once in each direction.
const BUFFER: usize = 16 * 1024;

/// A connection over TCP, maybe with something around it.
pub(crate) trait OverTcp: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for Paced {
    fn tcp(&self) -> &TcpStream {
        Paced::tcp(self)
    }
}

impl OverTcp for Replayed<Paced> {
    fn tcp(&self) -> &TcpStream {
        self.stream()
    }
}

impl<S: OverTcp> OverTcp for TlsStream<S> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0.tcp()
    }
}

impl OverTcp for Upward {
    fn tcp(&self) -> &TcpStream {
        match self {
            Upward::Plain(stream) => stream.tcp(),
            Upward::Tls(stream) => stream.get_ref().0.tcp(),
        }
    }
}

/// One end of a relay. Unless it was told an orderly end, it is reset when this is dropped; over TLS, without a
/// `close_notify` (RFC 8446 section 6.1).
pub(crate) struct End<S: OverTcp> {
    stream: RefCell<S>,
    /// Whether it was told that it has received everything.
    is_complete: Cell<bool>,
}

impl<S: OverTcp> End<S> {
    /// An end that has been told nothing yet.
    pub(crate) fn new(stream: S) -> Self {
        End { stream: RefCell::new(stream), is_complete: Cell::new(false) }
    }
}

impl<S: OverTcp> Drop for End<S> {
    fn drop(&mut self) {
        if !self.is_complete.get() {
            // Fails only for a connection that is gone.
            let _ = self.stream.get_mut().tcp().set_zero_linger();
        }
    }
}

impl<S: OverTcp> AsyncRead for &End<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer)
    }
}

impl<S: OverTcp> AsyncWrite for &End<S> {
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

/// How a relayed connection ended.
#[derive(Debug)]
pub(crate) struct Relayed {
    /// Bytes from the client.
    pub(crate) up: u64,
    /// Bytes to the client.
    pub(crate) down: u64,
    /// What broke, if not both ends finished.
    pub(crate) broken: Option<io::Error>,
}

/// Relays between a client and an upstream, with half-closed connections kept working.
pub(crate) async fn relay<C, U>(client: &End<C>, upstream: &End<U>, idle: Option<Duration>) -> Relayed
where
    C: OverTcp,
    U: OverTcp,
{
    let moved = Cell::new(Instant::now());
    let (up, down) = (Cell::new(0), Cell::new(0));
    let both = async {
        tokio::try_join!(direction(client, upstream, &up, &moved), direction(upstream, client, &down, &moved))
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
    let broken = tokio::select! {
        result = both => result.err(),
        () = silent => Some(io::Error::new(io::ErrorKind::TimedOut, "nothing moved for too long")),
    };
    Relayed { up: up.get(), down: down.get(), broken }
}

async fn direction<A, B>(
    mut from: &End<A>,
    mut to: &End<B>,
    count: &Cell<u64>,
    moved: &Cell<Instant>,
) -> io::Result<()>
where
    A: OverTcp,
    B: OverTcp,
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
