//! A connection whose answers are read although nobody takes what is written any more.
//!
//! A server may answer before it has read the request, and close. Writing the rest of the request then fails, and HTTP/2's
//! library would give the connection up without reading what has arrived. Here a failed write is kept back: what follows is
//! thrown away, and the reading side says how the connection ended, after everything that was received.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection to an upstream that reads on.
pub(crate) struct ReadsOn<S> {
    stream: S,
    /// Whether writing has failed.
    deaf: bool,
}

impl<S> ReadsOn<S> {
    /// Reads on whatever happens to what is written to `stream`.
    pub(crate) fn new(stream: S) -> Self {
        ReadsOn { stream, deaf: false }
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// `done` in the place of an error.
    fn heard<T>(&mut self, result: Poll<io::Result<T>>, done: T) -> Poll<io::Result<T>> {
        match result {
            Poll::Ready(Err(_)) => {
                self.deaf = true;
                Poll::Ready(Ok(done))
            }
            result @ (Poll::Ready(Ok(_)) | Poll::Pending) => result,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadsOn<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadsOn<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.heard(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(all));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.heard(result, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.heard(result, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.heard(result, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_arrived_is_read_after_a_write_has_failed() {
        let (mut server, ours) = tokio::io::duplex(1024);
        server.write_all(b"the answer").await.unwrap();
        drop(server);
        let mut stream = ReadsOn::new(ours);
        for _ in 0..3 {
            stream.write_all(b"the rest of the request").await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "the answer");
    }
}
