//! A small blocking HTTP/1.1 client on loopback: exactly the bytes a test wants to send, and all of the answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long any single read or write may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers with lower-case names; repeated ones are joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A field of the JSON body as text; empty if it is absent or no text.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        self.json().get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

/// A request to be sent to a loopback address.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// `GET target` for a host name.
    #[must_use]
    pub fn get(host: &str, target: &str) -> Self {
        let headers = vec![(String::from("host"), host.to_owned())];
        Self { method: String::from("GET"), target: target.to_owned(), headers, body: Vec::new() }
    }

    /// Another method, with a body.
    #[must_use]
    pub fn method(mut self, method: &str, body: &str) -> Self {
        self.method = method.to_owned();
        self.body = body.as_bytes().to_vec();
        self.header("content-length", &body.len().to_string())
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it on a connection of its own.
    ///
    /// # Errors
    /// If the connection cannot be opened, or ends before a whole answer.
    pub fn try_send(&self, address: SocketAddr) -> std::io::Result<Response> {
        Connection::open(address)?.send(self)
    }

    /// Sends it on a connection of its own.
    ///
    /// # Panics
    /// If there is no whole answer.
    #[must_use]
    pub fn send(&self, address: SocketAddr) -> Response {
        self.try_send(address).unwrap_or_else(|error| panic!("{self:?} to {address}: {error}"))
    }
}

/// A connection that is kept alive between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// If nobody listens there.
    ///
    /// # Panics
    /// If the address is not on loopback: nothing in these tests sends anywhere else.
    pub fn open(address: SocketAddr) -> std::io::Result<Self> {
        assert!(address.ip().is_loopback(), "{address} is not on loopback");
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// If the connection ends before that.
    pub fn send(&mut self, request: &Request) -> std::io::Result<Response> {
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&request.body);
        self.stream.get_mut().write_all(&bytes)?;
        self.read(request.method == "HEAD")
    }

    fn read(&mut self, head_only: bool) -> std::io::Result<Response> {
        let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid(&format!("no status line: {line:?}")))?;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("no header"))?;
            let value = value.trim();
            headers
                .entry(name.to_ascii_lowercase())
                .and_modify(|old| *old = format!("{old}, {value}"))
                .or_insert_with(|| value.to_owned());
        }
        let mut body = Vec::new();
        if head_only || status == 204 || status == 304 {
            // No body follows.
        } else if headers.get("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16)
                    .map_err(|_| invalid("no chunk size"))?;
                let mut chunk = vec![0; size];
                self.stream.read_exact(&mut chunk)?;
                body.extend_from_slice(&chunk);
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = headers.get("content-length") {
            let length = length.parse().map_err(|_| invalid("no content length"))?;
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        } else {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "closed before an answer"));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
