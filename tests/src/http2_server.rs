//! An application of a test's own that speaks HTTP/2: so many streams at a time, held answers, and trailers both ways.

use std::future::poll_fn;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A running application. It ends with the value.
///
/// A request to `/hold` is answered with its first bytes and ends when `release` is called. One with the query
/// `trailer=<bytes>` has a trailer `x-large` with a value of so many bytes, one with `trailers=<number>` so many of them.
/// One to a path that begins with `/failing/<status>` is answered with this status of gRPC, in headers alone.
/// A health check of gRPC of the service `shop.Api` is answered with SERVING, or NOT_SERVING once `serves` was told so.
/// Every other answer has the trailer `grpc-status: 0`, and a body that lists the trailers of the request.
pub struct Application {
    _runtime: Runtime,
    shared: Arc<Shared>,
}

struct Shared {
    held: AtomicUsize,
    failing: AtomicUsize,
    released: watch::Sender<bool>,
    serves: AtomicBool,
}

impl Application {
    /// Serves a port, with so many streams on a connection at a time; any number if there is none.
    ///
    /// # Panics
    /// If the listener cannot be used.
    #[must_use]
    pub fn serve(listener: TcpListener, streams: Option<u32>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let shared = Arc::new(Shared {
            held: AtomicUsize::new(0),
            failing: AtomicUsize::new(0),
            released: watch::Sender::new(false),
            serves: AtomicBool::new(true),
        });
        listener.set_nonblocking(true).expect("it is open");
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is open");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, streams, Arc::clone(&accepting)));
            }
        });
        Self { _runtime: runtime, shared }
    }

    /// How many requests to `/hold` are being answered.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// How many requests to `/failing` were answered since this was asked last.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.shared.failing.swap(0, Ordering::SeqCst)
    }

    /// Answers health checks so from now on.
    pub fn serves(&self, well: bool) {
        self.shared.serves.store(well, Ordering::SeqCst);
    }

    /// Ends all answers to `/hold`, those of later requests as well.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

async fn serve(stream: tokio::net::TcpStream, streams: Option<u32>, shared: Arc<Shared>) {
    let mut builder = h2::server::Builder::new();
    if let Some(streams) = streams {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    while let Some(Ok((request, response))) = connection.accept().await {
        // A client that breaks off concerns nobody else.
        drop(tokio::spawn(answer(request, response, Arc::clone(&shared))));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut response: SendResponse<Bytes>,
    shared: Arc<Shared>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    if let Some(status) = head.uri.path().strip_prefix("/failing/") {
        shared.failing.fetch_add(1, Ordering::SeqCst);
        let status = status.split('/').next().unwrap_or_default();
        let failed =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", status);
        response.send_response(failed.body(()).expect("a response"), true)?;
        return Ok(());
    }
    let ok = Response::builder().header("content-type", "application/grpc").body(()).expect("a response");
    if head.uri.path() == "/hold" {
        let mut sending = response.send_response(ok, false)?;
        send(&mut sending, Bytes::from_static(b"begins")).await?;
        shared.held.fetch_add(1, Ordering::SeqCst);
        // Whoever breaks off is held no longer.
        tokio::select! {
            _ = async { shared.released.subscribe().wait_for(|released| *released).await.map(|_| ()) } => {}
            _ = poll_fn(|cx| sending.poll_reset(cx)) => {}
        }
        shared.held.fetch_sub(1, Ordering::SeqCst);
        return sending.send_trailers(trailers(""));
    }
    if head.uri.path() == "/grpc.health.v1.Health/Check" {
        let mut asked = Vec::new();
        while let Some(part) = body.data().await {
            asked.extend_from_slice(&part?);
        }
        // A frame with a message whose field 1 is the name.
        let known = asked == [&[0, 0, 0, 0, 10, 10, 8], b"shop.Api".as_slice()].concat();
        let status = if known { 2 - u8::from(shared.serves.load(Ordering::SeqCst)) } else { 3 };
        let mut sending = response.send_response(ok, false)?;
        send(&mut sending, Bytes::from(vec![0, 0, 0, 0, 2, 8, status])).await?;
        return sending.send_trailers(trailers(""));
    }
    let mut received = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        received += part.len();
        body.flow_control().release_capacity(part.len())?;
    }
    let sent = body.trailers().await?.unwrap_or_default();
    let sent: Vec<String> = sent.keys().map(ToString::to_string).collect();
    let mut sending = response.send_response(ok, false)?;
    let described = json!({ "received": received, "trailers": sent }).to_string();
    send(&mut sending, Bytes::from(described)).await?;
    sending.send_trailers(trailers(head.uri.query().unwrap_or_default()))
}

async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(capacity) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Ok(()) };
        let capacity = capacity?.min(bytes.len());
        stream.send_data(bytes.split_to(capacity), false)?;
    }
    Ok(())
}

/// The trailers that a query asks for.
fn trailers(query: &str) -> HeaderMap {
    let number = |name: &str| query.strip_prefix(name).and_then(|number| number.parse::<usize>().ok());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if let Some(length) = number("trailer=") {
        let value = HeaderValue::try_from("x".repeat(length)).expect("letters");
        trailers.insert("x-large", value);
    }
    for number in 0..number("trailers=").unwrap_or(0) {
        let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
        trailers.insert(name, HeaderValue::from_static("x"));
    }
    trailers
}
