//! HTTP/2 against the library's other end over streams in memory: what is ours, and not the library's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at its first surprise"
)]

mod clients;
mod servers;
mod tunnels;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use meshd_http::BodyError;
use meshd_http::h2::Settings;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

type Body = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>;

/// Windows that a test can fill.
const SETTINGS: Settings =
    Settings { stream_window: 10_000, connection_window: 100_000, unsent: 20_000, header_list: 16 * 1024 };

fn text(text: impl Into<Bytes>) -> Body {
    Box::pin(Full::new(text.into()).map_err(|never| match never {}))
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let within = async { tokio::time::timeout(Duration::from_secs(20), test).await };
    local.block_on(&runtime, within).expect("nobody waits for ever")
}

/// Lets everybody else run until nothing moves any more.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Sends as much of so many bytes as the other end has room for; how much that was.
async fn send_what_fits(stream: &mut h2::SendStream<Bytes>, bytes: usize) -> usize {
    let mut sent = 0;
    while sent < bytes {
        stream.reserve_capacity(bytes - sent);
        settle().await;
        let room = std::future::poll_fn(|cx| Poll::Ready(stream.poll_capacity(cx))).await;
        let room = match room {
            Poll::Ready(Some(Ok(room))) => room.min(bytes - sent),
            Poll::Pending => stream.capacity().min(bytes - sent),
            Poll::Ready(other) => panic!("{other:?}"),
        };
        if room == 0 {
            break;
        }
        stream.send_data(vec![b'x'; room].into(), false).unwrap();
        sent += room;
    }
    sent
}
