//! Bodies: boxed, replayed for retries, and watched until their end.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Why a body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Any body, on the worker's own thread.
pub(crate) type Body = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>;

/// A body of this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Body {
    Box::pin(Full::new(text.into()).map_err(|never| match never {}))
}

/// A request's body that can be sent again as long as no more than a bound of it has been read.
#[derive(Clone)]
pub(crate) struct Replayable(Rc<RefCell<Recording>>);

struct Recording {
    incoming: Incoming,
    /// What was read so far; empty once the bound was passed.
    frames: Vec<Bytes>,
    size: usize,
    bound: usize,
    trailers: Option<HeaderMap>,
    /// Whether more was read than is kept.
    over: bool,
    ended: bool,
    /// Whether the client broke off, or sent what is no body.
    broken: bool,
    /// When the client last sent something.
    moved: Instant,
    /// Which attempt may read; earlier ones are told to stop.
    attempt: u32,
    end: Rc<Notify>,
}

impl Replayable {
    /// Keeps up to `bound` bytes of `incoming`.
    pub(crate) fn new(incoming: Incoming, bound: usize) -> Self {
        let ended = incoming.is_end_stream();
        Replayable(Rc::new(RefCell::new(Recording {
            incoming,
            frames: Vec::new(),
            size: 0,
            bound,
            trailers: None,
            over: false,
            ended,
            broken: false,
            moved: Instant::now(),
            attempt: 0,
            end: Rc::new(Notify::new()),
        })))
    }

    /// Whether another attempt would see the whole body.
    pub(crate) fn can_replay(&self) -> bool {
        !self.0.borrow().over
    }

    /// The body from its beginning. The body of the attempt before it breaks off.
    pub(crate) fn attempt(&self) -> Body {
        let mut recording = self.0.borrow_mut();
        recording.attempt = recording.attempt.wrapping_add(1);
        Box::pin(Attempt { recording: Rc::clone(&self.0), attempt: recording.attempt, next: 0, done: false })
    }

    /// Whether the client broke off, or sent what is no body: nobody else is to blame for what follows.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.borrow().broken
    }

    /// Whether the client has sent everything.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.borrow().ended
    }

    /// Returns once the client has sent nothing for `idle`.
    pub(crate) async fn silent_for(&self, idle: Duration) {
        loop {
            let at = self.0.borrow().moved + idle;
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    }

    /// Returns once the client has sent everything.
    pub(crate) async fn ended(&self) {
        let end = {
            let recording = self.0.borrow();
            if recording.ended {
                return;
            }
            Rc::clone(&recording.end)
        };
        end.notified().await;
    }
}

impl Recording {
    fn finish(&mut self) {
        self.ended = true;
        self.end.notify_one();
    }
}

/// The body of one attempt.
struct Attempt {
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
        let Some(frame) = ready!(Pin::new(&mut recording.incoming).poll_frame(cx)) else {
            self.done = true;
            recording.finish();
            return Poll::Ready(None);
        };
        recording.moved = Instant::now();
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                recording.broken = true;
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        if let Some(data) = frame.data_ref() {
            recording.size = recording.size.saturating_add(data.len());
            if recording.size > recording.bound {
                recording.over = true;
                recording.frames.clear();
            }
            if !recording.over {
                recording.frames.push(data.clone());
                self.next += 1;
            }
        }
        if let Some(trailers) = frame.trailers_ref() {
            recording.trailers = Some(trailers.clone());
            self.done = true;
        }
        if recording.incoming.is_end_stream() {
            recording.finish();
        }
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
        let rest = recording.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(replay));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(replay));
        }
        hint
    }
}

/// How an answer's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is complete.
    Complete,
    /// The upstream broke off.
    UpstreamReset,
    /// It took too long.
    TimedOut,
    /// The client went away.
    ClientGone,
}

/// An answer's body, bounded in time; what must happen at its end happens exactly once.
pub(crate) struct Watched<F: FnOnce(Ending, u64)> {
    incoming: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
    idle: Option<(Duration, Pin<Box<Sleep>>)>,
    sent: u64,
    finish: Option<F>,
}

impl<F: FnOnce(Ending, u64) + Unpin> Watched<F> {
    /// Watches `incoming`; `finish` hears how it ended and how many bytes passed.
    pub(crate) fn new(
        incoming: Incoming,
        deadline: Option<Instant>,
        idle: Option<Duration>,
        finish: F,
    ) -> Self {
        let mut watched = Watched {
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            idle: idle.map(|time| (time, Box::pin(tokio::time::sleep(time)))),
            incoming,
            sent: 0,
            finish: Some(finish),
        };
        if watched.incoming.is_end_stream() {
            watched.end(Ending::Complete);
        }
        watched
    }
}

impl<F: FnOnce(Ending, u64)> Watched<F> {
    fn end(&mut self, ending: Ending) {
        if let Some(finish) = self.finish.take() {
            finish(ending, self.sent);
        }
    }
}

impl<F: FnOnce(Ending, u64) + Unpin> HttpBody for Watched<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                if let Some((time, sleep)) = &mut this.idle {
                    sleep.as_mut().reset(Instant::now() + *time);
                }
                if this.incoming.is_end_stream() {
                    this.end(Ending::Complete);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.end(Ending::UpstreamReset);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.end(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let late = this.deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
                let silent = this.idle.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
                if late || silent {
                    this.end(Ending::TimedOut);
                    return Poll::Ready(Some(Err("the answer took too long".into())));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl<F: FnOnce(Ending, u64)> Drop for Watched<F> {
    fn drop(&mut self) {
        // A body that hyper never had to ask to its end (a HEAD, a 204) is complete all the same.
        let ending = if self.incoming.is_end_stream() { Ending::Complete } else { Ending::ClientGone };
        self.end(ending);
    }
}
