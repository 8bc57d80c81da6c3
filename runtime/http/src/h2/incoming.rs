//! The body of a message that comes on a stream.

use super::error::Error;
use super::switched::Switched;
use ::h2::{Reason, RecvStream};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a message. What was read of it the other end may send again.
pub struct Incoming {
    reading: Option<Reading>,
    /// Whether it broke off, and never had an end. The library would say so again each time that it is asked.
    is_broken: bool,
    /// What the stream has become in the place of a body.
    switched: Option<Box<Switched>>,
}

struct Reading {
    stream: RecvStream,
    /// How many bytes are left, if their number was announced.
    left: Option<u64>,
    /// Whether only trailers can follow.
    is_data_over: bool,
}

impl Incoming {
    /// The body that comes on `stream`, announced to be so long.
    pub(super) fn new(stream: RecvStream, length: impl FnOnce() -> Option<u64>) -> Self {
        let is_empty = stream.is_end_stream();
        let reading = |stream| Reading { stream, left: length(), is_data_over: false };
        Incoming { reading: (!is_empty).then(|| reading(stream)), is_broken: false, switched: None }
    }

    /// No body, and what the stream speaks from here on.
    pub(super) fn switched(switched: Switched) -> Self {
        Incoming { reading: None, is_broken: false, switched: Some(Box::new(switched)) }
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Incoming { reading: None, is_broken: false, switched: None }
    }

    /// What the stream has become in the place of a body.
    pub fn take_switched(&mut self) -> Option<Switched> {
        self.switched.take().map(|switched| *switched)
    }
}

impl Reading {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, ::h2::Error>> {
        if !self.is_data_over {
            if let Some(data) = ready!(self.stream.poll_data(cx)) {
                let data = data?;
                // Fails only for a stream that is gone.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            self.is_data_over = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let frame = match ready!(reading.poll_frame(cx)) {
            Ok(frame) => frame,
            Err(error) => {
                (self.reading, self.is_broken) = (None, true);
                // A stream can be reset "without an error": whoever does that wants no more, and has sent no more.
                let is_cut = error.reason() == Some(Reason::NO_ERROR);
                return Poll::Ready(Some(Err(if is_cut { Error::CutShort } else { error.into() })));
            }
        };
        if frame.as_ref().is_none_or(Frame::is_trailers) {
            self.reading = None;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        !self.is_broken && self.reading.as_ref().is_none_or(|reading| reading.stream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let Some(reading) = &self.reading else {
            return if self.is_broken { SizeHint::default() } else { SizeHint::with_exact(0) };
        };
        reading.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("is_end_stream", &self.is_end_stream()).finish()
    }
}
