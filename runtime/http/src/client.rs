//! A connection to a server: a [`h1::Client`] with its stream.

use crate::incoming::{Incoming, Source};
use crate::link::Link;
use crate::{BodyError, Error, Limits, h1};
use bytes::Bytes;
use h1::{Framing, Part, RequestHead};
use http::{Request, Response};
use http_body::{Body, Frame};
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unanswered {
    /// Whether nothing of the request was sent, so that nobody can have seen it.
    pub is_unsent: bool,
    /// What happened.
    #[source]
    pub error: Error,
}

/// One connection, for one request at a time. It needs no task of its own: requests, answers and their bodies are moved by
/// whoever waits for them. Only what is left of a request's body when its answer begins gets one.
pub struct Connection<S: AsyncRead + AsyncWrite + Unpin>(Rc<Shared<S>>);

struct Shared<S>(RefCell<Inner<S>>);

struct Inner<S> {
    link: Link<S, h1::Client>,
    /// The number of the exchange.
    exchange: u64,
    /// The last one that was given up before its answer was over.
    given_up: Option<u64>,
    /// Whether a task sends what is left of the request's body.
    is_uploading: bool,
    /// That task.
    uploader: Option<Waker>,
    /// Whoever waits for the end of the exchange.
    waiter: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    /// Request or answer are over; the connection is ready again if both are.
    fn settle(&mut self) {
        if self.link.core.has_answer() && self.link.core.has_request() && self.link.out.is_empty() {
            self.exchange += 1;
            self.link.core.finish();
            self.link.out.rest();
            self.tell();
        }
    }

    /// The connection carries nothing more.
    fn give_up(&mut self) {
        self.link.core.close();
        self.given_up = Some(self.exchange);
        self.exchange += 1;
        if let Some(uploader) = self.uploader.take() {
            uploader.wake();
        }
        self.tell();
    }

