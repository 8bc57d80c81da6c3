//! Whether a client is still there: how long it may take for a request's headers, or stay without a request.

use crate::linger::Lingering;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a connection may stay without a request. Source: Envoy's default for HTTP connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long a stranger may take to send the headers of a request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// What HTTP/2 begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection's client is doing.
#[derive(Debug)]
pub(crate) struct Presence {
    /// When its last request was over.
    idle_since: Cell<Instant>,
    /// Since when it has been sending a request's headers.
    headers_since: Cell<Option<Instant>>,
    headers_began: Notify,
    /// Requests whose answers have not passed.
    requests: Cell<u32>,
    /// `None` until something tells.
    is_http2: Cell<Option<bool>>,
    /// Whether part of a request was not read.
    has_unread: Cell<bool>,
    is_stranger: bool,
}

impl Presence {
    /// Of a client that has just come.
    pub(crate) fn new(is_stranger: bool) -> Rc<Self> {
        Rc::new(Presence {
            idle_since: Cell::new(Instant::now()),
            headers_since: Cell::new(None),
            headers_began: Notify::new(),
            requests: Cell::new(0),
            is_http2: Cell::new(None),
            has_unread: Cell::new(false),
            is_stranger,
        })
    }

    /// Whether it speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.get() == Some(true)
    }

    /// A request will not be read to its end. The client may still be sending when the connection is closed.
    pub(crate) fn left_unread(&self) {
        self.has_unread.set(true);
    }

    /// Whether the connection ends with the answers that are under way, since part of a request was not read.
    pub(crate) fn has_unread(&self) -> bool {
        self.has_unread.get()
    }

    /// Returns once the client has overstayed.
    pub(crate) async fn overstayed(&self) {
        loop {
            let at = self.overstays_at();
            if at <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = self.headers_began.notified() => {}
            }
        }
    }

    /// When that is, unless something happens before.
    fn overstays_at(&self) -> Instant {
        match (self.requests.get(), self.headers_since.get()) {
            (0, Some(since)) => since + HEADERS_TIMEOUT,
            (0, None) => self.idle_since.get() + IDLE_TIMEOUT,
            // Its route decides about a request; it is looked at again then.
            (_, _) => Instant::now() + IDLE_TIMEOUT,
        }
    }

    fn received(&self, bytes: &[u8]) {
        if self.is_http2.get().is_none() {
            // A preface in pieces is told by its first request instead.
            self.is_http2.set(Some(bytes.starts_with(PREFACE)));
        }
        let begins = self.requests.get() == 0 && self.headers_since.get().is_none();
        if self.is_stranger && begins && !self.is_http2() {
            self.headers_since.set(Some(Instant::now()));
            self.headers_began.notify_one();
        }
    }
}

/// A request of a client, until its answer has passed.
#[derive(Debug)]
pub(crate) struct Asking(Rc<Presence>);

impl Asking {
    /// The client.
    pub(crate) fn presence(&self) -> Rc<Presence> {
        Rc::clone(&self.0)
    }

    /// A request whose headers are complete.
    pub(crate) fn new(presence: &Rc<Presence>, is_http2: bool) -> Self {
        presence.is_http2.set(Some(is_http2));
        presence.requests.set(presence.requests.get().saturating_add(1));
        presence.headers_since.set(None);
        Asking(Rc::clone(presence))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        self.0.idle_since.set(Instant::now());
    }
}

/// A client's connection; what it sends is noticed.
#[derive(Debug)]
pub(crate) struct Noticed<S> {
    stream: S,
    presence: Rc<Presence>,
    /// Since the client was told the end.
    lingering: Option<Lingering>,
}

impl<S> Noticed<S> {
    /// Tells `presence` what comes in on `stream`.
    pub(crate) fn new(stream: S, presence: &Rc<Presence>) -> Self {
        Noticed { stream, presence: Rc::clone(presence), lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if let Some(new @ [_, ..]) = buffer.filled().get(before..) {
            self.presence.received(new);
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let lingering = match &mut this.lingering {
            Some(lingering) => lingering,
            none => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.presence.has_unread.get() {
                    return Poll::Ready(Ok(()));
                }
                none.insert(Lingering::new())
            }
        };
        lingering.poll(&mut this.stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it may stay from now on, in seconds.
    fn left(presence: &Presence) -> u64 {
        presence.overstays_at().saturating_duration_since(Instant::now()).as_secs_f64().round() as u64
    }

    #[test]
    fn a_stranger_has_ten_seconds_for_headers_and_an_hour_between_requests() {
        let presence = Presence::new(true);
        assert_eq!(left(&presence), 3600);
        presence.received(b"GET / HTTP/1.1\r\n");
        assert_eq!(left(&presence), 10);
        let since = presence.headers_since.get();
        presence.received(b"host");
        assert_eq!(presence.headers_since.get(), since, "more bytes buy no more time");
        drop(Asking::new(&presence, false));
        assert_eq!(left(&presence), 3600);
    }

    #[test]
    fn http2_and_peers_may_wait_with_their_first_request() {
        for (stranger, bytes) in [(true, PREFACE), (false, b"GET")] {
            let presence = Presence::new(stranger);
            presence.received(bytes);
            assert_eq!(left(&presence), 3600);
        }
    }

    #[test]
    fn nobody_passes_for_http2_later_or_with_half_a_preface() {
        let presence = Presence::new(true);
        presence.received(b"PRI * HTTP/2.0");
        assert_eq!(left(&presence), 10);
        drop(Asking::new(&presence, false));
        presence.received(PREFACE);
        assert_eq!((presence.is_http2(), left(&presence)), (false, 10));
    }
}
