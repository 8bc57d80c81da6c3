//! Bodies of answers, watched until their end.

use crate::body::BodyError;
use crate::patience::{self, Until};
use crate::pool::{CutOff, FromUpstream};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How an answer's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is complete.
    Complete,
    /// The upstream broke off.
    UpstreamReset,
    /// It did, because other clients had broken off requests on the same connection.
    CutOff,
    /// It did, after the client had let the answer wait for long.
    Unread,
    /// It took too long.
    TimedOut,
    /// The client went away.
    ClientGone,
}

/// How much of an answer passes before somebody watches whether the client still reads: less than this it need not read
/// for the answer to leave us.
const UNWATCHED: u64 = 64 * 1024;

/// How long a client may let an answer wait until the upstream is no longer to blame for breaking off: servers give up
/// those who do not read, as this proxy does.
const WAITING: Duration = Duration::from_secs(1);

/// An answer's body, bounded in time; what must happen at its end happens exactly once.
pub(crate) struct Watched<F: FnOnce(Ending, u64)> {
    passing: Rc<RefCell<Passing<F>>>,
    deadline: Option<Until>,
    idle: Option<(Duration, Until)>,
    /// Looks whether the client reads, since nobody polls a body for which there is no room.
    watchdog: Option<AbortHandle>,
}

/// What the watchdog may end.
struct Passing<F: FnOnce(Ending, u64)> {
    /// Gone once it took too long.
    incoming: Option<FromUpstream>,
    sent: u64,
    moved: Instant,
    /// Whether the client wanted more since then.
    wanted: bool,
    finish: Option<F>,
}

impl<F: FnOnce(Ending, u64) + Unpin + 'static> Watched<F> {
    /// Watches `incoming`; `finish` hears how it ended and how many bytes passed.
    pub(crate) fn new(
        incoming: FromUpstream,
        deadline: Option<Instant>,
        idle: Option<Duration>,
        finish: F,
    ) -> Self {
        let ended = incoming.is_end_stream();
        let mut passing = Passing {
            incoming: Some(incoming),
            sent: 0,
            moved: Instant::now(),
            wanted: true,
            finish: Some(finish),
        };
        if ended {
            passing.end(Ending::Complete);
        }
        Watched {
            passing: Rc::new(RefCell::new(passing)),
            deadline: deadline.map(patience::until),
            idle: idle.map(|time| (time, patience::until(Instant::now() + time))),
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
                patience::until(at).await;
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

    /// How it ended when the upstream broke off.
    fn broken_off(&self, is_cut_off: bool) -> Ending {
        if is_cut_off {
            Ending::CutOff
        } else if !self.wanted && self.moved.elapsed() >= WAITING {
            Ending::Unread
        } else {
            Ending::UpstreamReset
        }
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
                passing.wanted = false;
                if passing.is_complete() {
                    passing.end(Ending::Complete);
                }
                let unwatched = passing.sent <= UNWATCHED || passing.finish.is_none();
                drop(passing);
                if let Some((time, silent)) = &mut this.idle {
                    let time = *time;
                    *silent = patience::until(Instant::now() + time);
                    if this.watchdog.is_none() && !unwatched {
                        this.watchdog = Some(this.watch(time));
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let ending = passing.broken_off(error.is::<CutOff>());
                passing.end(ending);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                passing.end(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => {
                passing.wanted = true;
                let over = this.deadline.as_mut().is_some_and(|late| Pin::new(late).poll(cx).is_ready());
                let silent = this.idle.as_mut().is_some_and(|(_, late)| Pin::new(late).poll(cx).is_ready());
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
        // A body that nobody had to ask to its end (a HEAD, a 204) is complete all the same.
        let ending = if passing.is_complete() { Ending::Complete } else { Ending::ClientGone };
        passing.end(ending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(wanted: bool, moved: Instant) -> Passing<fn(Ending, u64)> {
        Passing { incoming: None, sent: 0, moved, wanted, finish: None }
    }

    #[test]
    fn an_upstream_is_not_to_blame_that_gives_up_whoever_does_not_read() {
        let now = Instant::now();
        let long_ago = now.checked_sub(WAITING).unwrap_or(now);
        assert_eq!(
            passing(false, now).broken_off(false),
            Ending::UpstreamReset,
            "the client may just be slow"
        );
        assert_eq!(passing(false, long_ago).broken_off(false), Ending::Unread);
        assert_eq!(
            passing(true, long_ago).broken_off(false),
            Ending::UpstreamReset,
            "the client wanted more"
        );
        assert_eq!(passing(false, long_ago).broken_off(true), Ending::CutOff);
    }
}
