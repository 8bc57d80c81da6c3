//! Bodies: boxed, and those of requests replayed for retries.

use crate::from_client::FromClient;
use crate::linger::{LONGEST, SILENCE};
use crate::memory::{self, Level};
use crate::patience::until;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// Why a body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Any body, on the worker's own thread.
pub(crate) type Body = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>;

/// A body of this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Body {
    Box::pin(Full::new(text.into()).map_err(|never| match never {}))
}

/// A request's body that can be sent again as long as no more than a bound of it has been read, and memory was not tight.
#[derive(Clone)]
pub(crate) struct Replayable(Rc<RefCell<Recording>>);

struct Recording {
    /// Gone once it was given up.
    incoming: Option<FromClient>,
    /// What was read so far; empty once the bound was passed.
    frames: Vec<Bytes>,
    size: usize,
    bound: usize,
    trailers: Option<HeaderMap>,
    /// Whether more was read than is kept.
    over: bool,
    /// Whether the client has said that more will come than is kept.
    is_large: bool,
    ended: bool,
    /// Whether the client broke off, or sent what is no body.
    broken: bool,
    /// When the client last sent something.
    moved: Instant,
    /// Whether it is the client that everybody waits for: an attempt wants more, and there is none.
    awaited: bool,
    /// Woken when that ends.
    watchers: Vec<Waker>,
    /// Which attempt may read; earlier ones are told to stop.
    attempt: u32,
    /// Whoever waits for more.
    waker: Option<Waker>,
}

impl Replayable {
    /// Keeps up to `bound` bytes of `incoming`.
    pub(crate) fn new(incoming: FromClient, bound: usize) -> Self {
        let ended = incoming.is_end_stream();
        let is_large = incoming.size_hint().lower() > bound as u64;
        Replayable(Rc::new(RefCell::new(Recording {
            incoming: Some(incoming),
            frames: Vec::new(),
            size: 0,
            bound,
            trailers: None,
            over: false,
            is_large,
            ended,
            broken: false,
            moved: Instant::now(),
            awaited: false,
            watchers: Vec::new(),
            attempt: 0,
            waker: None,
        })))
    }

    /// Whether an attempt would see the whole body although there was one before.
    pub(crate) fn is_whole(&self) -> bool {
        !self.0.borrow().over
    }

    /// Whether the body is small enough for another attempt. One whose length is not known yet counts with what came.
    pub(crate) fn can_replay(&self) -> bool {
        let recording = self.0.borrow();
        !recording.over && !recording.is_large
    }

    /// Whether all of it has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.borrow().ended
    }

    /// What is left of the upload once its answer has arrived.
    pub(crate) fn rest(&self) -> Rest {
        Rest(Rc::downgrade(&self.0))
    }

    /// The body from its beginning. The body of the attempt before it breaks off.
    pub(crate) fn attempt(&self) -> Attempt {
        let mut recording = self.0.borrow_mut();
        recording.attempt = recording.attempt.wrapping_add(1);
        Attempt { recording: Rc::clone(&self.0), attempt: recording.attempt, next: 0, done: false }
    }

    /// The same; `None` if there is nothing in it.
    pub(crate) fn attempt_if_any(&self) -> Option<Attempt> {
        let attempt = self.attempt();
        Some(attempt).filter(|attempt| !attempt.is_end_stream())
    }

    /// Whether the client broke off, or sent what is no body: nobody else is to blame for what follows.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.borrow().broken
    }

    /// Whether it is the client that everybody waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.borrow().awaited
    }

    /// Since when the upstream's time counts: a slow upload is not its fault.
    pub(crate) fn since(&self) -> Instant {
        let recording = self.0.borrow();
        if recording.ended { recording.moved } else { Instant::now() }
    }

    /// When the client last sent something; pending while everybody waits for it.
    pub(crate) fn poll_moved(&self, cx: &Context<'_>) -> Poll<Instant> {
        let mut recording = self.0.borrow_mut();
        if !recording.awaited {
            return Poll::Ready(recording.moved);
        }
        if !recording.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            recording.watchers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// When the client last sent something.
    pub(crate) fn moved(&self) -> Instant {
        self.0.borrow().moved
    }
}

/// An upload whose answer has arrived. It keeps neither the client nor the upstream.
pub(crate) struct Rest(Weak<RefCell<Recording>>);

impl Rest {
    /// Whether there is nothing left of it.
    pub(crate) fn is_over(&self) -> bool {
        self.0.upgrade().is_none_or(|recording| {
            let recording = recording.borrow();
            recording.ended || recording.incoming.is_none()
        })
    }

