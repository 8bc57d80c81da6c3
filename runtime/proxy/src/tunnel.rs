//! What follows a request whose protocol was changed: bytes in both directions, and no HTTP any more.
//!
//! The client's end is a whole HTTP/1.1 connection, or one stream of HTTP/2; so is the upstream's, whichever the client's
//! is. What was counted for the request (places, requests under way, the endpoint's load) stays counted until the end, and
//! so does the line in the log wait for it.

use crate::place::Passing;
use crate::pool::Switched;
use crate::presence::Presence;
use crate::relay::{Breaks, Counts, End, relay};
use meshd_http::h2;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The upstream's end.
pub(crate) enum Upper {
    /// A connection.
    Single(Switched),
    /// A stream of one.
    Shared(h2::Switched),
}

/// How a tunnel ended.
#[derive(Debug)]
pub(crate) enum Over {
    /// Both ends have said that this was all.
    Complete,
    /// Nothing moved for too long.
    Silent,
    /// One end broke off.
    Broken(io::Error),
    /// It was given up, with its client.
    GivenUp,
}

/// Hears how a tunnel ended, and how many bytes came from the client and went to it.
type Finish = Box<dyn FnOnce(&Over, (u64, u64))>;

/// Bytes between a client and an upstream that agreed on a protocol.
pub(crate) struct Tunnel {
    upper: Option<Upper>,
    idle: Option<Duration>,
    presence: Rc<Presence>,
    passing: Rc<Passing>,
    counts: Counts,
    finish: Option<Finish>,
}

impl Tunnel {
    /// A tunnel to `upper` for the client of `presence`, over HTTP/2 on `stream`. `finish` is called once, whatever happens.
    pub(crate) fn new(
        upper: Upper,
        idle: Option<Duration>,
        presence: &Rc<Presence>,
        stream: Option<Rc<h2::Stream>>,
        finish: impl FnOnce(&Over, (u64, u64)) + 'static,
    ) -> Self {
        Tunnel {
            upper: Some(upper),
            idle,
            presence: Rc::clone(presence),
            passing: presence.passing(stream),
            counts: Counts::default(),
            finish: Some(Box::new(finish)),
        }
    }

    /// Relays until the end.
    pub(crate) async fn run(mut self, client: impl Breaks) {
        let Some(upper) = self.upper.take() else { return };
        let (presence, passing) = (Rc::clone(&self.presence), Rc::clone(&self.passing));
        let mut upper = End::new(Noted { upper, presence, passing });
        let over = match relay(&mut End::new(client), &mut upper, self.idle, &self.counts).await {
            Ok(()) => Over::Complete,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Over::Silent,
            Err(error) => Over::Broken(error),
        };
        self.end(&over);
    }

    fn end(&mut self, over: &Over) {
        if let Some(finish) = self.finish.take() {
            finish(over, self.counts.so_far());
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.presence.passed(&self.passing);
        self.end(&Over::GivenUp);
    }
}

/// Where an HTTP/1.1 connection finds the tunnel that it becomes once its last answer was sent.
#[derive(Clone, Default)]
pub(crate) struct Next(Rc<RefCell<Option<Tunnel>>>);

impl Next {
    /// The connection becomes this tunnel.
    pub(crate) fn set(&self, tunnel: Tunnel) {
        *self.0.borrow_mut() = Some(tunnel);
    }

    /// The tunnel, if there is to be one.
    pub(crate) fn take(&self) -> Option<Tunnel> {
        self.0.borrow_mut().take()
    }
}

/// The upstream's end, with a note whether the client takes what comes from it, as for the body of an answer.
struct Noted {
    upper: Upper,
    presence: Rc<Presence>,
    passing: Rc<Passing>,
}

impl Noted {
    fn stream(&mut self) -> Pin<&mut dyn Breaks> {
        match &mut self.upper {
            Upper::Single(switched) => Pin::new(switched),
            Upper::Shared(stream) => Pin::new(stream),
        }
    }
}

impl Breaks for Noted {
    fn break_off(&self) {
        match &self.upper {
            Upper::Single(switched) => switched.break_off(),
            Upper::Shared(stream) => stream.break_off(),
        }
    }
}

impl Breaks for h2::Switched {
    /// Such a stream is reset unless it was shut down (RFC 8441, section 5).
    fn break_off(&self) {}
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.presence.poll_takes(cx));
        let result = self.stream().poll_read(cx, buffer);
        match &result {
            Poll::Ready(Ok(())) => self.passing.got_some(Instant::now()),
            Poll::Ready(Err(_)) | Poll::Pending => self.passing.wants_more(),
        }
        result
    }
}

impl AsyncWrite for Noted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
