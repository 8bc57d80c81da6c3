//! A client's HTTP connection: which version it speaks, and that it costs little while nothing is asked on it.
//!
//! An HTTP library keeps buffers and the state of a request for as long as it has a connection. Most of many clients are
//! idle, so an HTTP/1.1 connection is taken away from the library while nothing is asked on it, and given back with the
//! first bytes of the next request.

use crate::bounds::Bounds;
use crate::buffers;
use crate::frames::PREFACE;
use crate::noticed::Noticed;
use crate::presence::Presence;
use crate::relay::Breaks;
use crate::replayed::Replayed;
use crate::stream::Streams;
use crate::taken::Taken;
use crate::tunnel::{Next, Tunnel};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Parts;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// How much of a request is read at once before the library has the connection: most requests without a body.
const FIRST: usize = 2048;

/// Serves `service` on `stream` until it ends, or until `leave` and what was under way then.
pub(crate) async fn serve<S, V>(
    stream: S,
    mut service: V,
    presence: &Rc<Presence>,
    next: &Next,
    bounds: Bounds,
    leave: impl Future<Output = ()>,
) where
    S: Breaks + 'static,
    V: Service<Request<Incoming>, Response = Response<Taken>, Error = Infallible> + Unpin + 'static,
    V::Future: 'static,
{
    let mut stream = Replayed::new(Vec::new(), Noticed::new(stream, presence));
    let mut leave = pin!(leave);
    loop {
        let first = tokio::select! {
            biased;
            first = first_bytes(&mut stream) => first,
            () = presence.overstayed() => None,
            () = &mut leave => None,
        };
        let Some((first, version)) = first else { break };
        stream = stream.again(first);
        match version {
            Version::Http1 => match http1(stream, service, presence, next, bounds, leave.as_mut()).await {
                Some(quiet) => (stream, service) = quiet,
                None => return,
            },
            Version::Http2 => return http2(stream, service, presence, bounds, leave.as_mut()).await,
        }
    }
    tokio::select! {
        _ = stream.shutdown() => {}
        () = presence.overstayed() => {}
    }
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Waits for the first bytes and what they tell; `None` if there are none any more.
async fn first_bytes<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(Vec<u8>, Version)> {
    let mut first = Vec::new();
    loop {
        let more = std::future::poll_fn(|cx| {
            let mut bytes = [const { MaybeUninit::uninit() }; FIRST];
            let mut bytes = ReadBuf::uninit(&mut bytes);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut bytes));
            Poll::Ready(read.ok().map(|()| bytes.filled().to_vec()))
        });
        first.extend(more.await.filter(|more| !more.is_empty())?);
        if first.starts_with(PREFACE) {
            return Some((first, Version::Http2));
        }
        if !PREFACE.starts_with(&first) {
            return Some((first, Version::Http1));
        }
    }
}

/// Serves HTTP/1.1 until the connection ends, or gives it back once nothing has been asked for a while.
async fn http1<S, V>(
    stream: Replayed<Noticed<S>>,
    service: V,
    presence: &Rc<Presence>,
    next: &Next,
    bounds: Bounds,
    leave: Pin<&mut impl Future<Output = ()>>,
) -> Option<(Replayed<Noticed<S>>, V)>
where
    S: Breaks + 'static,
    V: Service<Request<Incoming>, Response = Response<Taken>, Error = Infallible> + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None);
    // One byte more than may be: what fills it is refused, and what ends within it is measured exactly afterwards.
    builder.max_headers(bounds.headers).max_buf_size(bounds.bytes + 1);
    let mut serving = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        _ = serving.as_mut() => {
            if let Some(tunnel) = next.take() {
                go_on(tunnel, Pin::into_inner(serving).into_parts()).await;
            }
            return None;
        }
        () = presence.overstayed() => return None,
        () = leave => serving.as_mut().graceful_shutdown(),
        () = presence.quiet() => {
            let parts = Pin::into_inner(serving).into_parts();
            let stream = parts.io.into_inner();
            if parts.read_buf.is_empty() {
                return Some((stream, parts.service));
            }
            // The beginning of the next request came before the end of the last one.
            presence.began();
            return Some((stream.again(parts.read_buf.to_vec()), parts.service));
        }
    }
    tokio::select! {
        biased;
        _ = serving.as_mut() => {}
        () = presence.overstayed() => return None,
    }
    if let Some(tunnel) = next.take() {
        go_on(tunnel, Pin::into_inner(serving).into_parts()).await;
    }
    None
}

/// What is left of a connection on which HTTP has ended goes on as a tunnel. It is in a box, since few connections do.
async fn go_on<S, V>(tunnel: Tunnel, parts: Parts<TokioIo<Replayed<Noticed<S>>>, V>)
where
    S: Breaks + 'static,
{
    let Parts { io, read_buf, service: _, .. } = parts;
    Box::pin(tunnel.run(io.into_inner().again(read_buf.to_vec()))).await;
}

/// Serves HTTP/2 until the connection ends.
async fn http2<S, V>(
    stream: Replayed<Noticed<S>>,
    service: V,
    presence: &Rc<Presence>,
    bounds: Bounds,
    leave: Pin<&mut impl Future<Output = ()>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: Service<Request<Incoming>, Response = Response<Taken>, Error = Infallible> + Unpin + 'static,
    V::Future: 'static,
{
    let mut builder = http2::Builder::new(Streams);
    builder.timer(TokioTimer::new()).max_header_list_size(bounds.header_list()).enable_connect_protocol();
    buffers::of_client(&mut builder, presence.is_stranger());
    let mut serving = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        () = presence.overstayed() => return,
        () = leave => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = serving => {}
        () = presence.overstayed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(mut bytes: &[u8]) -> Option<(usize, Version)> {
        first_bytes(&mut bytes).await.map(|(first, version)| (first.len(), version))
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_version() {
        assert_eq!(told(b"GET / HTTP/1.1\r\n").await, Some((16, Version::Http1)));
        assert_eq!(told(b"PRIVATE").await, Some((7, Version::Http1)));
        assert_eq!(told(&[PREFACE, b"more"].concat()).await, Some((28, Version::Http2)));
        assert_eq!(told(b"").await, None);
        assert_eq!(told(b"PRI * HT").await, None, "half of a preface, and then the end");
    }
}