    /// The answer has passed: what is still coming may go on for as long as one lingers, since there are clients that
    /// read an answer only when they have sent everything, and servers that keep the connection if they get it.
    pub(crate) async fn linger(self) {
        let end = Instant::now() + LONGEST;
        loop {
            let Some(recording) = self.0.upgrade() else { return };
            let at = {
                let recording = recording.borrow();
                if recording.ended || recording.incoming.is_none() {
                    return;
                }
                end.min(recording.moved + SILENCE)
            };
            if at <= Instant::now() {
                recording.borrow_mut().give_up();
                return;
            }
            drop(recording);
            until(at).await;
        }
    }

    /// The answer broke off: so does the upload.
    pub(crate) fn give_up(self) {
        if let Some(recording) = self.0.upgrade() {
            recording.borrow_mut().give_up();
        }
    }
}

impl Recording {
    /// Lets go of the client; whoever sends the body on is told.
    fn give_up(&mut self) {
        self.incoming = None;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Something came from the client, or nobody waits for it any more.
    fn came(&mut self) {
        self.moved = Instant::now();
        if std::mem::take(&mut self.awaited) {
            self.watchers.drain(..).for_each(Waker::wake);
        }
    }

    /// Keeps what came, up to the bound. Where memory is tight nothing is kept any more: another attempt is worth less
    /// than a client's connection.
    fn keep(&mut self, data: &Bytes, level: Level) {
        self.size = self.size.saturating_add(data.len());
        if self.size > self.bound || level >= Level::Tight {
            self.over = true;
            self.frames = Vec::new();
        }
        if !self.over {
            self.frames.push(data.clone());
        }
    }
}

/// The body of one attempt.
pub(crate) struct Attempt {
    recording: Rc<RefCell<Recording>>,
    attempt: u32,
    /// The position in the recorded frames.
    next: usize,
    done: bool,
}

impl HttpBody for Attempt {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let shared = Rc::clone(&self.recording);
        let mut recording = shared.borrow_mut();
        if recording.attempt != self.attempt {
            return Poll::Ready(Some(Err("the request is being sent again elsewhere".into())));
        }
        if self.done {
            return Poll::Ready(None);
        }
        if !recording.over
            && let Some(frame) = recording.frames.get(self.next)
        {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if recording.ended {
            self.done = true;
            let trailers = recording.trailers.clone();
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let Some(incoming) = &mut recording.incoming else {
            return Poll::Ready(Some(Err("the rest of the request was given up".into())));
        };
        let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else {
            recording.awaited = true;
            recording.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        recording.came();
        let Some(frame) = frame else {
            self.done = true;
            recording.ended = true;
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                recording.broken = true;
                return Poll::Ready(Some(Err(error)));
            }
        };
        if let Some(data) = frame.data_ref() {
            recording.keep(data, memory::level());
            self.next = recording.frames.len();
        }
        if let Some(trailers) = frame.trailers_ref() {
            recording.trailers = Some(trailers.clone());
            self.done = true;
        }
        recording.ended =
            frame.is_trailers() || recording.incoming.as_ref().is_some_and(HttpBody::is_end_stream);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let recording = self.recording.borrow();
        let replayed = recording.over || self.next >= recording.frames.len();
        self.done || (recording.ended && replayed && recording.trailers.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        let recording = self.recording.borrow();
        let replay: u64 = recording.frames.iter().skip(self.next).map(|frame| frame.len() as u64).sum();
        if recording.ended {
            return SizeHint::with_exact(replay);
        }
        let rest = recording.incoming.as_ref().map(HttpBody::size_hint).unwrap_or_default();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(replay));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(replay));
        }
        hint
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut recording = self.recording.borrow_mut();
        if recording.attempt == self.attempt && recording.awaited {
            recording.came();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(bound: usize) -> Recording {
        Recording {
            incoming: None,
            frames: Vec::new(),
            size: 0,
            bound,
            trailers: None,
            over: false,
            is_large: false,
            ended: false,
            broken: false,
            moved: Instant::now(),
            awaited: false,
            watchers: Vec::new(),
            attempt: 0,
            waker: None,
        }
    }

    #[test]
    fn a_body_is_kept_up_to_its_bound() {
        let mut recording = recording(10);
        recording.keep(&Bytes::from_static(b"12345"), Level::Ample);
        recording.keep(&Bytes::from_static(b"67890"), Level::Ample);
        assert_eq!((recording.frames.len(), recording.over), (2, false));
        recording.keep(&Bytes::from_static(b"1"), Level::Ample);
        assert_eq!((recording.frames.capacity(), recording.over), (0, true));
    }

    #[test]
    fn nothing_is_kept_where_memory_is_tight() {
        for level in [Level::Tight, Level::Full] {
            let mut recording = recording(10);
            recording.keep(&Bytes::from_static(b"1"), Level::Ample);
            recording.keep(&Bytes::from_static(b"2"), level);
            assert_eq!((recording.frames.capacity(), recording.over), (0, true), "{level:?}");
            recording.keep(&Bytes::from_static(b"3"), Level::Ample);
            assert!(recording.frames.is_empty(), "what has a gap is not kept later");
        }
    }
}
