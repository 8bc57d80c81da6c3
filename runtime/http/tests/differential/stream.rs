//! A stream that was written down before: pieces to be read, and a place for what is written.

use crate::cases::Case;
use bytes::Bytes;
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the other end does.
#[derive(Debug)]
pub(crate) struct Script {
    /// All that it sends.
    pub(crate) input: Bytes,
    /// Where its pieces end, in ascending order.
    pub(crate) cuts: Vec<usize>,
    /// How much of the input may be read by now.
    pub(crate) released: usize,
    /// Whether it closes the connection after the input.
    pub(crate) closes: bool,
    /// Whether a piece is late by one look.
    pub(crate) is_slow: bool,
    /// How much was read.
    at: usize,
    /// Whether the piece that comes next was late.
    was_late: bool,
    /// What was written.
    pub(crate) out: Vec<u8>,
}

impl Script {
    pub(crate) fn new(case: &Case, released: usize) -> Self {
        Script {
            input: case.input.clone(),
            cuts: case.cuts.clone(),
            released,
            closes: false,
            is_slow: case.is_slow,
            at: 0,
            was_late: false,
            out: Vec::new(),
        }
    }

    /// How much was read.
    pub(crate) fn progress(&self) -> usize {
        self.at
    }

    fn read(&mut self, most: usize) -> Poll<Bytes> {
        if self.at >= self.released {
            if self.closes && self.released == self.input.len() {
                return Poll::Ready(Bytes::new());
            }
            return Poll::Pending;
        }
        if self.is_slow && !std::mem::replace(&mut self.was_late, true) {
            return Poll::Pending;
        }
        self.was_late = false;
        let end = self.cuts.iter().copied().find(|cut| *cut > self.at).unwrap_or(self.input.len());
        let end = end.min(self.released).min(self.at + most);
        let piece = self.input.slice(self.at..end);
        self.at = end;
        Poll::Ready(piece)
    }
}

/// Our end of it.
pub(crate) struct End(pub Rc<RefCell<Script>>);

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.0.borrow_mut().read(into.remaining());
        read.map(|piece| {
            into.put_slice(&piece);
            Ok(())
        })
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().out.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Read for End {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.borrow_mut().read(into.remaining());
        read.map(|piece| {
            into.put_slice(&piece);
            Ok(())
        })
    }
}

impl hyper::rt::Write for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Looks at a connection until it ends, or until it waits for more after the end of the stream, if that comes. The end is
/// a piece of its own: a server that sees it while it still has something to do may leave that undone.
pub(crate) fn outcome<T>(
    future: impl Future<Output = T>,
    script: &RefCell<Script>,
    closes: bool,
) -> Option<T> {
    let mut future = pin!(future);
    let before = watch_pinned(future.as_mut(), script, &mut || {});
    if before.is_some() || !closes {
        return before;
    }
    script.borrow_mut().closes = true;
    watch_pinned(future, script, &mut || {})
}

/// Looks at something until it is there, or waits for what does not come: a few looks more, since parts of it may tell each
/// other something. `besides` is looked at, too.
pub(crate) fn watch<T>(
    future: impl Future<Output = T>,
    script: &RefCell<Script>,
    besides: &mut dyn FnMut(),
) -> Option<T> {
    watch_pinned(pin!(future), script, besides)
}

/// The same, of something that may be looked at again.
pub(crate) fn watch_pinned<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
    script: &RefCell<Script>,
    besides: &mut dyn FnMut(),
) -> Option<T> {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut progress, mut idle) = (0, 0);
    while idle < 12 {
        if let Poll::Ready(found) = future.as_mut().poll(&mut cx) {
            return Some(found);
        }
        besides();
        let now = script.borrow().progress();
        idle = if now == progress { idle + 1 } else { 0 };
        progress = now;
    }
    None
}
