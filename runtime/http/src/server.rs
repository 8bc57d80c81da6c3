//! A client's connection: a [`h1::Server`] with its stream and whoever answers.

use crate::h1;
use crate::incoming::{Incoming, Source};
use crate::link::Link;
use crate::spare::{self, Room};
use crate::{BodyError, Error, Fault, Limits, date};
use bytes::Bytes;
use h1::{Framing, Part};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// How often it is read from a body that nobody wants.
const LOOKS: usize = 8;

/// How a connection ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is closed.
    Closed,
    /// It speaks another protocol now, see [`Connection::into_parts`].
    Switched,
}

/// Serves one connection. It is a future that ends with the connection.
pub struct Connection<S, V, F, B> {
    shared: Rc<Shared<S>>,
    service: V,
    state: State<F, B>,
}

enum State<F, B> {
    /// For a request.
    Waiting,
    /// Whoever answers has not answered.
    Answering(Room<F>),
    /// The answer's body is sent.
    Sending(B),
    /// The answer is sent, and somebody still reads the request's body.
    Reading,
    /// What is left is written, if anybody can still read it.
    Closing(Result<End, Error>),
    Over,
}

/// What the connection and the body that is read from it have in common.
struct Shared<S>(RefCell<Inner<S>>);

struct Inner<S> {
    link: Link<S, h1::Server>,
    /// The number of the exchange.
    exchange: u64,
    /// Whether somebody may still read the request's body.
    is_read: bool,
    /// The connection's task, while the request's body is not over. Who reads that may be another task: only that one hears of
    /// what comes, and tells this one when there is something to be done for it.
    waker: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    /// Throws away what has come of a body that nobody reads, so that a small one does not cost the connection.
    fn discard(&mut self, cx: &mut Context<'_>) {
        for _ in 0..LOOKS {
            while let Ok(Some(_)) = self.link.core.body() {
                if self.link.core.has_request() {
                    return;
                }
            }
            if !matches!(self.link.poll_read(cx), Poll::Ready(Ok(1..))) {
                return;
            }
        }
    }

    /// There is something to be done for the connection's task.
    fn tell(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// While an answer is on its way: whether the client has gone. A request that it sends ahead is kept, and no more is read.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if !self.link.core.has_request() {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.link.core.has_ended() || self.link.core.unread() > 0 {
            return Poll::Pending;
        }
        match ready!(self.link.poll_read(cx)) {
            Ok(0) => Poll::Ready(Error::Ended),
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(error.into()),
        }
    }
}

