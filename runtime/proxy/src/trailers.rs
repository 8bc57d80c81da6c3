//! Trailers on their way through: what may not be said in them is dropped, and their size is bounded like a head's.

use crate::body::BodyError;
use crate::bounds::Bounds;
use crate::headers::remove_from_trailers;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What becomes of trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They end here, as in Envoy: one of the two sides speaks HTTP/1.1.
    Dropped,
    /// Those of a request: nothing passes in them that only proxies may say.
    OfRequest(Bounds),
    /// Those of an answer.
    OfAnswer(Bounds),
}

/// A body whose trailers are treated so.
pub(crate) struct WithTrailers<B> {
    body: B,
    trailers: Trailers,
}

impl<B> WithTrailers<B> {
    /// Treats the trailers of `body`.
    pub(crate) fn new(body: B, trailers: Trailers) -> Self {
        WithTrailers { body, trailers }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for WithTrailers<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let mut frame = frame?;
            let Some(trailers) = frame.trailers_mut() else { return Poll::Ready(Some(Ok(frame))) };
            let bounds = match self.trailers {
                // Asked once more, so that the body behind learns that it has passed to its end.
                Trailers::Dropped => continue,
                Trailers::OfRequest(bounds) => {
                    remove_from_trailers(trailers);
                    bounds
                }
                Trailers::OfAnswer(bounds) => bounds,
            };
            if !bounds.admits_trailers(trailers) {
                return Poll::Ready(Some(Err("the trailers are too large".into())));
            }
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
