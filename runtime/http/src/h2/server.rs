//! A client's connection: its streams are polled in its own task.

use super::error::Error;
use super::fields::{self, Head};
use super::incoming::Incoming;
use super::sending::Sending;
use super::settings::Settings;
use super::stream::{Stream, Tunnel};
use super::switched::Switched;
use crate::bell::Bell;
use crate::spare::{self, Room};
use crate::{BodyError, date};
use ::h2::server::{Builder, Handshake, SendResponse};
use ::h2::{Reason, RecvStream};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::{Method, Request, Response, header};
use http_body::Body;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// How often what one side has done is taken up by the other before others of the thread have their turn.
const ROUNDS: usize = 16;

/// Serves one connection. It is a future that ends with the connection.
pub struct Connection<S, V, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    state: State<S>,
    service: V,
    streams: FuturesUnordered<Exchange<F, B>>,
    /// Rung when there is something to be done for the connection itself, and for its streams.
    bell: Bell,
    streams_bell: Bell,
    is_leaving: bool,
}

enum State<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Beginning(Handshake<S, Bytes>),
    Serving(::h2::server::Connection<S, Bytes>),
}

impl<S, V, F, B> Connection<S, V, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: FnMut(Request<Incoming>, Rc<Stream>) -> F,
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    /// Serves `stream`, on which so many requests may be under way, with the answers of `service`.
    pub fn new(stream: S, service: V, settings: Settings, streams: u32) -> Self {
        let Settings { stream_window, connection_window, unsent, header_list } = settings;
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(streams)
            .initial_window_size(stream_window)
            .initial_connection_window_size(connection_window)
            .max_frame_size(Settings::FRAME)
            .max_header_list_size(header_list)
            .max_send_buffer_size(unsent)
            .max_local_error_reset_streams(Some(Settings::FAULTS))
            .enable_connect_protocol();
        Connection {
            state: State::Beginning(builder.handshake(stream)),
            service,
            streams: FuturesUnordered::new(),
            bell: Bell::rung(),
            streams_bell: Bell::rung(),
            is_leaving: false,
        }
    }

    /// The client is told to send no more requests; those that are under way are answered, and the connection ends.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.is_leaving, true) {
            return;
        }
        if let State::Serving(connection) = &mut self.state {
            connection.graceful_shutdown();
            self.bell.ring();
        }
    }

    /// What the connection itself has to do: reading, writing, and beginning what is asked for.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let connection = match &mut self.state {
            State::Serving(connection) => connection,
            State::Beginning(handshake) => {
                let mut connection = ready!(Pin::new(handshake).poll(cx))?;
                if self.is_leaving {
                    connection.graceful_shutdown();
                }
                self.state = State::Serving(connection);
                return self.poll_connection(cx);
            }
        };
        loop {
            let Some(accepted) = ready!(connection.poll_accept(cx)) else { return Poll::Ready(Ok(())) };
            let (request, respond) = accepted?;
            if let Some((request, tunnel, respond)) = begin(request, respond) {
                let stream = Rc::new(Stream::default());
                let answer = spare::room((self.service)(request, Rc::clone(&stream)));
                self.streams.push(Exchange { stream, state: At::Answering { answer, respond, tunnel } });
                self.streams_bell.ring();
            }
        }
    }
}

