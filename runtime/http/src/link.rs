//! A stream with the core that reads what comes on it, and what is still to be written to it.

use crate::out::Out;
use crate::{h1, scratch};
use bytes::BytesMut;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// A core, as far as it is about what comes.
pub(crate) trait Reads {
    /// Where the next bytes are put.
    fn input(&mut self) -> &mut BytesMut;

    /// How many bytes of a body are sure to come next.
    fn expected(&self) -> u64;

    /// Nothing more comes.
    fn ended(&mut self);
}

impl Reads for h1::Server {
    fn input(&mut self) -> &mut BytesMut {
        self.input()
    }

    fn expected(&self) -> u64 {
        self.body_expected()
    }

    fn ended(&mut self) {
        self.ended();
    }
}

impl Reads for h1::Client {
    fn input(&mut self) -> &mut BytesMut {
        self.input()
    }

    fn expected(&self) -> u64 {
        self.body_expected()
    }

    fn ended(&mut self) {
        self.ended();
    }
}

/// One end of a connection.
pub(crate) struct Link<S, C> {
    /// Gone once it speaks another protocol, or carries nothing more.
    pub(crate) stream: Option<S>,
    pub(crate) core: C,
    pub(crate) out: Out,
}

impl<S, C> Link<S, C> {
    /// On a stream that is open.
    pub(crate) fn new(stream: S, core: C) -> Self {
        Link { stream: Some(stream), core, out: Out::default() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: Reads> Link<S, C> {
    /// Reads some bytes; none at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        let expected = self.core.expected();
        let count = ready!(scratch::poll_read(stream, cx, self.core.input(), expected))?;
        if count == 0 {
            self.core.ended();
        }
        Poll::Ready(Ok(count))
    }

    /// Writes what is to be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => self.out.poll_flush(stream, cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
