//! Bodies of answers, with a note whether the client takes them.

use crate::body::{Body, BodyError};
use crate::place::Passing;
use crate::presence::Presence;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use meshd_http::h2::Stream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// The body of an answer. Whoever writes it asks for more only as long as the client takes it.
pub(crate) struct Taken {
    body: Body,
    presence: Rc<Presence>,
    passing: Rc<Passing>,
}

impl Taken {
    /// Notes whether the client takes `body`, over HTTP/2 on a stream.
    pub(crate) fn new(body: Body, presence: &Rc<Presence>, stream: Option<Rc<Stream>>) -> Self {
        Taken { body, presence: Rc::clone(presence), passing: presence.passing(stream) }
    }
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        ready!(self.presence.poll_takes(cx));
        let result = self.body.as_mut().poll_frame(cx);
        match &result {
            Poll::Ready(Some(Ok(_))) => self.passing.got_some(Instant::now()),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => self.passing.wants_more(),
        }
        result
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.presence.passed(&self.passing);
    }
}
