//! A client's HTTP connection: which version it speaks, and who speaks it.

use crate::bounds::Bounds;
use crate::buffers;
use crate::frames::PREFACE;
use crate::from_client::Arriving;
use crate::noticed::Noticed;
use crate::presence::Presence;
use crate::relay::Breaks;
use crate::replayed::Replayed;
use crate::seldom::Seldom;
use crate::taken::Taken;
use crate::tunnel::Next;
use http::{Request, Response};
use meshd_http::h2::Stream;
use meshd_http::{Limits, h2, server};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// How much of a request is read at once before it is known what the client speaks: most requests without a body.
const FIRST: usize = 2048;

/// Serves `service` on `stream` until it ends, or until `leave` and what was under way then.
pub(crate) async fn serve<S, V, F>(
    stream: S,
    service: V,
    presence: &Rc<Presence>,
    next: &Next,
    bounds: Bounds,
    leave: impl Future<Output = ()>,
) where
    S: Breaks + 'static,
    V: Fn(Request<Arriving>, Option<Rc<Stream>>) -> F + 'static,
    F: Future<Output = Response<Taken>> + 'static,
{
    let mut stream = Replayed::new(Vec::new(), Noticed::new(stream, presence));
    let (mut leave, mut overstayed) = (Seldom::new(leave), Seldom::new(presence.overstayed()));
    let first = tokio::select! {
        biased;
        first = first_bytes(&mut stream) => first,
        () = &mut overstayed => None,
        () = &mut leave => None,
    };
    match first {
        Some((first, Version::Http1)) => {
            http1(stream.again(first), service, next, bounds, leave, overstayed).await;
        }
        Some((first, Version::Http2)) => {
            http2(stream.again(first), service, presence, bounds, leave, overstayed).await;
        }
        None => tokio::select! {
            _ = stream.shutdown() => {}
            () = presence.overstayed() => {}
        },
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

/// Serves HTTP/1.1 until the connection ends, also as a tunnel.
async fn http1<S, V, F>(
    stream: Replayed<Noticed<S>>,
    service: V,
    next: &Next,
    bounds: Bounds,
    leave: impl Future<Output = ()> + Unpin,
    mut overstayed: impl Future<Output = ()> + Unpin,
) where
    S: Breaks + 'static,
    V: Fn(Request<Arriving>, Option<Rc<Stream>>) -> F,
    F: Future<Output = Response<Taken>> + 'static,
{
    // One byte more than may be: what fills it is refused, and what ends within it is measured exactly afterwards.
    let limits = Limits { headers: bounds.headers, bytes: bounds.bytes + 1 };
    let service = |request: Request<_>| service(request.map(Arriving::Http1), None);
    let mut serving = server::Connection::new(stream, service, limits);
    let ended = tokio::select! {
        biased;
        ended = &mut serving => Some(ended),
        () = &mut overstayed => return,
        () = leave => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.close();
            tokio::select! {
                biased;
                ended = &mut serving => ended,
                () = &mut overstayed => return,
            }
        }
    };
    if let (Ok(server::End::Switched), Some(tunnel)) = (ended, next.take())
        && let Some((stream, unread)) = serving.into_parts()
    {
        // In a box, since few connections become one.
        Box::pin(tunnel.run(stream.again(unread.to_vec()))).await;
    }
}

/// Serves HTTP/2 until the connection ends.
async fn http2<S, V, F>(
    stream: Replayed<Noticed<S>>,
    service: V,
    presence: &Rc<Presence>,
    bounds: Bounds,
    leave: impl Future<Output = ()> + Unpin,
    mut overstayed: impl Future<Output = ()> + Unpin,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: Fn(Request<Arriving>, Option<Rc<Stream>>) -> F + 'static,
    F: Future<Output = Response<Taken>> + 'static,
{
    let service = move |request: Request<_>, stream| service(request.map(Arriving::Http2), Some(stream));
    let (settings, streams) = buffers::of_client(presence.is_stranger(), bounds);
    let mut serving = Box::pin(h2::server::Connection::new(stream, service, settings, streams));
    tokio::select! {
        biased;
        _ = &mut serving => return,
        () = &mut overstayed => return,
        () = leave => serving.close(),
    }
    tokio::select! {
        biased;
        _ = serving => {}
        () = &mut overstayed => {}
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
