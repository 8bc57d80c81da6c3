//! Requests over HTTP/2 without TLS, each the only one on its connection, with all that a client may see of the answer.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use http::HeaderMap;
use tokio::net::TcpStream;

/// How long one exchange may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<Bytes>>,
    trailers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// Whether they ended the stream.
    pub headers_only: bool,
    /// The body.
    pub body: String,
    /// The trailers.
    pub trailers: BTreeMap<String, String>,
}

impl Answer {
    /// A header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Request {
    /// A request without a body; its headers end it.
    #[must_use]
    pub fn new(method: &str, host: &str, path: &str) -> Self {
        let uri = format!("http://{host}{path}");
        Request { method: method.to_owned(), uri, headers: Vec::new(), body: None, trailers: Vec::new() }
    }

    /// A call of gRPC, without a message.
    #[must_use]
    pub fn grpc(host: &str, path: &str) -> Self {
        let message = Bytes::from_static(&[0; 5]);
        Request::new("POST", host, path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body([message])
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body of these parts, whose length is not told.
    #[must_use]
    pub fn body(mut self, parts: impl IntoIterator<Item = Bytes>) -> Self {
        self.body = Some(parts.into_iter().collect());
        self
    }

    /// One more trailer, after the body.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// If there is no whole answer.
    ///
    /// # Panics
    /// If the address is not on loopback: nothing in these tests sends anywhere else.
    pub fn try_send(&self, address: SocketAddr) -> Result<Answer, String> {
        assert!(address.ip().is_loopback(), "{address} is not on loopback");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let exchange = tokio::time::timeout(PATIENCE, self.exchange(address));
            exchange.await.map_err(|_| String::from("no answer in time"))?
        })
    }

    /// Sends it.
    ///
    /// # Panics
    /// If there is no whole answer.
    #[must_use]
    pub fn send(&self, address: SocketAddr) -> Answer {
        self.try_send(address).unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.uri))
    }

    async fn exchange(&self, address: SocketAddr) -> Result<Answer, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let (sender, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let mut head = http::Request::builder().method(self.method.as_str()).uri(&self.uri);
        for (name, value) in &self.headers {
            head = head.header(name, value);
        }
        let head = head.body(()).map_err(|error| error.to_string())?;
        let mut sender = sender.ready().await.map_err(|error| error.to_string())?;
        let ends = self.body.is_none() && self.trailers.is_empty();
        let (response, upload) = sender.send_request(head, ends).map_err(|error| error.to_string())?;
        let receiving = receive(response);
        tokio::pin!(receiving);
        // What becomes of the upload is no matter once there is an answer.
        tokio::select! {
            biased;
            answer = receiving.as_mut() => return answer.map_err(|error| error.to_string()),
            _ = send(upload, self.body.clone().unwrap_or_default(), &self.trailers), if !ends => {}
        }
        receiving.await.map_err(|error| error.to_string())
    }
}

async fn send(
    mut upload: SendStream<Bytes>,
    parts: Vec<Bytes>,
    trailers: &[(String, String)],
) -> Result<(), h2::Error> {
    for mut part in parts {
        while !part.is_empty() {
            upload.reserve_capacity(part.len());
            let Some(capacity) = poll_fn(|cx| upload.poll_capacity(cx)).await else { return Ok(()) };
            let capacity = capacity?.min(part.len());
            upload.send_data(part.split_to(capacity), false)?;
        }
    }
    if trailers.is_empty() {
        return upload.send_data(Bytes::new(), true);
    }
    let pairs = trailers.iter().map(|(name, value)| {
        let name = http::HeaderName::try_from(name).expect("a name");
        (name, http::HeaderValue::try_from(value).expect("a value"))
    });
    upload.send_trailers(pairs.collect())
}

async fn receive(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    let headers_only = body.is_end_stream();
    let mut bytes = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        bytes.extend_from_slice(&part);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: texts(&head.headers),
        headers_only,
        body: String::from_utf8_lossy(&bytes).into_owned(),
        trailers: texts(&trailers),
    })
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
