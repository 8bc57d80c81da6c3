//! A client's connection as HTTP sees it: what it sends is noticed, and a flood of frames ends it.

use crate::frames::{Boundary, Flood};
use crate::linger::Lingering;
use crate::presence::Presence;
use crate::relay::Breaks;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a client that floods keeps its connection after it was told to stop: one with unread bytes is reset when it is
/// closed, and a farewell that the client has not read by then may be lost. Nothing more is read from it: that is what the
/// flood would cost everybody else, and the client has to wait before it comes again.
const LINGER: Duration = Duration::from_secs(1);

/// A client's connection; what it sends is noticed.
#[derive(Debug)]
pub(crate) struct Noticed<S> {
    stream: S,
    presence: Rc<Presence>,
    boundary: Boundary,
    /// Present once the client has sent too much.
    farewell: Option<Farewell>,
    /// Since the client was told the end.
    lingering: Option<Lingering>,
}

/// What is still said to a client that is left.
#[derive(Debug)]
struct Farewell {
    bytes: Vec<u8>,
    said: usize,
    is_shut: bool,
    until: Pin<Box<Sleep>>,
}

impl<S> Noticed<S> {
    /// Tells `presence` what comes in on `stream`.
    pub(crate) fn new(stream: S, presence: &Rc<Presence>) -> Self {
        Noticed {
            stream,
            presence: Rc::clone(presence),
            boundary: Boundary::default(),
            farewell: None,
            lingering: None,
        }
    }

    /// These bytes were sent, as far as `result` says.
    fn sent(&mut self, slices: &[io::IoSlice<'_>], result: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(count)) = result else { return };
        self.presence.sent(*count);
        if !self.presence.is_http2() {
            return;
        }
        let mut left = *count;
        for slice in slices {
            let part = slice.get(..left.min(slice.len())).unwrap_or_default();
            self.boundary.sent(part);
            left -= part.len();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Noticed<S> {
    /// Says the farewell, then waits for a while. Ready once the connection may be closed.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let flood = || {
            let Flood(name) = self.presence.flood().unwrap_or(Flood("other"));
            io::Error::other(format!("too many {name} frames"))
        };
        let farewell = self.farewell.get_or_insert_with(|| Farewell {
            // Into the middle of a frame nothing can be said.
            bytes: if self.boundary.is_between() { self.presence.goaway() } else { Vec::new() },
            said: 0,
            is_shut: false,
            until: Box::pin(tokio::time::sleep(LINGER)),
        });
        if farewell.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(flood());
        }
        while let Some(rest @ [_, ..]) = farewell.bytes.get(farewell.said..) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(count) if count > 0 => farewell.said += count,
                Ok(_) | Err(_) => return Poll::Ready(flood()),
            }
        }
        if !farewell.is_shut {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(flood());
            }
            farewell.is_shut = true;
        }
        Poll::Pending
    }
}

impl<S: Breaks> Breaks for Noticed<S> {
    fn break_off(&self) {
        self.stream.break_off();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.farewell.is_some() {
            return self.poll_leave(cx).map(Err);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if let Some(new @ [_, ..]) = buffer.filled().get(before..)
            && !self.presence.received(new)
        {
            buffer.set_filled(before);
            return self.poll_leave(cx).map(Err);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.farewell.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(&[io::IoSlice::new(bytes)], &result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.farewell.is_some() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.sent(slices, &result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let lingering = match &mut this.lingering {
            Some(lingering) => lingering,
            none => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.presence.has_unread() {
                    return Poll::Ready(Ok(()));
                }
                none.insert(Lingering::new())
            }
        };
        lingering.poll(&mut this.stream, cx).map(Ok)
    }
}
