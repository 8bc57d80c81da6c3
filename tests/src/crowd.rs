//! Clients that cost memory: idle ones, some that ask and never read, some that send very slowly; and good ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a good client waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long anybody waits for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, after a request that was answered.
    Idle,
    /// It asks and never reads.
    Unread,
    /// It has begun to upload a body, and goes on with a byte each second.
    Slow,
}

/// All of them.
#[derive(Debug)]
pub struct Crowd {
    address: SocketAddr,
    host: String,
    clients: Vec<(Kind, TcpStream)>,
    last_byte: Instant,
}

impl Crowd {
    /// Nobody yet; they will come to `address` and ask for `host`.
    #[must_use]
    pub fn new(address: SocketAddr, host: &str) -> Self {
        Self { address, host: host.to_owned(), clients: Vec::new(), last_byte: Instant::now() }
    }

    /// So many more come; those who ask, ask for `path`. Whoever is refused is not counted.
    pub async fn come(&mut self, kind: Kind, count: usize, path: &str) {
        for number in 0..count {
            if let Ok(Ok(client)) = timeout(CONNECT, self.one(kind, path)).await {
                self.clients.push((kind, client));
            }
            if number % 100 == 0 {
                self.send_slowly().await;
            }
        }
    }

    async fn one(&self, kind: Kind, path: &str) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        let host = &self.host;
        let head = match kind {
            Kind::Idle | Kind::Unread => format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            Kind::Slow => {
                format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100000\r\n\r\nfirst")
            }
        };
        stream.write_all(head.as_bytes()).await?;
        if kind == Kind::Idle {
            // Whether it was answered or closed is found out later.
            let _answered = stream.read(&mut [0; 8192]).await?;
        }
        Ok(stream)
    }

    /// One byte of each slow client, if a second has passed.
    pub async fn send_slowly(&mut self) {
        if self.last_byte.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last_byte = Instant::now();
        for (kind, stream) in &mut self.clients {
            if *kind == Kind::Slow {
                let _ = stream.try_write(b"x");
            }
        }
    }

    /// How many clients of a kind the kernel has an open connection for, with nothing read: neither end has closed it. Tells
    /// less than [`Crowd::present`], and may be asked at any time.
    ///
    /// # Errors
    /// If the kernel's table cannot be read.
    pub fn connected(&self, kind: Kind) -> std::io::Result<usize> {
        let table = std::fs::read_to_string("/proc/net/tcp")?;
        // The second column ends with the port at this end, in hexadecimal digits, and the fourth is the state: 01 is open.
        let open: BTreeSet<u16> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|columns| columns.get(3) == Some(&"01"))
            .filter_map(|columns| u16::from_str_radix(columns.get(1)?.rsplit(':').next()?, 16).ok())
            .collect();
        let of_kind = self.clients.iter().filter(|(other, _)| *other == kind);
        let port = |stream: &TcpStream| stream.local_addr().map(|address| address.port());
        Ok(of_kind.filter(|(_, stream)| port(stream).is_ok_and(|port| open.contains(&port))).count())
    }

    /// How many clients of a kind the proxy has not closed.
    #[must_use]
    pub fn present(&self, kind: Kind) -> usize {
        let of_kind = self.clients.iter().filter(|(other, _)| *other == kind);
        of_kind.filter(|(_, stream)| is_open(stream)).count()
    }
}

/// How long one request of a good client takes on a connection of its own.
///
/// # Errors
/// What there was in the place of an answer with 200.
pub async fn good_request(address: SocketAddr, host: &str) -> Result<Duration, String> {
    let start = Instant::now();
    let connected = AtomicBool::new(false);
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        connected.store(true, Ordering::Relaxed);
        let head = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match timeout(PATIENCE, ask).await {
        Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.1 200 ") => Ok(start.elapsed()),
        Ok(Ok(answer)) if answer.is_empty() => Err(String::from("closed without an answer")),
        Ok(Ok(answer)) => {
            let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            Err(String::from_utf8_lossy(line).into_owned())
        }
        Ok(Err(error)) => Err(error.kind().to_string()),
        Err(_) => {
            let part = if connected.load(Ordering::Relaxed) { "answer" } else { "connection" };
            Err(format!("no {part} in {} s", PATIENCE.as_secs()))
        }
    }
}

/// Whether the other side has neither closed nor reset the connection. What waits to be read is read for this, so it is
/// the last thing to ask.
fn is_open(stream: &TcpStream) -> bool {
    if matches!(stream.take_error(), Ok(Some(_)) | Err(_)) {
        return false;
    }
    let mut scratch = [0; 65536];
    loop {
        match stream.try_read(&mut scratch) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

/// What became of good requests.
#[derive(Debug, Default)]
pub struct Tally {
    times: Vec<Duration>,
    failed: BTreeMap<String, usize>,
}

impl Tally {
    /// One more.
    pub fn add(&mut self, became: Result<Duration, String>) {
        match became {
            Ok(time) => self.times.push(time),
            Err(why) => *self.failed.entry(why).or_default() += 1,
        }
    }

    /// Answered; how many failed of which cause; and median, 99th percentile and longest time in milliseconds.
    #[must_use]
    pub fn figures(mut self) -> (usize, BTreeMap<String, usize>, [f64; 3]) {
        self.times.sort();
        let count = self.times.len();
        let millis = |index: usize| self.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let times = [count / 2, count * 99 / 100, count.saturating_sub(1)].map(millis);
        (count, self.failed, times)
    }
}
