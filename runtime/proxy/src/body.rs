//! Bodies: boxed, replayed for retries, and watched until their end.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
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
    /// Whether it is the client that everybody waits for: an attempt wants more, and there is none.
    awaited: bool,
    /// Told when that ends.
    came: Rc<Notify>,
    /// Which attempt may read; earlier ones are told to stop.
    attempt: u32,
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
            awaited: false,
            came: Rc::new(Notify::new()),
            attempt: 0,
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

    /// Whether it is the client that everybody waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.borrow().awaited
    }

    /// Since when the upstream's time counts: a slow upload is not its fault.
    pub(crate) fn since(&self) -> Instant {
        let recording = self.0.borrow();
        if recording.ended { recording.moved } else { Instant::now() }
    }

    /// Returns once the upstream has taken longer than `limit`: since `start`, and since the client last sent something.
    pub(crate) async fn overdue(&self, limit: Duration, start: Instant) {
        loop {
            let (awaited, at, came) = {
                let recording = self.0.borrow();
                (recording.awaited, recording.moved.max(start) + limit, Rc::clone(&recording.came))
            };
            if awaited {
                came.notified().await;
                continue;
            }
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
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
}

impl Recording {
    /// Something came from the client, or nobody waits for it any more.
    fn came(&mut self) {
        self.moved = Instant::now();
        if std::mem::take(&mut self.awaited) {
            self.came.notify_waiters();
        }
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
        let Poll::Ready(frame) = Pin::new(&mut recording.incoming).poll_frame(cx) else {
            recording.awaited = true;
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
        recording.ended = recording.incoming.is_end_stream();
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

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut recording = self.recording.borrow_mut();
        if recording.attempt == self.attempt && recording.awaited {
            recording.came();
        }
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

/// How much of an answer passes before somebody watches whether the client still reads: less than this it need not read
/// for the answer to leave us.
const UNWATCHED: u64 = 64 * 1024;

/// An answer's body, bounded in time; what must happen at its end happens exactly once.
pub(crate) struct Watched<F: FnOnce(Ending, u64)> {
    passing: Rc<RefCell<Passing<F>>>,
    deadline: Option<Pin<Box<Sleep>>>,
    idle: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Looks whether the client reads, since nobody polls a body for which there is no room.
    watchdog: Option<AbortHandle>,
}

/// What the watchdog may end.
struct Passing<F: FnOnce(Ending, u64)> {
    /// Gone once it took too long.
    incoming: Option<Incoming>,
    sent: u64,
    moved: Instant,
    finish: Option<F>,
}

impl<F: FnOnce(Ending, u64) + Unpin + 'static> Watched<F> {
    /// Watches `incoming`; `finish` hears how it ended and how many bytes passed.
    pub(crate) fn new(
        incoming: Incoming,
        deadline: Option<Instant>,
        idle: Option<Duration>,
        finish: F,
    ) -> Self {
        let ended = incoming.is_end_stream();
        let mut passing =
            Passing { incoming: Some(incoming), sent: 0, moved: Instant::now(), finish: Some(finish) };
        if ended {
            passing.end(Ending::Complete);
        }
        Watched {
            passing: Rc::new(RefCell::new(passing)),
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            idle: idle.map(|time| (time, Box::pin(tokio::time::sleep(time)))),
            watchdog: None,
        }
    }

    /// Gives the answer up once it has not moved for `idle`.
    fn watch(&self, idle: Duration) -> AbortHandle {
        let passing = Rc::downgrade(&self.passing);
        let watching = tokio::task::spawn_local(async move {
            while let Some(passing) = passing.upgrade() {
                let at = passing.borrow().moved + idle;
                if at <= Instant::now() {
                    passing.borrow_mut().give_up();
                    return;
                }
                drop(passing);
                tokio::time::sleep_until(at).await;
            }
        });
        watching.abort_handle()
    }
}

impl<F: FnOnce(Ending, u64)> Passing<F> {
    fn end(&mut self, ending: Ending) {
        if let Some(finish) = self.finish.take() {
            finish(ending, self.sent);
        }
    }

    /// Lets go of the upstream, whoever still holds the answer.
    fn give_up(&mut self) {
        self.incoming = None;
        self.end(Ending::TimedOut);
    }

    fn is_complete(&self) -> bool {
        self.incoming.as_ref().is_some_and(HttpBody::is_end_stream)
    }
}

impl<F: FnOnce(Ending, u64) + Unpin + 'static> HttpBody for Watched<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let late = || Poll::Ready(Some(Err("the answer took too long".into())));
        let mut passing = this.passing.borrow_mut();
        let Some(incoming) = passing.incoming.as_mut() else { return late() };
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                passing.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                passing.moved = Instant::now();
                if passing.is_complete() {
                    passing.end(Ending::Complete);
                }
                let unwatched = passing.sent <= UNWATCHED || passing.finish.is_none();
                drop(passing);
                if let Some((time, sleep)) = &mut this.idle {
                    let time = *time;
                    sleep.as_mut().reset(Instant::now() + time);
                    if this.watchdog.is_none() && !unwatched {
                        this.watchdog = Some(this.watch(time));
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                passing.end(Ending::UpstreamReset);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                passing.end(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let over = this.deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
                let silent = this.idle.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
                if over || silent {
                    passing.give_up();
                    return late();
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.passing.borrow().is_complete()
    }

    fn size_hint(&self) -> SizeHint {
        self.passing.borrow().incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl<F: FnOnce(Ending, u64)> Drop for Watched<F> {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.abort();
        }
        let mut passing = self.passing.borrow_mut();
        // A body that hyper never had to ask to its end (a HEAD, a 204) is complete all the same.
        let ending = if passing.is_complete() { Ending::Complete } else { Ending::ClientGone };
        passing.end(ending);
    }
}
