//! A request on a shared connection and the answer to it; and what becomes of them when the client goes away.

use super::lease::{Lease, Stream};
use super::upload::{Progress, Upload};
use crate::body::{Body, BodyError};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use meshd_http::h2::client::Answering;
use meshd_http::h2::{self, Incoming};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::task::AbortHandle;

/// The rest of an answer that is read to its end, rather than broken off, when its client has gone.
const SMALL: u64 = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The request was not sent, or not looked at.
    NotSent(String),
    /// The other end wants no more requests than it has.
    Refused(String),
    /// The connection ended in answer to resets, which are clients' doing.
    CutOff(String),
    /// The client broke off.
    Client,
    /// What came is no answer.
    Protocol(String),
    /// The request or its connection ended.
    Reset(String),
}

impl Stream {
    /// Sends a request. Whoever stops waiting for the answer leaves the stream to the pool.
    pub(crate) async fn send(mut self, request: Request<Body>) -> Result<Response<FromUpstream>, Unanswered> {
        if let Some(over) = poll_fn(|cx| Poll::Ready(self.sender.over(cx))).await {
            return Err(Unanswered::NotSent(over.to_string()));
        }
        let (head, body) = request.into_parts();
        let lease = self.lease;
        let has_body = !body.is_end_stream();
        let progress = Rc::new(Progress::new(has_body, lease.last_reset()));
        let body = if has_body { Box::pin(Upload::new(body, &progress, &lease)) as Body } else { body };
        let (asking, sending) =
            self.sender.send(Request::from_parts(head, ()), body).map_err(|error| explain(&error, &lease))?;
        let mut open =
            OpenStream { lease: Some(lease), progress: Rc::clone(&progress), rest: Rest::Asked(asking) };
        if let Some(mut sending) = sending {
            // Most bodies are there as a whole, and gone at once.
            if poll_fn(|cx| Poll::Ready(Pin::new(&mut sending).poll(cx))).await.is_pending() {
                tokio::task::spawn_local(sending);
            }
        }
        let Rest::Asked(asking) = &mut open.rest else { return Err(Unanswered::Client) };
        let answered = tokio::select! {
            biased;
            answered = asking => answered,
            () = progress.breaks() => return Err(Unanswered::Client),
        };
        match answered {
            Ok(response) => {
                let (head, incoming) = response.into_parts();
                open.rest = Rest::Answering(incoming);
                Ok(Response::from_parts(head, FromUpstream::Shared(open)))
            }
            Err(error) => {
                let why = open.over(false).map(|lease| explain(&error, &lease));
                Err(why.unwrap_or(Unanswered::Client))
            }
        }
    }
}

/// What an error says about who is to blame.
fn explain(error: &h2::Error, lease: &Lease) -> Unanswered {
    let text = error.to_string();
    if error.is_refused() {
        Unanswered::Refused(text)
    } else if error.is_farewell() {
        Unanswered::NotSent(text)
    } else if !error.is_reset() && lease.is_blamed_on_resets() {
        Unanswered::CutOff(text)
    } else {
        Unanswered::Reset(text)
    }
}

/// Why the body of an answer ended too early: its connection was closed in answer to resets, which are clients' doing.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed after other clients had broken off their requests")]
pub(crate) struct CutOff;

/// What is left of a stream.
enum Rest {
    /// The answer.
    Asked(Answering),
    /// The rest of its body.
    Answering(Incoming),
    Nothing,
}

/// A stream that is not over. Dropped, it is the pool's.
pub(crate) struct OpenStream {
    /// Gone once the stream is over or the pool's.
    lease: Option<Rc<Lease>>,
    progress: Rc<Progress>,
    rest: Rest,
}

impl OpenStream {
    /// The answer is over.
    fn over(&mut self, well: bool) -> Option<Rc<Lease>> {
        self.rest = Rest::Nothing;
        let lease = self.lease.take()?;
        if well {
            lease.ended_well();
        }
        if !self.progress.is_over() {
            follow(Rc::clone(&lease), Rc::clone(&self.progress));
        }
        Some(lease)
    }

    /// Whether little of the answer is missing, and nothing of the request.
    fn is_nearly_over(&self) -> bool {
        let little = match &self.rest {
            Rest::Asked(_) => false,
            Rest::Answering(incoming) => incoming.size_hint().upper().is_some_and(|rest| rest <= SMALL),
            Rest::Nothing => true,
        };
        little && self.progress.is_over()
    }
}

