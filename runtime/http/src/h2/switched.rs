//! A stream whose protocol was changed: bytes in both directions (RFC 8441).

use ::h2::{Error, Reason, RecvStream, SendStream};
use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is sent at once, in bytes.
const PIECE: usize = super::Settings::FRAME as usize;

/// A stream that carries bytes. Dropped before it is shut down, it is reset.
pub struct Switched {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What has come and was not read.
    unread: Bytes,
    is_shut: bool,
}

impl Switched {
    /// Both directions of a stream.
    pub(super) fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Switched { send, receive, unread: Bytes::new(), is_shut: false }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        if let Poll::Ready(reason) = self.send.poll_reset(cx).map_err(broken)? {
            return Poll::Ready(Err(broken(reason.into())));
        }
        self.send.reserve_capacity(wanted);
        loop {
            let room = self.send.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room));
            }
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => drop(capacity.map_err(broken)?),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }
}

/// The stream's error as one of a connection.
fn broken(error: Error) -> io::Error {
    match error.reason() {
        Some(Reason::STREAM_CLOSED) => io::Error::new(io::ErrorKind::BrokenPipe, error),
        Some(_) | None => io::Error::other(error),
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => {
                    let is_end = matches!(error.reason(), Some(Reason::NO_ERROR | Reason::CANCEL));
                    return Poll::Ready(if is_end { Ok(()) } else { Err(broken(error)) });
                }
            }
        }
        let count = this.unread.len().min(buffer.remaining());
        buffer.put_slice(this.unread.get(..count).unwrap_or_default());
        this.unread.advance(count);
        // Fails only for a stream that is gone.
        let _ = this.receive.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(cx, bytes.len().min(PIECE)))?;
        let bytes = bytes.get(..room.min(PIECE)).unwrap_or(bytes);
        self.send.send_data(Bytes::copy_from_slice(bytes), false).map_err(broken)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_shut, true) {
            self.send.send_data(Bytes::new(), true).map_err(broken)?;
        }
        Poll::Ready(Ok(()))
    }
}
