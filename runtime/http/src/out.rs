//! What is still to be written: heads and small pieces in one buffer, and one large piece behind it.

use crate::spare;
use bytes::{Buf as _, Bytes};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Up to this size, in bytes, a piece of a body is copied: that is cheaper than another slice.
const SMALL: usize = 4 * 1024;

/// With more than this in the buffer, in bytes, it is written before anything is added.
const ENOUGH: usize = 16 * 1024;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// Heads, frames and small pieces.
    pub(crate) small: Vec<u8>,
    /// How much of that was written.
    written: usize,
    /// A large piece.
    large: Bytes,
    /// What goes behind it.
    after: &'static [u8],
    /// Whether the stream may hold back what was written to it.
    is_held: bool,
}

impl Out {
    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty() && self.after.is_empty() && !self.is_held
    }

    /// Whether there is as much as should be written before there is more.
    pub(crate) fn is_full(&self) -> bool {
        !self.large.is_empty() || !self.after.is_empty() || self.small.len() >= ENOUGH
    }

    /// Adds a piece of a body, and what goes behind it. Not while it is full.
    pub(crate) fn push(&mut self, data: Bytes, after: &'static [u8]) {
        if data.len() <= SMALL {
            self.small.extend_from_slice(&data);
            self.small.extend_from_slice(after);
        } else {
            self.large = data;
            self.after = after;
        }
    }

    /// Writes all of it.
    pub(crate) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let small = self.small.get(self.written..).unwrap_or_default();
            let count = match (small.is_empty(), self.large.is_empty() && self.after.is_empty()) {
                (true, true) => break,
                (false, true) => ready!(Pin::new(&mut *stream).poll_write(cx, small))?,
                (_, false) => {
                    let slices = [IoSlice::new(small), IoSlice::new(&self.large), IoSlice::new(self.after)];
                    let first = slices.iter().find(|slice| !slice.is_empty());
                    match first {
                        Some(first) if !stream.is_write_vectored() => {
                            ready!(Pin::new(&mut *stream).poll_write(cx, first))?
                        }
                        _ => ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices))?,
                    }
                }
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wrote(count);
        }
        if std::mem::take(&mut self.is_held) {
            // Nothing is left here, so a stream that is not ready is asked again.
            let flushed = Pin::new(stream).poll_flush(cx);
            self.is_held = flushed.is_pending();
            return flushed;
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, count: usize) {
        self.is_held = true;
        let of_small = count.min(self.small.len().saturating_sub(self.written));
        self.written += of_small;
        if self.written == self.small.len() {
            self.small.clear();
            self.written = 0;
        }
        let of_large = (count - of_small).min(self.large.len());
        self.large.advance(of_large);
        if self.large.is_empty() {
            self.large = Bytes::new();
        }
        let of_after = count - of_small - of_large;
        self.after = self.after.get(of_after..).unwrap_or_default();
    }

    /// Takes a buffer: a head is going to be written.
    pub(crate) fn begin(&mut self) {
        if self.small.capacity() == 0 {
            self.small = spare::buffer();
        }
    }

    /// Gives the buffer back: nothing is going to be written for a while.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            spare::give_back_buffer(std::mem::take(&mut self.small));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::task::Waker;

    /// A stream that takes a few bytes at a time.
    struct Slow {
        got: Vec<u8>,
        takes: std::iter::Cycle<std::vec::IntoIter<usize>>,
        vectored: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let takes = self.takes.next().unwrap().min(bytes.len());
            if takes == 0 {
                return Poll::Pending;
            }
            self.got.extend_from_slice(&bytes[..takes]);
            Poll::Ready(Ok(takes))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let takes = self.takes.next().unwrap().min(all.len());
            if takes == 0 {
                return Poll::Pending;
            }
            self.got.extend_from_slice(&all[..takes]);
            Poll::Ready(Ok(takes))
        }

        fn is_write_vectored(&self) -> bool {
            self.vectored
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn everything_is_written_once_and_in_order(
            pieces in proptest::collection::vec((0usize..10_000, any::<bool>()), 1..20),
            takes in proptest::collection::vec(0usize..5_000, 1..9),
            vectored in any::<bool>(),
        ) {
            prop_assume!(takes.iter().any(|takes| *takes > 0));
            let mut stream = Slow { got: Vec::new(), takes: takes.into_iter().cycle(), vectored };
            let (mut out, mut expected) = (Out::default(), Vec::new());
            let mut cx = Context::from_waker(Waker::noop());
            for (number, (length, framed)) in pieces.into_iter().enumerate() {
                while out.is_full() {
                    let _ = out.poll_flush(&mut stream, &mut cx);
                }
                let data = vec![number as u8; length];
                let after = if framed { &b"\r\n"[..] } else { b"" };
                expected.extend_from_slice(&data);
                expected.extend_from_slice(after);
                out.push(data.into(), after);
            }
            while !out.is_empty() {
                let _ = out.poll_flush(&mut stream, &mut cx);
            }
            prop_assert_eq!(stream.got, expected);
        }
    }
}