impl<S> Shared<S> {
    /// Writes something. What is dropped by a change of the state may lead back here, so nothing is borrowed longer.
    fn write(&self, write: impl FnOnce(&mut h1::Server, &mut Vec<u8>)) {
        let inner = &mut *self.0.borrow_mut();
        write(&mut inner.link.core, &mut inner.link.out.small);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Shared<S> {
    fn poll_frame(&self, exchange: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        if inner.exchange != exchange || inner.link.stream.is_none() {
            return Poll::Ready(Some(Err(Error::GivenUp)));
        }
        if inner.link.core.wants_body(&mut inner.link.out.small) {
            // Written by the connection's task: a stream remembers only one that waits for it to take more.
            inner.tell();
        }
        let frame = loop {
            match inner.link.core.body() {
                Ok(Some(Part::Data(data))) => break Some(Ok(Frame::data(data))),
                Ok(Some(Part::Trailers(trailers))) => break Some(Ok(Frame::trailers(trailers))),
                Ok(Some(Part::End)) => break None,
                Ok(None) => {
                    if let Err(error) = ready!(inner.link.poll_read(cx)) {
                        inner.link.core.close();
                        break Some(Err(error.into()));
                    }
                }
                Err(fault) => break Some(Err(fault.into())),
            }
        };
        let is_broken = matches!(frame, Some(Err(_)));
        if is_broken {
            inner.is_read = false;
        }
        if is_broken || inner.link.core.has_request() {
            inner.tell();
        }
        Poll::Ready(frame)
    }

    fn left(&self, exchange: u64) -> Option<u64> {
        let inner = self.0.borrow();
        if inner.exchange == exchange { inner.link.core.body_left() } else { None }
    }

    fn is_over(&self, exchange: u64) -> bool {
        let inner = self.0.borrow();
        inner.exchange == exchange && inner.link.core.has_request()
    }

    fn unwanted(&self, exchange: u64) {
        let mut inner = self.0.borrow_mut();
        if inner.exchange == exchange {
            inner.is_read = false;
            inner.tell();
        }
    }
}

impl<S, V, F, B> Connection<S, V, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: FnMut(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    /// Serves `stream` with the answers of `service`.
    pub fn new(stream: S, service: V, limits: Limits) -> Self {
        let inner = Inner {
            link: Link::new(stream, h1::Server::new(limits)),
            exchange: 0,
            is_read: false,
            waker: None,
        };
        Connection { shared: Rc::new(Shared(RefCell::new(inner))), service, state: State::Waiting }
    }

    /// The connection ends after the answer that is owed, or now.
    pub fn close(&mut self) {
        self.shared.0.borrow_mut().link.core.close();
    }

    /// What is left of a connection that speaks another protocol: its stream, and what came of the other protocol already.
    pub fn into_parts(self) -> Option<(S, Bytes)> {
        let mut inner = self.shared.0.borrow_mut();
        let unread = inner.link.core.take_unread();
        inner.link.stream.take().map(|stream| (stream, unread))
    }

    /// Moves on; [`Poll::Pending`] once there is nothing to do.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Step<B>> {
        let mut inner = self.shared.0.borrow_mut();
        match &mut self.state {
            State::Waiting => {
                let inner = &mut *inner;
                match inner.link.core.request() {
                    Ok(Some((head, framing))) => {
                        inner.exchange += 1;
                        inner.is_read = framing != Framing::EMPTY;
                        let body = if inner.is_read {
                            let source: Rc<dyn Source> = Rc::<Shared<S>>::clone(&self.shared);
                            Incoming::new(source, inner.exchange)
                        } else {
                            Incoming::empty()
                        };
                        let (parts, ()) = head.into_parts();
                        return Poll::Ready(Step::Ask(Request::from_parts(parts, body)));
                    }
                    Ok(None) if inner.link.core.is_over() => {
                        return Poll::Ready(Step::Close(Ok(End::Closed)));
                    }
                    Ok(None) => {}
                    Err(fault) => {
                        refuse(fault, &mut inner.link.out.small);
                        return Poll::Ready(Step::Close(Err(fault.into())));
                    }
                }
                // Answers to requests that were sent ahead are written together.
                if !inner.link.out.is_empty() && ready!(inner.link.poll_flush(cx)).is_err() {
                    return Poll::Ready(Step::Close(Err(Error::Ended)));
                }
                inner.link.out.rest();
                match ready!(inner.link.poll_read(cx)) {
                    Ok(_) => Poll::Ready(Step::Again),
                    Err(error) => Poll::Ready(Step::Close(Err(error.into()))),
                }
            }
            State::Answering(answering) => {
                drop(inner);
                let polled = answering.as_mut().as_pin_mut().map(|answering| answering.poll(cx));
                if let Some(Poll::Ready(response)) = polled {
                    let inner = &mut *self.shared.0.borrow_mut();
                    if !inner.is_read && !inner.link.core.has_request() {
                        inner.discard(cx);
                        if !inner.link.core.has_request() {
                            // The connection ends behind this answer, and the client is told before it sends the next request.
                            inner.link.core.close();
                        }
                    }
                    return Poll::Ready(Step::Answer(response));
                }
                let mut inner = self.shared.0.borrow_mut();
                if let Poll::Ready(Err(error)) = inner.link.poll_flush(cx) {
                    return Poll::Ready(Step::Close(Err(error.into())));
                }
                inner.poll_gone(cx).map(|error| Step::Close(Err(error)))
            }
            State::Sending(body) => loop {
                if inner.link.out.is_full() {
                    match inner.link.poll_flush(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Step::Close(Err(error.into()))),
                        Poll::Pending => return inner.poll_gone(cx).map(|error| Step::Close(Err(error))),
                    }
                }
                if inner.link.core.has_answer() {
                    return Poll::Ready(Step::Answered(Ok(None)));
                }
                drop(inner);
                let frame = Pin::new(&mut *body).poll_frame(cx);
                inner = self.shared.0.borrow_mut();
                match frame {
                    Poll::Ready(None) => return Poll::Ready(Step::Answered(Ok(None))),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Answered(Err(error))),
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(mut data) => {
                            let inner = &mut *inner;
                            let (length, after) = inner.link.core.data(data.len(), &mut inner.link.out.small);
                            data.truncate(length);
                            inner.link.out.push(data, after);
                        }
                        Err(frame) => return Poll::Ready(Step::Answered(Ok(frame.into_trailers().ok()))),
                    },
                    Poll::Pending => {
                        if let Poll::Ready(Err(error)) = inner.link.poll_flush(cx) {
                            return Poll::Ready(Step::Close(Err(error.into())));
                        }
                        return inner.poll_gone(cx).map(|error| Step::Close(Err(error)));
                    }
                }
            },
            State::Reading => {
                if inner.is_read && !inner.link.core.has_request() {
                    // Whoever reads ends it or gives it up, and says so.
                    inner.waker = Some(cx.waker().clone());
                    if ready!(inner.link.poll_flush(cx)).is_err() {
                        return Poll::Ready(Step::Close(Err(Error::Ended)));
                    }
                    return Poll::Pending;
                }
                inner.discard(cx);
                inner.exchange += 1;
                if inner.link.core.finish() {
                    return Poll::Ready(Step::Wait);
                }
                Poll::Ready(Step::Close(Ok(End::Closed)))
            }
            State::Closing(result) => {
                let result = match result {
                    Ok(End::Switched) => ready!(inner.link.poll_flush(cx)),
                    // An end in order would make an answer look complete that has no other end.
                    Err(Error::Body(_)) => ready!(inner.link.poll_flush(cx)),
                    Ok(End::Closed) | Err(Error::Fault(_)) => {
                        let flushed = ready!(inner.link.poll_flush(cx));
                        match (&mut inner.link.stream, flushed) {
                            (Some(stream), Ok(())) => ready!(Pin::new(stream).poll_shutdown(cx)),
                            (_, flushed) => flushed,
                        }
                    }
                    Err(Error::Stream(_) | Error::Ended | Error::GivenUp) => Ok(()),
                };
                Poll::Ready(Step::End(result))
            }
            State::Over => Poll::Pending,
        }
    }

    /// Takes a step; the end, if it was the last one.
    fn take(&mut self, step: Step<B>) -> Option<Result<End, Error>> {
        match step {
            Step::Again => {}
            Step::Wait => self.state = State::Waiting,
            Step::Ask(request) => self.state = State::Answering(spare::room((self.service)(request))),
            Step::Answer(response) => {
                let (parts, body) = response.into_parts();
                let exact = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
                let head = Response::from_parts(parts, ());
                self.shared.0.borrow_mut().link.out.begin();
                self.shared.write(|core, out| date::with(|date| core.answer(&head, exact, date, out)));
                let next = match head.status() {
                    StatusCode::SWITCHING_PROTOCOLS => State::Closing(Ok(End::Switched)),
                    _ => State::Sending(body),
                };
                // What is left of whoever answered goes with this, and a body that it had from here.
                if let State::Answering(room) = std::mem::replace(&mut self.state, next) {
                    spare::give_back_room(room);
                }
                spare::give_back_headers(head.into_parts().0.headers);
            }
            Step::Answered(result) => {
                self.state = match result {
                    Ok(trailers) => {
                        self.shared.write(|core, out| core.answered(trailers.as_ref(), out));
                        State::Reading
                    }
                    // The client must not take it for complete.
                    Err(error) => State::Closing(Err(Error::Body(error))),
                };
            }
            Step::Close(result) => self.state = State::Closing(result),
            Step::End(written) => {
                let state = std::mem::replace(&mut self.state, State::Over);
                let State::Closing(result) = state else { return Some(Ok(End::Closed)) };
                return Some(result.and_then(|end| written.map(|()| end).map_err(Error::from)));
            }
        }
        None
    }
}

impl<S, V, F, B> Unpin for Connection<S, V, F, B> {}

impl<S, V, F, B> Future for Connection<S, V, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: FnMut(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Output = Result<End, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let step = ready!(self.poll_once(cx));
            if let Some(result) = self.take(step) {
                return Poll::Ready(result);
            }
        }
    }
}

/// What was found out.
enum Step<B> {
    /// There is more to look at.
    Again,
    /// A request has come.
    Ask(Request<Incoming>),
    /// It is answered.
    Answer(Response<B>),
    /// The answer's body is over, with its trailers, or broke off.
    Answered(Result<Option<http::HeaderMap>, BodyError>),
    /// The next request may come.
    Wait,
    /// The connection ends.
    Close(Result<End, Error>),
    /// It has ended.
    End(io::Result<()>),
}

/// Writes what is answered to something that is no request.
fn refuse(fault: Fault, out: &mut Vec<u8>) {
    let Some(status) = fault.status() else { return };
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ");
    date::with(|date| out.extend_from_slice(date));
    out.extend_from_slice(b"\r\n\r\n");
}
