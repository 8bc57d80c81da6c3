//! Copies of requests for other upstreams: nobody waits for them, and nothing that becomes of them reaches the client.
//!
//! A copy is read from the client together with the request: what arrives is handed to both. It is kept until the copy's
//! upstream takes it, up to a bound: a copy that falls behind breaks off. Where memory is tight, all of them do.

use crate::body::BodyError;
use crate::forward::forward;
use crate::from_client::FromClient;
use crate::memory::{self, Level};
use crate::outgoing::Outgoing;
use crate::route::{Route, is_drawn};
use crate::worker::Worker;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Where copies go.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// The way to the upstream, with the times of the route that is copied.
    pub(crate) route: Arc<Route>,
    /// How many of a million requests are copied.
    pub(crate) share: u32,
}

/// How many bytes of a body may wait for the copy's upstream: what Envoy keeps of a copy.
const BOUND: usize = 1 << 20;

/// How often it is looked whether memory is tight.
const LOOK: Duration = Duration::from_millis(100);

impl Mirror {
    /// Sends a copy of a request, unless it is not one of the share.
    pub(crate) fn copy(&self, worker: &Rc<Worker>, outgoing: &Outgoing, original: &mut FromClient) {
        if !is_drawn(self.share) {
            return;
        }
        let (worker, route, outgoing) = (Rc::clone(worker), Arc::clone(&self.route), outgoing.clone());
        let copy = FromClient::copy(original);
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = send(&worker, &route, outgoing, copy) => {}
                () = memory_is_tight() => {}
            }
        });
    }
}

async fn send(worker: &Worker, route: &Route, outgoing: Outgoing, copy: FromClient) {
    let version = outgoing.version;
    let forwarded = forward(worker, route, outgoing, copy).await;
    let Ok(answer) = forwarded.result else { return };
    let mut answer = answer.into_response(version, |_, _| {}).into_body();
    while let Some(Ok(_)) = answer.frame().await {}
}

/// Returns once memory is tight: a copy is worth less than anybody's connection.
async fn memory_is_tight() {
    while memory::level() < Level::Tight {
        tokio::time::sleep(LOOK).await;
    }
}

/// What the reader of the request hands to a copy.
#[derive(Clone, Debug)]
pub(crate) struct Copied(Rc<RefCell<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame<Bytes>>,
    bytes: usize,
    state: State,
    /// Whoever waits for more.
    waker: Option<Waker>,
}

/// Whether more will come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Perhaps.
    #[default]
    Open,
    /// No: that was all.
    Ended,
    /// No: the request broke off, or the copy fell behind.
    Broken,
}

impl Copied {
    /// A copy of a body of which nothing was read; one that is empty has ended already.
    pub(crate) fn new(ended: bool) -> Self {
        let state = if ended { State::Ended } else { State::Open };
        Copied(Rc::new(RefCell::new(Waiting { state, ..Waiting::default() })))
    }

    /// Hands over a part of the body.
    pub(crate) fn push(&self, frame: &Frame<Bytes>) {
        let mut waiting = self.0.borrow_mut();
        if waiting.state != State::Open {
            return;
        }
        let (data, trailers) = (frame.data_ref(), frame.trailers_ref());
        waiting.bytes = waiting.bytes.saturating_add(data.map_or(0, Bytes::len));
        if waiting.bytes > BOUND {
            (waiting.frames, waiting.state) = (VecDeque::new(), State::Broken);
        } else if let Some(data) = data {
            waiting.frames.push_back(Frame::data(data.clone()));
        } else if let Some(trailers) = trailers {
            waiting.frames.push_back(Frame::trailers(trailers.clone()));
        }
        waiting.wake();
    }

    /// That was all of the body, or its reader is gone before that.
    pub(crate) fn close(&self, whole: bool) {
        let mut waiting = self.0.borrow_mut();
        if waiting.state == State::Open {
            waiting.state = if whole { State::Ended } else { State::Broken };
            waiting.wake();
        }
    }

    /// Nobody reads the copy any more.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.0.borrow_mut();
        (waiting.frames, waiting.state) = (VecDeque::new(), State::Broken);
    }

    /// The next part for the copy's upstream.
    pub(crate) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut waiting = self.0.borrow_mut();
        if let Some(frame) = waiting.frames.pop_front() {
            waiting.bytes = waiting.bytes.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            return Poll::Ready(Some(Ok(frame)));
        }
        match waiting.state {
            State::Open => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Ended => Poll::Ready(None),
            State::Broken => Poll::Ready(Some(Err("the request that is copied broke off".into()))),
        }
    }

    /// Whether the copy is whole and read to its end.
    pub(crate) fn is_end_stream(&self) -> bool {
        let waiting = self.0.borrow();
        waiting.state == State::Ended && waiting.frames.is_empty()
    }
}

impl Waiting {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(copied: &Copied) -> String {
        let mut cx = Context::from_waker(Waker::noop());
        match copied.poll_frame(&mut cx) {
            Poll::Pending => String::from("waits"),
            Poll::Ready(None) => String::from("ended"),
            Poll::Ready(Some(Err(error))) => error.to_string(),
            Poll::Ready(Some(Ok(frame))) => format!("{:?}", frame.into_data().unwrap()),
        }
    }

    #[test]
    fn a_copy_gets_what_the_original_got() {
        let copied = Copied::new(false);
        assert_eq!(next(&copied), "waits");
        copied.push(&Frame::data(Bytes::from_static(b"a")));
        copied.push(&Frame::data(Bytes::from_static(b"b")));
        copied.close(true);
        assert!(!copied.is_end_stream());
        assert_eq!([next(&copied), next(&copied), next(&copied)], [r#"b"a""#, r#"b"b""#, "ended"]);
        assert!(copied.is_end_stream());
        assert!(Copied::new(true).is_end_stream());
    }

    #[test]
    fn a_copy_that_falls_behind_breaks_off_and_keeps_nothing() {
        let copied = Copied::new(false);
        let part = Frame::data(Bytes::from(vec![0; BOUND / 2]));
        copied.push(&part);
        copied.push(&part);
        assert_eq!(copied.0.borrow().frames.len(), 2);
        copied.push(&part);
        copied.close(true);
        assert!(copied.0.borrow().frames.is_empty());
        assert_eq!(next(&copied), "the request that is copied broke off");
        let abandoned = Copied::new(false);
        abandoned.push(&part);
        abandoned.abandon();
        abandoned.push(&part);
        assert!(abandoned.0.borrow().frames.is_empty(), "nobody reads it");
        let broken = Copied::new(false);
        broken.close(false);
        assert_eq!(next(&broken), "the request that is copied broke off");
    }
}
