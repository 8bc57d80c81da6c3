//! A connection whose first bytes were read to see what they are, and are read once more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose first bytes were read already.
#[derive(Debug)]
pub(crate) struct Replayed<S> {
    first: Vec<u8>,
    position: usize,
    stream: S,
}

impl<S> Replayed<S> {
    /// A connection that begins with `first` once more.
    pub(crate) fn new(first: Vec<u8>, stream: S) -> Self {
        Replayed { first, position: 0, stream }
    }

    /// The same connection, with bytes that were read from it before those that have not been.
    pub(crate) fn again(self, mut first: Vec<u8>) -> Self {
        first.extend_from_slice(self.first.get(self.position..).unwrap_or_default());
        Replayed { first, position: 0, stream: self.stream }
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// What is read once more.
    pub(crate) fn rest(&self) -> &[u8] {
        self.first.get(self.position..).unwrap_or_default()
    }

    /// So many of these bytes are not read once more.
    pub(crate) fn leave_out(&mut self, bytes: usize) {
        self.position += bytes;
        if self.position >= self.first.len() {
            (self.first, self.position) = (Vec::new(), 0);
        }
    }

    /// The connection itself, once all that was read has been read again.
    pub(crate) fn replayed_all(&mut self) -> Option<&mut S> {
        self.first.is_empty().then_some(&mut self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = this.rest();
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        this.leave_out(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_was_read_comes_once_more_and_before_the_rest() -> io::Result<()> {
        let mut stream = Replayed::new(b"first".to_vec(), &b" and the rest"[..]);
        let mut two = [0; 2];
        stream.read_exact(&mut two).await?;
        let mut stream = stream.again(two.to_vec());
        let mut all = String::new();
        stream.read_to_string(&mut all).await?;
        assert_eq!(all, "first and the rest");
        Ok(())
    }
}
