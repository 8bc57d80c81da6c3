//! Traffic below HTTP for benchmarks: a relay that does nothing but copy, a server that talks, clients that come and go.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// What a server says to whoever has said something.
pub const WORD: [u8; 64] = [b'w'; 64];

/// How much is written or read at once where it is about throughput.
const PIECE: usize = 256 * 1024;

/// What a client does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Opens one, gets a word, ends it, and opens the next.
    Short,
    /// Gets as much as there is.
    Bulk,
}

/// Copies bytes between whoever comes to `listener` and `upstream`. It does not look at them.
///
/// # Errors
/// If nothing can be accepted any more.
pub async fn relay(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            if let Ok(mut upstream) = TcpStream::connect(upstream).await {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            }
        });
    }
}

/// Answers whoever says something with a word, or with bytes without end, and ends when its client does.
///
/// # Errors
/// If nothing can be accepted any more.
pub async fn serve(listener: TcpListener, kind: Use) -> io::Result<()> {
    let much: Rc<[u8]> = vec![b'm'; PIECE].into();
    loop {
        let (stream, _) = listener.accept().await?;
        let much = Rc::clone(&much);
        tokio::task::spawn_local(async move {
            // A client that goes away in the middle is how each of these connections ends.
            let _ = answer(stream, kind, &much).await;
        });
    }
}

async fn answer(mut stream: TcpStream, kind: Use, much: &[u8]) -> io::Result<()> {
    let mut said = [0; 4096];
    if stream.read(&mut said).await? == 0 {
        return Ok(());
    }
    match kind {
        Use::Short => stream.write_all(&WORD).await?,
        Use::Bulk => loop {
            stream.write_all(much).await?;
        },
    }
    while stream.read(&mut said).await? > 0 {}
    Ok(())
}

/// Opens so many connections at once for so long, each of which says `hello` first. The answer is how many were served, or how
/// many bytes came.
///
/// # Errors
/// If a connection ends before it was served.
pub async fn come(
    address: SocketAddr,
    hello: Arc<[u8]>,
    kind: Use,
    at_once: usize,
    time: Duration,
) -> io::Result<u64> {
    let end = Instant::now() + time;
    let all = Rc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..at_once)
        .map(|_| {
            let (hello, all) = (Arc::clone(&hello), Rc::clone(&all));
            tokio::task::spawn_local(async move {
                match kind {
                    Use::Short => short(address, &hello, end, &all).await,
                    Use::Bulk => bulk(address, &hello, end, &all).await,
                }
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(all.load(Ordering::Relaxed))
}

/// Asks for `/` over so many connections of HTTP/1.1 with TLS for so long, one request after the other on each. The answer is
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
    let clients: Vec<_> = (0..at_once)
        .map(|_| {
            let (tls, name, all) = (tls.clone(), name.clone(), Rc::clone(&all));
            tokio::task::spawn_local(async move {
                let mut stream = tls.connect(name, TcpStream::connect(address).await?).await?;
                while Instant::now() < end {
                    stream.write_all(REQUEST).await?;
                    answered(&mut stream).await?;
                    all.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, io::Error>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(all.load(Ordering::Relaxed))
}

/// Opens so many connections with TLS that each got an answer to a request over HTTP/1.1, and keeps them.
///
/// # Errors
/// If one of them is not served.
pub async fn idle_after_a_request(
    address: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
    count: usize,
) -> io::Result<Vec<TlsStream<TcpStream>>> {
    let mut kept = Vec::new();
    for _ in 0..count {
        let mut stream = tls.connect(name.clone(), TcpStream::connect(address).await?).await?;
        stream.write_all(REQUEST).await?;
        answered(&mut stream).await?;
        kept.push(stream);
    }
    Ok(kept)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: app.test\r\nuser-agent: bench\r\naccept: */*\r\n\r\n";

/// Reads an answer that has a `content-length`.
async fn answered<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut answer = Vec::with_capacity(1024);
    let head = loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(answer.get(..head).unwrap_or_default()).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200 ") {
        return Err(wrong(&text));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let length = length.ok_or_else(|| wrong("no content-length"))?;
    while answer.len() < head + length {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

async fn short(address: SocketAddr, hello: &[u8], end: Instant, all: &AtomicU64) -> io::Result<()> {
    while Instant::now() < end {
        greeted(address, hello).await?;
        all.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A connection that has got its word.
async fn greeted(address: SocketAddr, hello: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(hello).await?;
    stream.read_exact(&mut [0; WORD.len()]).await?;
    Ok(stream)
}

async fn bulk(address: SocketAddr, hello: &[u8], end: Instant, all: &AtomicU64) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(hello).await?;
    let mut much = vec![0; PIECE];
    while Instant::now() < end {
        match stream.read(&mut much).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => all.fetch_add(bytes as u64, Ordering::Relaxed),
        };
    }
    Ok(())
}

/// Opens so many connections that each got a word, and keeps them.
///
/// # Errors
/// If one of them is not served.
pub async fn idle(address: SocketAddr, hello: &[u8], count: usize) -> io::Result<Vec<TcpStream>> {
    let mut kept = Vec::new();
    for _ in 0..count {
        kept.push(greeted(address, hello).await?);
    }
    Ok(kept)
}

/// Makes TLS handshakes, so many at once and for so long; how many were completed.
///
/// # Errors
/// If one of them fails.
pub async fn shake_hands(
    address: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
    at_once: usize,
    time: Duration,
) -> io::Result<u64> {
    let end = Instant::now() + time;
    let clients: Vec<_> = (0..at_once)
        .map(|_| {
            let (tls, name) = (tls.clone(), name.clone());
            tokio::task::spawn_local(async move {
                let mut count = 0;
                while Instant::now() < end {
                    let stream = TcpStream::connect(address).await?;
                    let mut stream = tls.connect(name.clone(), stream).await?;
                    // A server that verifies a client's certificate may refuse it after its own last message, by an alert;
                    // some answer the end of a connection with their own, and others just go.
                    stream.shutdown().await?;
                    match stream.read_to_end(&mut Vec::new()).await {
                        Ok(_) => count += 1,
                        Err(gone) if gone.kind() == io::ErrorKind::UnexpectedEof => count += 1,
                        Err(refused) => return Err(refused),
                    }
                }
                Ok::<u64, io::Error>(count)
            })
        })
        .collect();
    let mut all = 0;
    for client in clients {
        all += client.await??;
    }
    Ok(all)
}