/// Takes a request apart: one for a tunnel keeps the stream of what comes.
fn begin(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Option<(Request<Incoming>, Option<RecvStream>, SendResponse<Bytes>)> {
    let (parts, stream) = request.into_parts();
    if parts.method != Method::CONNECT {
        let body = Incoming::new(stream, || fields::length(&parts.headers));
        return Some((Request::from_parts(parts, body), None, respond));
    }
    if parts.headers.contains_key(header::CONTENT_LENGTH) && fields::length(&parts.headers) != Some(0) {
        // What follows is the tunnel's or the body's: nobody can tell.
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return None;
    }
    Some((Request::from_parts(parts, Incoming::empty()), Some(stream), respond))
}

impl<S, V, F, B> Future for Connection<S, V, F, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: FnMut(Request<Incoming>, Rc<Stream>) -> F,
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (itself, streams) = (this.bell.listen(cx), this.streams_bell.listen(cx));
        for _ in 0..ROUNDS {
            if this.bell.take()
                && let Poll::Ready(ended) = this.poll_connection(&mut Context::from_waker(&itself))
            {
                return Poll::Ready(ended);
            }
            if this.streams_bell.take() {
                let cx = &mut Context::from_waker(&streams);
                while let Poll::Ready(Some(())) = this.streams.poll_next_unpin(cx) {}
            }
            if !this.bell.is_rung() && !this.streams_bell.is_rung() {
                break;
            }
        }
        if this.bell.rest() | this.streams_bell.rest() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

// Nothing of it is pinned.
impl<S, V, F, B> Unpin for Connection<S, V, F, B> where S: AsyncRead + AsyncWrite + Unpin {}

/// A request and its answer.
struct Exchange<F, B> {
    stream: Rc<Stream>,
    state: At<F, B>,
}

enum At<F, B> {
    /// Whoever answers has not answered. In a room of its own, which is another's once it has.
    Answering { answer: Room<F>, respond: SendResponse<Bytes>, tunnel: Option<RecvStream> },
    /// The answer's body is sent.
    Sending(Sending<B>),
    /// Something else than HTTP.
    Switched(Tunnel),
    /// Nothing more.
    Over,
}

impl<F, B> Exchange<F, B>
where
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    /// Sends the head of an answer; what follows it, if anything does.
    fn answer(
        stream: &Stream,
        response: Response<B>,
        respond: &mut SendResponse<Bytes>,
        tunnel: Option<RecvStream>,
    ) -> Option<At<F, B>> {
        let (parts, body) = response.into_parts();
        let mut head = Response::from_parts(parts, ());
        let headers = head.headers_mut();
        fields::strip(headers, Head::Answer);
        if let header::Entry::Vacant(vacant) = headers.entry(header::DATE) {
            vacant.insert(date::value());
        }
        let tunnel = tunnel.filter(|_| head.status().is_success());
        let is_of_tunnel = tunnel.is_some();
        if is_of_tunnel {
            // To such a request it would be about the tunnel. Source: RFC 9110, section 9.3.6.
            head.headers_mut().remove(header::CONTENT_LENGTH);
        }
        if let (Some(receive), Some(next)) = (tunnel, stream.next()) {
            let send = respond.send_response(head, false).ok()?;
            return Some(At::Switched(next(Switched::new(send, receive))));
        }
        // What is answered without having become a tunnel is an answer with a body, which ends with its stream.
        if body.is_end_stream() {
            if respond.send_response(head, true).is_err() {
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
            return None;
        }
        if let Some(length) = body.size_hint().exact().filter(|_| !is_of_tunnel) {
            fields::announce(head.headers_mut(), length);
        }
        match respond.send_response(head, false) {
            Ok(stream) => Some(At::Sending(Sending::new(body, stream))),
            Err(_) => {
                respond.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }
}

impl<F, B> Future for Exchange<F, B>
where
    F: Future<Output = Response<B>> + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.stream.is_given_up() {
            return Poll::Ready(());
        }
        this.stream.is_polled_by(cx);
        loop {
            let next = match &mut this.state {
                At::Answering { answer, respond, tunnel } => {
                    // Once it has answered, whoever is in the room is not asked again.
                    let Some(answering) = answer.as_mut().as_pin_mut() else { return Poll::Ready(()) };
                    match answering.poll(cx) {
                        Poll::Ready(response) => Self::answer(&this.stream, response, respond, tunnel.take()),
                        // The client may have lost interest.
                        Poll::Pending => return respond.poll_reset(cx).map(drop),
                    }
                }
                At::Sending(sending) => return Pin::new(sending).poll(cx),
                At::Switched(tunnel) => return tunnel.as_mut().poll(cx),
                At::Over => return Poll::Ready(()),
            };
            let before = std::mem::replace(&mut this.state, next.unwrap_or(At::Over));
            if let At::Answering { answer, respond: _, tunnel: _ } = before {
                spare::give_back_room(answer);
            }
        }
    }
}
