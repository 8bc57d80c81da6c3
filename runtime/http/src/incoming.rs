//! The body of a message that comes, as its connection gives it.

use crate::Error;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A connection that gives bodies.
pub(crate) trait Source {
    /// The next frame of the body of this exchange.
    fn poll_frame(&self, exchange: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>>;

    /// How many bytes of it are left, if that is known; none if it is over.
    fn left(&self, exchange: u64) -> Option<u64>;

    /// Whether all of it has been given.
    fn is_over(&self, exchange: u64) -> bool;

    /// Nobody asks for more: all of it was given, or nobody wants the rest.
    fn unwanted(&self, exchange: u64);
}

/// The body of a message. It reads from its connection when it is asked for more, and nothing otherwise.
pub struct Incoming(Option<Reading>);

struct Reading {
    source: Rc<dyn Source>,
    exchange: u64,
}

impl Incoming {
    /// No body.
    pub(crate) fn empty() -> Self {
        Incoming(None)
    }

    /// That of an exchange on a connection.
    pub(crate) fn new(source: Rc<dyn Source>, exchange: u64) -> Self {
        Incoming(Some(Reading { source, exchange }))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("is_end_stream", &self.is_end_stream()).finish()
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(reading) = &self.0 else { return Poll::Ready(None) };
        let frame = reading.source.poll_frame(reading.exchange, cx);
        let is_last = match &frame {
            Poll::Ready(None | Some(Err(_))) => true,
            // The connection may begin another exchange now.
            Poll::Ready(Some(Ok(_))) => reading.source.is_over(reading.exchange),
            Poll::Pending => false,
        };
        if is_last {
            reading.source.unwanted(reading.exchange);
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|reading| reading.source.is_over(reading.exchange))
    }

    fn size_hint(&self) -> SizeHint {
        let Some(reading) = &self.0 else { return SizeHint::with_exact(0) };
        reading.source.left(reading.exchange).map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(reading) = self.0.take() {
            reading.source.unwanted(reading.exchange);
        }
    }
}
