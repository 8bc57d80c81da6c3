//! A request's body as it comes from the client, or a copy of one.

use crate::body::BodyError;
use crate::filter::mirror::Copied;
use crate::presence::Presence;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A request's body that knows whether it came to its end.
pub(crate) struct FromClient {
    source: Source,
    ended: bool,
    /// Who gets a copy of what is read.
    copies: Vec<Copied>,
}

/// A request's body on the connection of its client.
pub(crate) enum Arriving {
    /// Over HTTP/1.1.
    Http1(meshd_http::Incoming),
    /// On a stream of HTTP/2.
    Http2(meshd_http::h2::Incoming),
}

impl Arriving {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Arriving::Http1(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::from),
            Arriving::Http2(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Arriving::Http1(incoming) => incoming.is_end_stream(),
            Arriving::Http2(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Arriving::Http1(incoming) => incoming.size_hint(),
            Arriving::Http2(incoming) => incoming.size_hint(),
        }
    }
}

/// Where a body comes from.
enum Source {
    /// A client's connection.
    Client { arriving: Arriving, presence: Rc<Presence> },
    /// Whoever reads it from there.
    Copy(Copied),
}

impl FromClient {
    /// The body of a request of this client.
    pub(crate) fn new(arriving: Arriving, presence: &Rc<Presence>) -> Self {
        let ended = arriving.is_end_stream();
        let source = Source::Client { arriving, presence: Rc::clone(presence) };
        FromClient { source, ended, copies: Vec::new() }
    }

    /// A copy of a body of which nothing was read yet.
    pub(crate) fn copy(original: &mut FromClient) -> Self {
        let ended = original.is_end_stream();
        let copied = Copied::new(ended);
        if !ended {
            original.copies.push(copied.clone());
        }
        FromClient { source: Source::Copy(copied), ended, copies: Vec::new() }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        for copy in self.copies.drain(..) {
            copy.close(true);
        }
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

impl HttpBody for FromClient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (frame, is_last) = match &mut self.source {
            Source::Client { arriving, presence: _ } => match ready!(arriving.poll_frame(cx)) {
                Some(Ok(frame)) => (Some(frame), arriving.is_end_stream()),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => (None, true),
            },
            Source::Copy(copied) => match ready!(copied.poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => (Some(frame), copied.is_end_stream()),
                None => (None, true),
            },
        };
        let Some(frame) = frame else {
            self.end();
            return Poll::Ready(None);
        };
        for copy in &self.copies {
            copy.push(&frame);
        }
        if frame.is_trailers() || is_last {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Client { arriving, presence: _ } => arriving.is_end_stream(),
            Source::Copy(copied) => copied.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Client { arriving, presence: _ } => arriving.size_hint(),
            // What the client announced is in the headers.
            Source::Copy(_) => SizeHint::default(),
        }
    }
}

impl Drop for FromClient {
    fn drop(&mut self) {
        for copy in self.copies.drain(..) {
            copy.close(false);
        }
        match &self.source {
            Source::Client { arriving: _, presence } if !self.ended => {
                presence.left_unread();
            }
            Source::Client { .. } => {}
            Source::Copy(copied) => copied.abandon(),
        }
    }
}
