//! An HTTP/1.1 connection to an upstream whose protocol was changed.

use super::lease::Lease;
use super::open::Counted;
use crate::connect::Upward;
use crate::relay::Breaks;
use crate::replayed::Replayed;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection on which another protocol than HTTP is spoken. It counts as a connection, and in use, until it is dropped.
pub(crate) struct Switched {
    stream: Replayed<Upward>,
    _counted: Counted,
    _lease: Lease,
}

impl Switched {
    /// The connection that was counted so.
    pub(super) fn new(stream: Replayed<Upward>, counted: Counted, lease: Lease) -> Self {
        Switched { stream, _counted: counted, _lease: lease }
    }
}

impl Breaks for Switched {
    fn break_off(&self) {
        self.stream.break_off();
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
