//! Requests that ask for another protocol, over HTTP/1.1 and HTTP/2, what is said afterwards, and an application that agrees.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use tokio::runtime::Runtime;

/// How long any single step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Over which version of HTTP a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// `Upgrade` (RFC 9110, section 7.8).
    Http1,
    /// Extended CONNECT (RFC 8441).
    Http2,
}

/// A conversation after HTTP.
pub struct Tunnel {
    /// The head of the answer: its headers, one a line, in lower case.
    pub head: String,
    kind: Kind,
    /// What was read and not yet asked for.
    read: Vec<u8>,
}

enum Kind {
    Connection(TcpStream),
    Stream(Runtime, SendStream<Bytes>, RecvStream),
}

/// An answer that does not agree: the status and what came of the body.
pub type Refusal = (u16, String);

impl Tunnel {
    /// Asks for a WebSocket.
    ///
    /// # Errors
    /// The answer, if it does not agree.
    ///
    /// # Panics
    /// If there is none, or the address is not on loopback.
    pub fn open(over: Over, address: SocketAddr, host: &str, path: &str) -> Result<Self, Refusal> {
        Self::ask(over, address, host, path, "websocket")
    }

    /// Asks for any protocol.
    ///
    /// # Errors
    /// The answer, if it does not agree.
    ///
    /// # Panics
    /// If there is none, or the address is not on loopback.
    pub fn ask(
        over: Over,
        address: SocketAddr,
        host: &str,
        path: &str,
        protocol: &str,
    ) -> Result<Self, Refusal> {
        assert!(address.ip().is_loopback(), "{address} is not on loopback");
        match over {
            Over::Http1 => Self::open1(address, host, path, protocol),
            Over::Http2 => Self::open2(address, host, path, protocol),
        }
    }