    fn tell(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// Writes what is left of a request that has no body, or whose body is over.
    fn poll_rest(&self, exchange: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut inner = self.0.borrow_mut();
        if inner.exchange == exchange {
            inner.link.poll_flush(cx).map_err(Error::from)
        } else {
            Poll::Ready(Err(Error::GivenUp))
        }
    }

    /// Moves more of a request's body on; ready once all of it is sent, or it cannot be.
    fn poll_upload<B>(&self, exchange: u64, body: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), Error>>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        loop {
            let mut inner = self.0.borrow_mut();
            if inner.exchange != exchange {
                return Poll::Ready(Err(Error::GivenUp));
            }
            if inner.link.core.has_request() {
                return inner.link.poll_flush(cx).map_err(Error::from);
            }
            if inner.link.out.is_full() {
                ready!(inner.link.poll_flush(cx))?;
            }
            // Asking for more may lead back to this connection.
            drop(inner);
            let frame = Pin::new(&mut *body).poll_frame(cx);
            let mut inner = self.0.borrow_mut();
            let inner = &mut *inner;
            let trailers = match frame {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => {
                        let (length, after) = inner.link.core.data(data.len(), &mut inner.link.out.small);
                        data.truncate(length);
                        inner.link.out.push(data, after);
                        continue;
                    }
                    Err(frame) => frame.into_trailers().ok(),
                },
                Poll::Ready(None) => None,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Error::Body(error))),
                Poll::Pending => {
                    ready!(inner.link.poll_flush(cx))?;
                    return Poll::Pending;
                }
            };
            if !inner.link.core.requested(trailers.as_ref(), &mut inner.link.out.small) {
                return Poll::Ready(Err(Error::Body("the body is shorter than was announced".into())));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Shared<S> {
    fn poll_frame(&self, exchange: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        if inner.exchange != exchange {
            return Poll::Ready(Some(Err(Error::GivenUp)));
        }
        loop {
            let error = match inner.link.core.body() {
                Ok(Some(Part::Data(data))) => {
                    inner.settle();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Some(Part::Trailers(trailers))) => {
                    inner.settle();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Some(Part::End)) => {
                    inner.settle();
                    return Poll::Ready(None);
                }
                Ok(None) => match ready!(inner.link.poll_read(cx)) {
                    Ok(_) => continue,
                    Err(error) => Error::from(error),
                },
                Err(fault) => Error::from(fault),
            };
            inner.give_up();
            return Poll::Ready(Some(Err(error)));
        }
    }

    fn left(&self, exchange: u64) -> Option<u64> {
        let inner = self.0.borrow();
        // Once the answer is over, another one may have begun.
        if inner.exchange == exchange { inner.link.core.body_left() } else { Some(0) }
    }

    fn is_over(&self, exchange: u64) -> bool {
        let inner = self.0.borrow();
        if inner.exchange == exchange {
            inner.link.core.has_answer()
        } else {
            inner.given_up != Some(exchange)
        }
    }

    fn unwanted(&self, exchange: u64) {
        let mut inner = self.0.borrow_mut();
        if inner.exchange == exchange && !inner.link.core.has_answer() {
            inner.give_up();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Connection<S> {
    /// On a stream that is open.
    #[must_use]
    pub fn new(stream: S, limits: Limits) -> Self {
        Connection(Rc::new(Shared(RefCell::new(Inner {
            link: Link::new(stream, h1::Client::new(limits)),
            exchange: 0,
            given_up: None,
            is_uploading: false,
            uploader: None,
            waiter: None,
        }))))
    }

    /// Whether a request may be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.0.borrow().link.core.is_ready()
    }

    /// Whether what is under way is to be waited for: its answer is over, and its request is still being sent.
    #[must_use]
    pub fn is_uploading(&self) -> bool {
        self.0.0.borrow().is_uploading
    }

    /// Returns once the exchange is over; whether a request may be sent.
    pub async fn ready(&self) -> bool {
        poll_fn(|cx| {
            let mut inner = self.0.0.borrow_mut();
            if inner.is_uploading {
                inner.waiter = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(inner.link.core.is_ready())
        })
        .await
    }

    /// While no request is under way: ready once the other end has closed the connection, or said something unasked; at once
    /// if no further request may be sent.
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.0.borrow_mut();
        if !inner.link.core.is_ready() {
            return Poll::Ready(());
        }
        let _ = ready!(inner.link.poll_read(cx));
        inner.link.core.close();
        Poll::Ready(())
    }

    /// Sends a request, and returns its answer once that begins. Dropped before, it leaves a connection that is not ready.
    ///
    /// # Errors
    /// Whatever happened instead, and whether anything was sent.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<Incoming>, Unanswered>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + 'static,
    {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        self.exchange(|core, exact, out| core.request(&head, exact, out), Some(body)).await
    }

    /// The same with a head whose parts are somebody else's, and a body if there is one.
    ///
    /// # Errors
    /// As above.
    pub async fn send_head<B>(
        &self,
        head: RequestHead<'_>,
        body: Option<B>,
    ) -> Result<Response<Incoming>, Unanswered>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + 'static,
    {
        self.exchange(|core, exact, out| core.request_head(&head, exact, out), body).await
    }

    async fn exchange<B>(
        &self,
        write: impl FnOnce(&mut h1::Client, Option<u64>, &mut Vec<u8>),
        mut body: Option<B>,
    ) -> Result<Response<Incoming>, Unanswered>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + 'static,
    {
        let is_ended = poll_fn(|cx| Poll::Ready(self.poll_ended(cx).is_ready())).await;
        if is_ended {
            return Err(Unanswered { is_unsent: true, error: Error::Ended });
        }
        body = body.filter(|body| !body.is_end_stream());
        let exact = body.as_ref().map_or(Some(0), |body| body.size_hint().exact());
        let exchange = {
            let mut inner = self.0.0.borrow_mut();
            let inner = &mut *inner;
            inner.link.out.begin();
            write(&mut inner.link.core, exact, &mut inner.link.out.small);
            inner.exchange
        };
        let answered = poll_fn(|cx| self.poll_answer(exchange, &mut body, cx)).await;
        let (head, framing) = answered.map_err(|error| {
            self.0.0.borrow_mut().give_up();
            Unanswered { is_unsent: false, error }
        })?;
        let (parts, ()) = head.into_parts();
        if body.is_some() || !self.0.0.borrow().link.out.is_empty() {
            self.upload(exchange, body);
        }
        let incoming = if framing == Framing::EMPTY {
            self.0.0.borrow_mut().settle();
            Incoming::empty()
        } else {
            let source: Rc<dyn Source> = Rc::<Shared<S>>::clone(&self.0);
            Incoming::new(source, exchange)
        };
        Ok(Response::from_parts(parts, incoming))
    }

    /// Sends more of a request, and looks for the head of its answer.
    fn poll_answer<B>(
        &self,
        exchange: u64,
        body: &mut Option<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Response<()>, Framing), Error>>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        if let Some(sending) = body
            && let Poll::Ready(result) = self.0.poll_upload(exchange, sending, cx)
        {
            *body = None;
            match result {
                Ok(()) => {}
                // A server that wants no more may have answered before it closed.
                Err(Error::Stream(_)) => self.0.0.borrow_mut().link.core.close(),
                Err(error @ (Error::Fault(_) | Error::Body(_) | Error::Ended | Error::GivenUp)) => {
                    return Poll::Ready(Err(error));
                }
            }
        }
        let mut inner = self.0.0.borrow_mut();
        if !inner.link.out.is_empty()
            && body.is_none()
            && let Poll::Ready(Err(_)) = inner.link.poll_flush(cx)
        {
            // The same for one without a body.
            inner.link.core.close();
        }
        loop {
            if let Some(answer) = inner.link.core.answer()? {
                return Poll::Ready(Ok(answer));
            }
            ready!(inner.link.poll_read(cx))?;
        }
    }

    /// Goes on with a request whose answer has begun, in a task of its own.
    fn upload<B>(&self, exchange: u64, mut body: Option<B>)
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + 'static,
    {
        self.0.0.borrow_mut().is_uploading = true;
        let shared = Rc::clone(&self.0);
        tokio::task::spawn_local(async move {
            let result = poll_fn(|cx| {
                let polled = match &mut body {
                    Some(body) => shared.poll_upload(exchange, body, cx),
                    None => shared.poll_rest(exchange, cx),
                };
                if polled.is_pending() {
                    shared.0.borrow_mut().uploader = Some(cx.waker().clone());
                }
                polled
            })
            .await;
            // Before anybody is told: what is left of the body is given up, and that may lead back here.
            drop(body);
            let mut inner = shared.0.borrow_mut();
            inner.is_uploading = false;
            inner.uploader = None;
            match result {
                Ok(()) => {
                    if inner.exchange == exchange {
                        inner.settle();
                    }
                }
                // What has come of the answer can still be read.
                Err(Error::Stream(_)) => inner.link.core.close(),
                // A server that sees the end of the connection cannot take the request for complete.
                Err(Error::Body(_) | Error::GivenUp | Error::Fault(_) | Error::Ended) => {
                    if inner.exchange == exchange {
                        inner.give_up();
                    }
                    inner.link.stream = None;
                }
            }
            inner.tell();
        });
    }

    /// What is left of a connection that speaks another protocol: its stream, and what came of the other protocol already.
    #[must_use]
    pub fn into_parts(self) -> Option<(S, Bytes)> {
        let mut inner = self.0.0.borrow_mut();
        let unread = inner.link.core.take_unread();
        inner.link.stream.take().map(|stream| (stream, unread))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Connection<S> {
    fn drop(&mut self) {
        let mut inner = self.0.0.borrow_mut();
        let is_quiet = inner.link.core.is_ready();
        // Whatever else holds it, nobody can give it back.
        inner.link.core.close();
        if let Some(stream) = inner.link.stream.as_mut().filter(|_| is_quiet) {
            // The other end is told that this is all, if it can be told at once: TLS would take it for a cut otherwise.
            let _ = Pin::new(stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}
