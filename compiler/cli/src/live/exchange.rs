//! One request and its answer.

use std::io;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use meshc_driver::live::Seen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connection::{Stream, Target};
use super::reading;
use super::tls::{self, Trust};

/// The longest body that is read: a stand-in says who it is in much less.
const LONGEST: usize = 1 << 16;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Asked {
    fn built(&self, uri: Uri, more: &[(HeaderName, &'static str)]) -> io::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(self.method.as_str()).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in more {
            request = request.header(name, *value);
        }
        request.body(Full::new(Bytes::new())).map_err(io::Error::other)
    }
}

/// A connection over which requests of HTTP/1.1 are sent, one after the other.
#[derive(Default)]
pub(super) struct Line {
    open: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Line {
    /// Sends a request; a connection that was used before may have been closed meanwhile.
    pub(super) async fn send(&mut self, target: &Target, asked: &Asked, processes: bool) -> io::Result<Seen> {
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
            && let Ok(answer) = open.send_request(http1_request(asked)?).await
        {
            return self.read(open, answer, processes).await;
        }
        let stream = target.connect(&asked.host, b"http/1.1").await?;
        let (mut open, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let answer = open.send_request(http1_request(asked)?).await.map_err(io::Error::other)?;
        self.read(open, answer, processes).await
    }

    async fn read(
        &mut self,
        open: http1::SendRequest<Full<Bytes>>,
        answer: Response<Incoming>,
        processes: bool,
    ) -> io::Result<Seen> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let bytes = match body {
            Ok(body) => {
                self.open = Some(open);
                body.to_bytes()
            }
            // Long, or cut short: no stand-in.
            Err(_) => Bytes::new(),
        };
        Ok(reading::http(head.status.as_u16(), &head.headers, &bytes, processes))
    }
}

fn http1_request(asked: &Asked) -> io::Result<Request<Full<Bytes>>> {
    let uri = asked.path.parse().map_err(io::Error::other)?;
    let mut request = asked.built(uri, &[])?;
    let host = HeaderValue::from_str(&asked.host).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// A call of gRPC without a message: its method is not known, and a stand-in says who it is all the same.
pub(super) async fn grpc(target: &Target, asked: &Asked, processes: bool) -> io::Result<Seen> {
    let stream = target.connect(&asked.host, b"h2").await?;
    let made = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut open, connection) = made.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let uri = format!("http://{}{}", asked.host, asked.path).parse().map_err(io::Error::other)?;
    let request = asked.built(uri, &[(CONTENT_TYPE, "application/grpc"), (TE, "trailers")])?;
    let answer = open.send_request(request).await.map_err(io::Error::other)?;
    let (head, body) = answer.into_parts();
    let trailers: Option<HeaderMap> =
        Limited::new(body, LONGEST).collect().await.ok().and_then(|body| body.trailers().cloned());
    Ok(reading::grpc(head.status.as_u16(), &head.headers, trailers.as_ref(), processes))
}

/// What TLS of a server begins with: a record of a handshake.
const HANDSHAKE: u8 = 0x16;

/// A connection on which the other side speaks first.
pub(super) async fn connection(target: &Target, host: &str) -> io::Result<Seen> {
    banner(target.connect(host, b"").await?).await
}

/// A connection that begins TLS. A stand-in inside the mesh only says who it is; one outside ends TLS, and is asked inside.
pub(super) async fn hello(target: &Target, name: &str, processes: bool) -> io::Result<Seen> {
    let hello = tls::hello(name).ok_or_else(|| io::Error::other("not a server name"))?;
    let mut stream = target.connect(name, b"").await?;
    stream.write_all(&hello).await?;
    let seen = banner(stream).await?;
    if seen != Seen::Somebody || processes {
        return Ok(seen);
    }
    let stream = target.connect(name, b"").await?;
    let config = tls::client(&Trust::Anybody, None, b"http/1.1")
        .map_err(|failure| io::Error::other(failure.message))?;
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(server, stream).await?;
    let (mut open, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let asked = Asked {
        method: String::from("GET"),
        path: String::from("/"),
        host: name.to_owned(),
        headers: Vec::new(),
    };
    let answer = open.send_request(http1_request(&asked)?).await.map_err(io::Error::other)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(io::Error::other)?;
    Ok(reading::http(head.status.as_u16(), &head.headers, &body.to_bytes(), processes))
}

/// Who speaks first.
async fn banner(mut stream: Box<dyn Stream>) -> io::Result<Seen> {
    let mut said = Vec::new();
    while said.len() < LONGEST && !said.contains(&b'\n') && said.first() != Some(&HANDSHAKE) {
        if stream.read_buf(&mut said).await? == 0 {
            break;
        }
    }
    Ok(if said.is_empty() { Seen::Closed } else { reading::banner(&said) })
}