    fn open1(address: SocketAddr, host: &str, path: &str, protocol: &str) -> Result<Self, Refusal> {
        let mut stream = TcpStream::connect(address).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The first words come with the request, as some clients send them.
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\n\
             sec-websocket-key: {KEY}\r\nsec-websocket-version: 13\r\n\r\n"
        )
        .expect("it is open");
        let head = head(&mut stream).unwrap_or_else(|error| panic!("{path}: no answer: {error}"));
        let status = status(&head);
        if status != 101 {
            let length = length(&head);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap_or_else(|error| panic!("{path}: {error}\n{head}"));
            return Err((status, String::from_utf8_lossy(&body).into_owned()));
        }
        Ok(Self { head, kind: Kind::Connection(stream), read: Vec::new() })
    }

    fn open2(address: SocketAddr, host: &str, path: &str, protocol: &str) -> Result<Self, Refusal> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let opened = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, async {
                let stream = tokio::net::TcpStream::connect(address).await.expect("the proxy listens");
                let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
                tokio::spawn(connection);
                let mut sender = sender.ready().await.expect("it is open");
                while !sender.is_extended_connect_protocol_enabled() {
                    // It is in the other end's SETTINGS, which may still be under way.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let request = http::Request::builder()
                    .method("CONNECT")
                    .uri(format!("http://{host}{path}"))
                    .header("sec-websocket-version", "13")
                    .extension(Protocol::from(protocol))
                    .body(())
                    .expect("a request");
                let (response, sending) = sender.send_request(request, false).expect("it is open");
                let (head, mut receiving) =
                    response.await.unwrap_or_else(|error| panic!("{path}: {error}")).into_parts();
                let status = head.status.as_u16();
                if status == 200 {
                    let lines = head
                        .headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?")));
                    return Ok((lines.collect::<String>(), sending, receiving));
                }
                let mut body = Vec::new();
                while let Some(Ok(part)) = receiving.data().await {
                    body.extend_from_slice(&part);
                }
                Err((status, String::from_utf8_lossy(&body).into_owned()))
            })
            .await
        });
        let (head, sending, receiving) = opened.unwrap_or_else(|_| panic!("{path}: no answer in time"))?;
        Ok(Self { head, kind: Kind::Stream(runtime, sending, receiving), read: Vec::new() })
    }

    /// Sends this.
    ///
    /// # Panics
    /// If the other end is gone.
    pub fn say(&mut self, bytes: &[u8]) {
        match &mut self.kind {
            Kind::Connection(stream) => stream.write_all(bytes).expect("the other end is there"),
            Kind::Stream(runtime, sending, _) => runtime.block_on(async {
                let mut rest = Bytes::copy_from_slice(bytes);
                while !rest.is_empty() {
                    sending.reserve_capacity(rest.len());
                    let capacity = poll_fn(|cx| sending.poll_capacity(cx))
                        .await
                        .expect("it is open")
                        .expect("it is open");
                    let part = rest.split_to(capacity.min(rest.len()));
                    sending.send_data(part, false).expect("it is open");
                }
            }),
        }
    }

    /// Says that nothing more comes.
    ///
    /// # Panics
    /// If the other end is gone.
    pub fn end(&mut self) {
        match &mut self.kind {
            Kind::Connection(stream) => stream.shutdown(Shutdown::Write).expect("the other end is there"),
            Kind::Stream(_, sending, _) => sending.send_data(Bytes::new(), true).expect("it is open"),
        }
    }

    /// The next line, or what there is of it at the end.
    ///
    /// # Panics
    /// If nothing comes for long.
    #[must_use]
    pub fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let line = std::mem::replace(&mut self.read, rest);
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            if !self.more() {
                return String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned();
            }
        }
    }

    /// So many bytes, or fewer at the end.
    ///
    /// # Panics
    /// If nothing comes for long.
    #[must_use]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count && self.more() {}
        let rest = self.read.split_off(count.min(self.read.len()));
        std::mem::replace(&mut self.read, rest)
    }

    /// Waits until the other end is done; whether nothing else came.
    ///
    /// # Panics
    /// If it is not done for long.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        while self.read.is_empty() {
            if !self.more() {
                return true;
            }
        }
        false
    }

    /// Reads more; whether there is any.
    fn more(&mut self) -> bool {
        match &mut self.kind {
            Kind::Connection(stream) => {
                let mut part = [0; 16 * 1024];
                match stream.read(&mut part) {
                    Ok(count) => {
                        self.read.extend_from_slice(&part[..count]);
                        count > 0
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
                    Err(error) => panic!("nothing came: {error}"),
                }
            }
            Kind::Stream(runtime, _, receiving) => {
                let part = runtime.block_on(async { tokio::time::timeout(PATIENCE, receiving.data()).await });
                match part.expect("nothing came") {
                    Some(Ok(part)) => {
                        let _ = receiving.flow_control().release_capacity(part.len());
                        self.read.extend_from_slice(&part);
                        true
                    }
                    Some(Err(_)) | None => false,
                }
            }
        }
    }
}

fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).to_ascii_lowercase().replace("\r\n", "\n"))
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or_default()
}

/// Serves an application that agrees to a WebSocket, says in one line what it was asked, and then sends back whatever comes.
/// It refuses what asks for `/refuse`, and ends at once after the first line with `/bye`. What asks for no protocol is
/// answered with `plain`.
///
/// # Panics
/// If the listener cannot be used.
pub fn serve(application: TcpListener) {
    std::thread::spawn(move || {
        for stream in application.incoming().map_while(Result::ok) {
            std::thread::spawn(move || converse(stream));
        }
    });
}

fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let asked = head(&mut stream)?;
        let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
        let has = |line: &str| asked.lines().any(|other| other == line);
        if path.starts_with("/refuse") {
            stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 3\r\n\r\nno\n")?;
            continue;
        }
        if !has("upgrade: websocket") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain")?;
            continue;
        }
        // Whoever wants more than the example's key gets none of it.
        let accept = if has(&format!("sec-websocket-key: {}", KEY.to_ascii_lowercase())) {
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        } else {
            "of-another-key"
        };
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        )?;
        writeln!(stream, "{}", asked.trim_end().replace('\n', "|"))?;
        if path.starts_with("/bye") {
            return Ok(());
        }
        let mut part = [0; 16 * 1024];
        loop {
            let count = stream.read(&mut part)?;
            if count == 0 {
                return stream.write_all(b"end of what came\n");
            }
            stream.write_all(&part[..count])?;
        }
    }
}
