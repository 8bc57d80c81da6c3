//! The first bytes of a connection: read until they tell who is asked for, then replayed to whoever goes on.

use crate::paced::Paced;
use crate::sni::{Hello, MAX_HELLO, peek};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the first bytes said.
#[derive(Debug)]
pub(crate) enum First {
    /// A ClientHello and the server name in it.
    Tls(Option<String>),
    /// Something else.
    Other,
    /// The client sent too little in time.
    Late,
    /// The client went away.
    Gone,
}

/// Reads until the first bytes tell what they are, but no longer than `limit`. The bytes are returned as well.
pub(crate) async fn read_hello(stream: &mut Paced, limit: Duration) -> (First, Vec<u8>) {
    let mut bytes = Vec::with_capacity(2048);
    let reading = async {
        loop {
            match peek(&bytes) {
                Hello::Tls(name) => return First::Tls(name),
                Hello::NotTls => return First::Other,
                // Records add a few bytes to what `peek` bounds.
                Hello::Incomplete if bytes.len() > 2 * MAX_HELLO => return First::Other,
                Hello::Incomplete => {}
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return First::Gone,
                Ok(_) => {}
            }
        }
    };
    let first = tokio::time::timeout(limit, reading).await.unwrap_or(First::Late);
    (first, bytes)
}

/// A connection whose first bytes were read already.
#[derive(Debug)]
pub(crate) struct Replayed {
    first: Vec<u8>,
    position: usize,
    stream: Paced,
}

impl Replayed {
    /// A connection that begins with `first` once more.
    pub(crate) fn new(first: Vec<u8>, stream: Paced) -> Self {
        Replayed { first, position: 0, stream }
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.stream.tcp()
    }
}

impl AsyncRead for Replayed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = this.first.get(this.position..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        this.position += count;
        if this.position >= this.first.len() {
            this.first = Vec::new();
            this.position = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
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
