//! An application that answers with as many bytes as it is asked for, `/?bytes=N`, once it has read what it is sent.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

const USAGE: &str = "usage: answers PORT";

/// How many connections may wait to be accepted: a whole crowd comes at once.
const BACKLOG: u32 = 4096;

/// No answer has more bytes.
const MOST: usize = 16 << 20;

/// Serves on loopback until it is ended.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidInput, USAGE))?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = socket.listen(BACKLOG)?;
    let most = Bytes::from(vec![b'x'; MOST]);
    loop {
        let (stream, _) = listener.accept().await?;
        let most = most.clone();
        let service = service_fn(move |request| answer(request, most.clone()));
        // What becomes of a connection is its client's concern.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, most: Bytes) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let asked = request.uri().query().and_then(|query| query.strip_prefix("bytes=")?.parse().ok());
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(Response::new(Full::new(most.slice(..asked.unwrap_or(2).min(MOST)))))
}
