//! HTTP/2 for benchmarks: a server that answers with little, and clients with several requests at a time.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// How many requests are under way on a connection at a time.
const STREAMS: usize = 8;

/// A window that is never in the way.
const WINDOW: u32 = 1 << 30;

/// Answers every request with two bytes, over HTTP/2 without TLS.
///
/// # Errors
/// If nothing can be accepted any more.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(async move {
            // A client that goes away in the middle is how each of these connections ends.
            let _ = answer(stream).await;
        });
    }
}

async fn answer(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request?;
        let head =
            Response::builder().header("content-length", "2").header("date", "Mon, 30 Nov 2026 12:00:00 GMT");
        let mut body = respond.send_response(head.body(()).unwrap_or_default(), false)?;
        body.send_data(Bytes::from_static(b"ok"), true)?;
    }
    Ok(())
}

/// Asks for `/` over HTTP/2 with TLS for so long, with so many requests at a time, eight of them on each connection. The answer is
/// how many were answered.
///
/// # Errors
/// If a request gets another answer than 200, or none.
pub async fn ask(
    address: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
    at_once: usize,
    time: Duration,
) -> io::Result<u64> {
    let end = Instant::now() + time;
    let all = Rc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..at_once.div_ceil(STREAMS) {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect(name.clone(), stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let (sender, connection) = builder.handshake::<_, Bytes>(stream).await.map_err(io::Error::other)?;
        tokio::task::spawn_local(connection);
        for _ in 0..STREAMS.min(at_once) {
            clients.push(tokio::task::spawn_local(requests(sender.clone(), end, Rc::clone(&all))));
        }
    }
    for client in clients {
        client.await??;
    }
    Ok(all.load(Ordering::Relaxed))
}

/// One request after the other.
async fn requests(sender: SendRequest<Bytes>, end: Instant, all: Rc<AtomicU64>) -> io::Result<()> {
    let mut sender = sender.ready().await.map_err(io::Error::other)?;
    while Instant::now() < end {
        answered(&mut sender).await.map_err(io::Error::other)?;
        all.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn answered(sender: &mut SendRequest<Bytes>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let request =
        Request::get("https://app.test/").header("user-agent", "bench").header("accept", "*/*").body(())?;
    let (answer, _) = sender.send_request(request, true)?;
    let mut answer = answer.await?;
    if answer.status() != StatusCode::OK {
        return Err(answer.status().to_string().into());
    }
    while let Some(data) = answer.body_mut().data().await {
        let length = data?.len();
        answer.body_mut().flow_control().release_capacity(length)?;
    }
    Ok(())
}
