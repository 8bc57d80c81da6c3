//! A TCP connection that reads nothing more while memory is full, and tells its place what moves.

use crate::memory::{self, Level};
use crate::room::Place;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How soon it is looked again whether there is room.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection, from a client or to an upstream. The bound holds in both directions: what an upstream sends to a client
/// that does not read fills memory as well as what a client sends.
#[derive(Debug)]
pub(crate) struct Paced {
    stream: TcpStream,
    /// A client's place; upstreams have none, since closing a connection to them frees less than closing the client's.
    place: Option<Rc<Place>>,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether it waits for room. Probes do not: they come from whoever would end the proxy if it did not answer.
    waits: bool,
}

impl Paced {
    /// The connection of a client.
    pub(crate) fn from_client(stream: TcpStream, place: &Rc<Place>) -> Self {
        Paced { stream, place: Some(Rc::clone(place)), pause: None, waits: true }
    }

    /// A connection to an upstream.
    pub(crate) fn to_upstream(stream: TcpStream) -> Self {
        Paced { stream, place: None, pause: None, waits: true }
    }

    /// A connection on which probes and metrics are asked for.
    pub(crate) fn from_operator(stream: TcpStream, place: &Rc<Place>) -> Self {
        Paced { waits: false, ..Paced::from_client(stream, place) }
    }

    /// The connection itself.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns once there is room for more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.waits && memory::level() == Level::Full {
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        self.pause = None;
        Poll::Ready(())
    }

    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Some(place) = &self.place {
            match &result {
                Poll::Pending => place.takes_nothing(Instant::now()),
                Poll::Ready(_) => place.took(Instant::now()),
            }
        }
        result
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_room(cx));
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if let Some(place) = &self.place {
            place.sent(Instant::now());
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