/// Follows an upload whose answer is over. If its client breaks off now, the rest of the stream is the pool's.
fn follow(lease: Rc<Lease>, progress: Rc<Progress>) {
    tokio::task::spawn_local(async move {
        tokio::select! {
            () = progress.ends() => return,
            () = progress.breaks() => {}
        }
        let (pool, at) = (Rc::clone(lease.pool()), lease.at());
        let rest = Box::new(Left(Rest::Nothing));
        pool.keep(at, Kept::Waiting { lease, progress, rest }, false);
    });
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let nearly_over = self.is_nearly_over();
        let rest = std::mem::replace(&mut self.rest, Rest::Nothing);
        let (pool, at) = (Rc::clone(lease.pool()), lease.at());
        let kept = Kept::Waiting { lease, progress: Rc::clone(&self.progress), rest: Box::new(Left(rest)) };
        pool.keep(at, kept, nearly_over);
    }
}

/// What is left of a stream whose client is gone.
pub(super) struct Left(Rest);

/// A stream whose client is gone.
pub(super) enum Kept {
    /// It is being decided what becomes of it.
    Waiting {
        /// Its place.
        lease: Rc<Lease>,
        /// Its upload.
        progress: Rc<Progress>,
        /// What is left of it.
        rest: Box<Left>,
    },
    /// A task reads what still comes.
    GoingOn {
        /// The task.
        task: AbortHandle,
        /// Its upload.
        progress: Rc<Progress>,
    },
}

impl Kept {
    /// Reads the answer to its end, as if there were somebody to read it: unread, it would use up the window that all
    /// streams of the connection share.
    pub(super) fn go_on(self) -> Self {
        match self {
            Kept::GoingOn { .. } => self,
            Kept::Waiting { lease, progress, rest } => {
                let upload = Rc::clone(&progress);
                let task = tokio::task::spawn_local(async move {
                    let body = match rest.0 {
                        Rest::Nothing => None,
                        Rest::Answering(incoming) => Some(incoming),
                        Rest::Asked(asking) => asking.await.ok().map(Response::into_body),
                    };
                    let mut well = false;
                    if let Some(mut body) = body {
                        while let Some(Ok(_)) = body.frame().await {}
                        well = body.is_end_stream();
                    }
                    upload.ends().await;
                    if well {
                        lease.ended_well();
                    }
                });
                Kept::GoingOn { task: task.abort_handle(), progress }
            }
        }
    }

    /// Breaks the stream off.
    pub(super) fn break_off(self) {
        match self {
            // The upload ends first: it is what the stream's other half waits for.
            Kept::Waiting { progress, .. } => progress.cut(),
            Kept::GoingOn { task, progress } => {
                progress.cut();
                task.abort();
            }
        }
    }
}

/// The body of an answer.
pub(crate) enum FromUpstream {
    /// On a connection of its own.
    Single(meshd_http::Incoming),
    /// On a shared one.
    Shared(OpenStream),
}

impl FromUpstream {
    /// What the stream has become in the place of a body.
    pub(crate) fn take_switched(&mut self) -> Option<h2::Switched> {
        match self {
            FromUpstream::Shared(OpenStream { rest: Rest::Answering(incoming), .. }) => {
                incoming.take_switched()
            }
            FromUpstream::Shared(_) | FromUpstream::Single(_) => None,
        }
    }
}

impl HttpBody for FromUpstream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let open = match &mut *self {
            FromUpstream::Single(incoming) => return Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            FromUpstream::Shared(open) => open,
        };
        let Rest::Answering(incoming) = &mut open.rest else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        let ended = incoming.is_end_stream();
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(error))) => {
                let lease = open.over(false);
                let blamed = lease.is_some_and(|lease| lease.is_blamed_on_resets());
                Poll::Ready(Some(Err(if blamed { CutOff.into() } else { error.into() })))
            }
            Poll::Ready(frame) => {
                if ended || frame.is_none() {
                    open.over(true);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            FromUpstream::Single(incoming) => incoming.is_end_stream(),
            FromUpstream::Shared(OpenStream { rest: Rest::Answering(incoming), .. }) => {
                incoming.is_end_stream()
            }
            FromUpstream::Shared(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            FromUpstream::Single(incoming) => incoming.size_hint(),
            FromUpstream::Shared(OpenStream { rest: Rest::Answering(incoming), .. }) => incoming.size_hint(),
            FromUpstream::Shared(_) => SizeHint::with_exact(0),
        }
    }
}
