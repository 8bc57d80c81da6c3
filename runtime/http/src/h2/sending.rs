//! The body of a message on its way into a stream.

use crate::BodyError;
use ::h2::{Error, Reason, SendStream};
use bytes::Bytes;
use http_body::Body;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body that is sent, as fast as the other end takes it. It is a future that ends with the body, or with its stream.
pub struct Sending<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// What waits for room, and whether it is the last.
    waiting: Option<(Bytes, bool)>,
}

impl<B> Sending<B> {
    /// Sends `body` on `stream`.
    pub(super) fn new(body: B, stream: SendStream<Bytes>) -> Self {
        Sending { stream, body, waiting: None }
    }
}

/// Why nothing more is sent; whoever has to be told has been told.
struct Over;

impl From<Error> for Over {
    fn from(_: Error) -> Self {
        Over
    }
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        // Asked whatever else is waited for, since a reset wakes nobody else.
        if self.stream.poll_reset(cx)?.is_ready() {
            return Poll::Ready(Err(Over));
        }
        loop {
            if let Some((data, is_last)) = self.waiting.take() {
                while self.stream.capacity() == 0 {
                    match self.stream.poll_capacity(cx) {
                        Poll::Ready(Some(capacity)) => drop(capacity?),
                        Poll::Ready(None) => return Poll::Ready(Err(Over)),
                        Poll::Pending => {
                            self.waiting = Some((data, is_last));
                            return Poll::Pending;
                        }
                    }
                }
                self.stream.send_data(data, is_last)?;
                if is_last {
                    return Poll::Ready(Ok(()));
                }
            }
            // The body is asked before there is room for it: a stream that had reserved room of its connection without having
            // anything to send would keep others from theirs.
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let is_last = self.body.is_end_stream();
                        if data.is_empty() && !is_last {
                            continue;
                        }
                        if !data.is_empty() {
                            // All of it is asked for by the library, once it is handed over.
                            self.stream.reserve_capacity(1);
                            self.waiting = Some((data, is_last));
                            continue;
                        }
                        self.stream.send_data(data, true)?;
                        return Poll::Ready(Ok(()));
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            self.stream.reserve_capacity(0);
                            self.stream.send_trailers(trailers)?;
                            return Poll::Ready(Ok(()));
                        }
                    }
                },
                Some(Err(error)) => {
                    self.stream.send_reset(reason(&*error));
                    return Poll::Ready(Err(Over));
                }
                None => {
                    self.stream.send_data(Bytes::new(), true)?;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<B> Future for Sending<B>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_send(cx).map(drop)
    }
}

/// The reason that the other end is told for a body that broke off: the one for which another stream did, if that is why. Never
/// that there was no error, which would look like an end.
fn reason(error: &(dyn std::error::Error + 'static)) -> Reason {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(reason) = error.downcast_ref::<Error>().and_then(Error::reason) {
            return Some(reason)
                .filter(|reason| *reason != Reason::NO_ERROR)
                .unwrap_or(Reason::INTERNAL_ERROR);
        }
        cause = error.source();
    }
    Reason::INTERNAL_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_passed_on_with_its_reason_but_never_as_an_end() {
        let reset = |reason| BodyError::from(crate::h2::Error::from(Error::from(reason)));
        assert_eq!(reason(&*reset(Reason::CANCEL)), Reason::CANCEL);
        assert_eq!(reason(&*reset(Reason::NO_ERROR)), Reason::INTERNAL_ERROR);
        assert_eq!(reason(&*BodyError::from("the disk is full")), Reason::INTERNAL_ERROR);
    }
}
