//! A request's body as it comes from the client.

use crate::body::BodyError;
use crate::presence::Presence;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A request's body that knows whether it came to its end.
pub(crate) struct FromClient {
    incoming: Incoming,
    is_http2: bool,
    ended: bool,
    presence: Rc<Presence>,
}

impl FromClient {
    /// The body of a request of this client.
    pub(crate) fn new(incoming: Incoming, is_http2: bool, presence: &Rc<Presence>) -> Self {
        let ended = incoming.is_end_stream();
        if !ended {
            presence.body_begins();
        }
        FromClient { incoming, is_http2, ended, presence: Rc::clone(presence) }
    }
}

/// How often it is looked whether the rest of a small body has arrived.
const LOOKS: usize = 8;

impl FromClient {
    /// Throws away what has arrived, so that a refusal does not cost the connection where the body is small.
    pub(crate) async fn refuse(mut self) {
        for _ in 0..LOOKS {
            if self.is_end_stream() {
                break;
            }
            match poll_fn(|cx| Poll::Ready(Pin::new(&mut self).poll_frame(cx))).await {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => break,
                // The connection reads on while this waits.
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
    }
}

impl FromClient {
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.presence.body_ends();
        }
    }
}

impl HttpBody for FromClient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            // An HTTP/2 stream can be reset "without an error", and hyper shows that as an end; a body that is whole
            // has also ended its stream. Over HTTP/1.1, hyper tells a missing end by itself.
            None if !self.ended && self.is_http2 && !self.incoming.is_end_stream() => {
                return Poll::Ready(Some(Err("the client ended its request in the middle".into())));
            }
            None => {
                self.end();
                return Poll::Ready(None);
            }
        };
        if frame.is_trailers() || self.incoming.is_end_stream() {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for FromClient {
    fn drop(&mut self) {
        if !self.ended {
            self.presence.left_unread();
            self.presence.body_ends();
        }
    }
}
