//! Accepting connections, and closing them gracefully.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::pages::{Pages, respond};
use crate::protocol::GrpcService;
use crate::service::Service;

/// Becomes true when the server is to stop.
pub(super) type Stopped = watch::Receiver<bool>;

/// Peers that vanished without closing are noticed by a ping this often, and an unanswered ping takes as long again.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Questions in flight on one connection: a proxy's worker has one connection for all its requests.
const MAX_CONCURRENT: u32 = 4096;

/// Time for a client of the HTTP pages to send its request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves gRPC on every connection, HTTP/2 with prior knowledge.
pub(super) async fn grpc(listener: TcpListener, service: GrpcService, mut stopped: Stopped) {
    let serve = |stream: TcpStream, mut stopped: Stopped| {
        let service = TowerToHyperService::new(service.clone());
        async move {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_EVERY)
                .max_concurrent_streams(MAX_CONCURRENT);
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
            // Connections end with errors when peers go away; there is nobody to tell.
            let _ = tokio::select! {
                ended = connection.as_mut() => ended,
                () = told(&mut stopped) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
        }
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => { connections.spawn(serve(stream, stopped.clone())); }
            Some(_) = connections.join_next() => {}
            () = told(&mut stopped) => break,
        }
    }
    // From here on new connections are refused, so that proxies turn to another server at once.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves pages on every connection, HTTP/1.1, until it is dropped.
pub(super) async fn http(listener: TcpListener, pages: Pages, service: Arc<Service>, stopped: Stopped) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            Some(_) = connections.join_next() => continue,
        };
        let (service, stopped) = (Arc::clone(&service), stopped.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let response = respond(&request, pages, &service, *stopped.borrow());
                async move { Ok::<_, Infallible>(response) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // A client that goes away in the middle is nobody's problem.
            let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and must not wait for more to send. A failure here costs only speed.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // Too many open files, or a connection that ended before it was accepted: the first needs a pause.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits until the server is to stop, or nobody is left to say so.
async fn told(stopped: &mut Stopped) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
