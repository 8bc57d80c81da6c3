//! Clients: plaintext or with a certificate, HTTP/1.1 or HTTP/2, one connection each.

use super::any_server::AnyServer;
use super::certificates::Leaf;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// What the application said.
    pub(crate) fn said(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }

    /// Which application answered, or the status and body of whoever else did.
    pub(crate) fn app(&self) -> String {
        match serde_json::from_str::<Value>(&self.body) {
            Ok(said) => said["app"].as_str().unwrap().to_owned(),
            Err(_) => format!("{} {}", self.status.as_u16(), self.body),
        }
    }

    /// A header that the application received.
    pub(crate) fn seen(&self, name: &str) -> Option<String> {
        self.said()["headers"][name].as_str().map(str::to_owned)
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One connection.
pub(crate) struct Client {
    sender: Sender,
    pub(crate) host: String,
}

impl Client {
    pub(crate) async fn http1(address: SocketAddr, host: &str) -> Self {
        Client::over(TcpStream::connect(address).await.unwrap(), host, false).await.unwrap()
    }

    pub(crate) async fn http2(address: SocketAddr, host: &str) -> Self {
        Client::over(TcpStream::connect(address).await.unwrap(), host, true).await.unwrap()
    }

    pub(crate) async fn over<S>(stream: S, host: &str, http2: bool) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        let sender = if http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Client { sender, host: host.into() })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await.unwrap()
    }

    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await.unwrap()
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Answer> {
        let uri = match &self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("http://{}{path}", self.host),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if let Sender::Http1(_) = &self.sender {
            request = request.header("host", &self.host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// Requests to `/0`, `/1` … over one HTTP/2 connection, so many at a time; the statuses in that order. None of them may
/// take longer than ten seconds.
pub(crate) async fn many(address: SocketAddr, host: &str, requests: usize, at_a_time: usize) -> Vec<u16> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let one = |number: usize| {
        let (mut sender, uri) = (sender.clone(), format!("http://{host}/{number}"));
        async move {
            let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
            let answer = async {
                let answer = sender.send_request(request).await.unwrap();
                let status = answer.status().as_u16();
                answer.into_body().collect().await.unwrap();
                status
            };
            let bound = Duration::from_secs(10);
            tokio::time::timeout(bound, answer).await.unwrap_or_else(|_| panic!("no answer to {number}"))
        }
    };
    futures_util::stream::iter(0..requests).map(one).buffered(at_a_time).collect().await
}

/// One request on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    Client::http1(address, host).await.get(path).await
}

/// A handshake with a mesh server name and, perhaps, a certificate. The server's certificate is not checked here.
pub(crate) async fn handshake(
    address: SocketAddr,
    name: &str,
    leaf: Option<&Leaf>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    let mut config = match leaf {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain =
                CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            // Whether the key belongs to the certificate is for the server to find out.
            let key = provider.key_provider.load_private_key(key).unwrap();
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// An HTTP/1.1 client that shows a certificate.
pub(crate) async fn mtls(address: SocketAddr, name: &str, leaf: &Leaf) -> Client {
    let stream = handshake(address, name, Some(leaf), &["http/1.1"]).await.unwrap();
    Client::over(stream, name, false).await.unwrap()
}

/// Waits until something is so, and fails loudly if it does not become so.
pub(crate) async fn eventually<F, Fut>(what: &str, mut is_so: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    for _ in 0..1_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen within ten seconds");
}

/// A number on the page of metrics, by its name and labels as they are written there.
pub(crate) async fn metric(metrics: SocketAddr, name: &str) -> i64 {
    let page = get(metrics, "metrics", "/metrics").await.body;
    page.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap().parse().unwrap()
}
