//! Whether a client is still there: how long it may take for a request's headers, or stay without a request.

use crate::frames::{Flood, Frames, PREFACE};
use crate::memory;
use crate::place::{Passing, Place};
use meshd_http::h2::Stream;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a connection may stay without a request. Source: Envoy's default for HTTP connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long a stranger may take to send the headers of a request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

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
    frames: RefCell<Frames>,
    flood: Cell<Option<Flood>>,
    place: Rc<Place>,
}

impl Presence {
    /// Of a client that has just come.
    pub(crate) fn new(is_stranger: bool, place: &Rc<Place>) -> Rc<Self> {
        Rc::new(Presence {
            idle_since: Cell::new(Instant::now()),
            headers_since: Cell::new(None),
            headers_began: Notify::new(),
            requests: Cell::new(0),
            is_http2: Cell::new(None),
            has_unread: Cell::new(false),
            is_stranger,
            frames: RefCell::default(),
            flood: Cell::new(None),
            place: Rc::clone(place),
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

    /// Which frames it sent too many of, if it did.
    pub(crate) fn flood(&self) -> Option<Flood> {
        self.flood.get()
    }

    /// The frame that tells it so.
    pub(crate) fn goaway(&self) -> Vec<u8> {
        self.frames.borrow().goaway()
    }

    /// Whether it may have come without a certificate.
    pub(crate) fn is_stranger(&self) -> bool {
        self.is_stranger
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
            // Headers that do not end hold up every other request of an HTTP/2 connection, too.
            (_, Some(since)) => since + HEADERS_TIMEOUT,
            (0, None) => self.idle_since.get() + IDLE_TIMEOUT,
            // Its route decides about a request; it is looked at again then.
            (_, _) => Instant::now() + IDLE_TIMEOUT,
        }
    }

    /// The client sent these bytes; whether it may send more.
    pub(crate) fn received(&self, bytes: &[u8]) -> bool {
        if self.is_http2.get().is_none() {
            // A preface in pieces is told by its first request instead.
            self.is_http2.set(Some(bytes.starts_with(PREFACE)));
        }
        if self.flood.get().is_none()
            && let Err(flood) = self.frames.borrow_mut().received(bytes, Instant::now)
        {
            self.flood.set(Some(flood));
        }
        let begins = if self.is_http2() {
            let begins = self.frames.borrow().in_headers();
            if !begins {
                self.headers_since.set(None);
            }
            begins
        } else {
            self.requests.get() == 0
        };
        if self.is_stranger && begins && self.headers_since.get().is_none() {
            self.headers_since.set(Some(Instant::now()));
            self.headers_began.notify_one();
        }
        self.flood.get().is_none()
    }

    /// So many bytes were sent to the client.
    pub(crate) fn sent(&self, bytes: usize) {
        self.frames.borrow_mut().sent(bytes);
    }

    /// Returns once more may be kept for the client.
    pub(crate) fn poll_takes(&self, cx: &Context<'_>) -> Poll<()> {
        self.place.poll_takes(memory::level(), cx)
    }

    /// An answer begins to pass, over HTTP/2 on a stream.
    pub(crate) fn passing(&self, stream: Option<Rc<Stream>>) -> Rc<Passing> {
        self.place.passing(stream)
    }

    /// It has passed.
    pub(crate) fn passed(&self, passing: &Rc<Passing>) {
        self.place.passed(passing);
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
        presence.place.begin();
        Asking(Rc::clone(presence))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        let now = Instant::now();
        self.0.idle_since.set(now);
        self.0.place.end(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger() -> Rc<Presence> {
        Presence::new(true, &Place::new(Instant::now()))
    }

    /// How long it may stay from now on, in seconds.
    fn left(presence: &Presence) -> u64 {
        presence.overstays_at().saturating_duration_since(Instant::now()).as_secs_f64().round() as u64
    }

    #[test]
    fn a_stranger_has_ten_seconds_for_headers_and_an_hour_between_requests() {
        let presence = stranger();
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
            let presence = Presence::new(stranger, &Place::new(Instant::now()));
            presence.received(bytes);
            assert_eq!(left(&presence), 3600);
        }
    }

    #[test]
    fn headers_over_http2_have_the_same_time_also_beside_other_requests() {
        let presence = stranger();
        presence.received(PREFACE);
        let _other = Asking::new(&presence, true);
        presence.received(&[0, 0, 2, 1, 4, 0, 0, 0, 1, b'x']);
        assert_eq!(left(&presence), 10, "half of a frame with headers");
        presence.received(b"y");
        assert_eq!(left(&presence), 3600);
        presence.received(&[0, 0, 1, 1, 0, 0, 0, 0, 3, b'x']);
        assert_eq!(left(&presence), 10, "headers that go on in another frame");
    }

    #[test]
    fn nobody_passes_for_http2_later_or_with_half_a_preface() {
        let presence = stranger();
        presence.received(b"PRI * HTTP/2.0");
        assert_eq!(left(&presence), 10);
        drop(Asking::new(&presence, false));
        presence.received(PREFACE);
        assert_eq!((presence.is_http2(), left(&presence)), (false, 10));
    }
}
