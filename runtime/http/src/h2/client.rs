//! A connection to a server: requests are sent with a [`Sender`], and everything moves while the [`Connection`] is polled.

use super::error::Error;
use super::fields::{self, Head};
use super::incoming::Incoming;
use super::sending::Sending;
use super::settings::Settings;
use super::switched::Switched;
use crate::BodyError;
use ::h2::client::{Builder, ResponseFuture, SendRequest};
use ::h2::{Reason, SendStream};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// How many streams may be opened before the other end has told how many. Whoever sends waits for that, so this only has to be
/// a number that no other end can tell: they have 32 bits.
pub const NOT_TOLD: usize = usize::MAX - 1;

/// A connection. It is a future that ends with it: once no [`Sender`] and no stream is left, or when it breaks.
pub struct Connection<S>(::h2::client::Connection<S, Bytes>)
where
    S: AsyncRead + AsyncWrite + Unpin;

/// Sends requests. Each clone can; the connection closes once all are dropped and no stream is left.
#[derive(Clone)]
pub struct Sender(SendRequest<Bytes>);

/// Begins to speak HTTP/2 on `stream`.
///
/// # Errors
///
/// The stream does not take what a connection begins with.
pub async fn open<S>(stream: S, settings: Settings) -> Result<(Sender, Connection<S>), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Settings { stream_window, connection_window, unsent, header_list } = settings;
    let mut builder = Builder::new();
    builder
        .initial_max_send_streams(NOT_TOLD)
        .initial_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_frame_size(Settings::FRAME)
        .max_header_list_size(header_list)
        .max_send_buffer_size(unsent)
        .max_local_error_reset_streams(Some(Settings::FAULTS))
        .enable_push(false);
    let (sender, connection) = builder.handshake(stream).await?;
    Ok((Sender(sender), Connection(connection)))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// How many streams the other end allows at a time; [`NOT_TOLD`] until it has told.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.0.max_concurrent_send_streams()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(Error::from)
    }
}

impl Sender {
    /// Why no more requests can be sent, if so.
    pub fn over(&mut self, cx: &mut Context<'_>) -> Option<Error> {
        match self.0.poll_ready(cx) {
            Poll::Ready(Err(error)) => Some(error.into()),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        }
    }

    /// Sends a request: the answer to wait for, and the body to poll.
    ///
    /// # Errors
    ///
    /// The request cannot be sent. Whether any of them can, says [`Sender::over`].
    pub fn send<B>(&mut self, request: Request<()>, body: B) -> Result<(Answering, Option<Sending<B>>), Error>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        let mut request = request;
        fields::strip(request.headers_mut(), Head::Request);
        let is_tunnel = request.method() == Method::CONNECT;
        let length = body.size_hint().exact().filter(|_| !is_tunnel);
        if let Some(length) = length.filter(|length| *length > 0 || has_body(request.method())) {
            fields::announce(request.headers_mut(), length);
        }
        let is_over = body.is_end_stream();
        let (response, stream) = self.0.send_request(request, is_over && !is_tunnel)?;
        if is_tunnel {
            return Ok((Answering { response, tunnel: Some(stream) }, None));
        }
        let sending = (!is_over).then(|| Sending::new(body, stream));
        Ok((Answering { response, tunnel: None }, sending))
    }
}

/// Whether a request of this method without a body has one that is empty. Source: RFC 9110, section 8.6.
fn has_body(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::DELETE, Method::CONNECT].contains(method)
}

/// The answer to a request. Dropped before it has come, it resets the stream once nobody sends on it.
pub struct Answering {
    response: ResponseFuture,
    /// The other direction, where the stream may become a tunnel.
    tunnel: Option<SendStream<Bytes>>,
}

impl Future for Answering {
    type Output = Result<Response<Incoming>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (parts, stream) = ready!(Pin::new(&mut self.response).poll(cx))?.into_parts();
        let body = match self.tunnel.take().filter(|_| parts.status == StatusCode::OK) {
            Some(mut tunnel) if fields::length(&parts.headers).is_some_and(|length| length > 0) => {
                // What follows is the tunnel's or the body's: nobody can tell.
                tunnel.send_reset(Reason::PROTOCOL_ERROR);
                return Poll::Ready(Err(::h2::Error::from(Reason::PROTOCOL_ERROR).into()));
            }
            Some(tunnel) => Incoming::switched(Switched::new(tunnel, stream)),
            None => Incoming::new(stream, || fields::length(&parts.headers)),
        };
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}
