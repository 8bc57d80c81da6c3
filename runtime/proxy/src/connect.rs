//! A connection to an endpoint: TCP, then mutual TLS if the group wants it, within one time limit.

use crate::balance::Picked;
use crate::growing::Growing;
use crate::listen::{prepare, watch};
use crate::memory;
use crate::metrics::Metrics;
use crate::paced::Paced;
use crate::patience;
use crate::queue;
use crate::receive::Receive;
use crate::tls::ToServer;
use crate::upstream::{Group, Spoken};
use rustls_pki_types::ServerName;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// An open connection to an endpoint.
pub(crate) enum Upward {
    /// Plaintext.
    Plain(Paced),
    /// Mutual TLS: in a box, so that a plain one does not take as much.
    Tls(Box<ToServer<Paced>>),
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectFailure {
    /// One word, for metrics.
    pub(crate) reason: &'static str,
    /// A sentence for the log.
    pub(crate) message: String,
}

/// What a failure is called that is this machine's own: it has no descriptor, memory or port left.
const EXHAUSTED: &str = "exhausted";

/// Linux' numbers for that: ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL.
const OUT_OF_SOMETHING: [i32; 4] = [12, 23, 24, 99];

impl ConnectFailure {
    /// Whether it says something about the endpoint; if not, no endpoint would have done better.
    pub(crate) fn is_endpoints(&self) -> bool {
        self.reason != EXHAUSTED
    }
}

/// Connects to an endpoint in order to speak `spoken`.
pub(crate) async fn connect(
    picked: &Picked,
    spoken: Spoken,
    metrics: &Metrics,
) -> Result<Upward, ConnectFailure> {
    let connected = connect_through(picked, spoken, receive(picked, spoken), &[], metrics).await;
    connected.map(|(stream, _)| stream)
}

/// Connects; so much is kept of what is received. How much of `first` was sent already is in the result.
async fn connect_through(
    picked: &Picked,
    spoken: Spoken,
    receive: Receive,
    first: &[u8],
    metrics: &Metrics,
) -> Result<(Upward, usize), ConnectFailure> {
    let limit = picked.upstream.config.connect_timeout;
    let result = match patience::within(limit, attempt(picked, spoken, receive, None, first)).await {
        Some(result) => result,
        None => Err(ConnectFailure {
            reason: "timeout",
            message: format!(
                "{} did not answer within {limit:?}; maybe a NetworkPolicy or firewall drops packets to that port",
                picked.endpoint.address
            ),
        }),
    };
    if let Err(failure) = &result {
        metrics.connect_failures.add(&[&picked.upstream.name, picked.group_name(), failure.reason], 1);
    }
    result
}

/// The same once there is room for what the endpoint may send: a connection for the answer to one client.
pub(crate) async fn connect_for_client(
    picked: &Picked,
    spoken: Spoken,
    metrics: &Metrics,
) -> Result<Upward, ConnectFailure> {
    let connected = connect_and_say(picked, spoken, &[], metrics).await;
    connected.map(|(stream, _)| stream)
}

/// The same for bytes, of which the `first` are there. They are sent at once where the endpoint is so near that it has
/// answered by then, which saves waiting to be told so. How many were sent is in the result.
pub(crate) async fn connect_for_bytes(
    picked: &Picked,
    first: &[u8],
    metrics: &Metrics,
) -> Result<(Upward, usize), ConnectFailure> {
    connect_and_say(picked, Spoken::Bytes, first, metrics).await
}

async fn connect_and_say(
    picked: &Picked,
    spoken: Spoken,
    first: &[u8],
    metrics: &Metrics,
) -> Result<(Upward, usize), ConnectFailure> {
    let receive = receive(picked, spoken);
    if queue::room_for_upstream(receive.grown()).await {
        return connect_through(picked, spoken, receive, first, metrics).await;
    }
    metrics.connect_failures.add(&[&picked.upstream.name, picked.group_name(), EXHAUSTED], 1);
    Err(ConnectFailure { reason: EXHAUSTED, message: "memory is full".to_owned() })
}

/// Connects to an endpoint in order to check it, by the server name of checks. Whoever checks bounds the time, and counts.
pub(crate) async fn connect_to_check(
    picked: &Picked,
    spoken: Spoken,
    sni: &str,
) -> Result<Upward, ConnectFailure> {
    let connected = attempt(picked, spoken, receive(picked, spoken), Some(sni), &[]).await;
    connected.map(|(stream, _)| stream)
}

/// What is kept of a connection that is opened now.
fn receive(picked: &Picked, spoken: Spoken) -> Receive {
    Receive::of(picked.endpoint.address, spoken, memory::buffers())
}

/// Connects, and sends what it can of `first` if the connection is there at once: over loopback it is, and the kernel does not
/// say so by itself. How much was sent is in the result.
async fn open_and_say(address: SocketAddr, receive: Receive, first: &[u8]) -> io::Result<(TcpStream, usize)> {
    if first.is_empty() || !address.ip().is_loopback() {
        return Ok((open(address, receive).await?, 0));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    if let Some(bytes) = receive.bound().filter(|_| !receive.is_late()) {
        socket.set_recv_buffer_size(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let sent = match socket.send(first) {
        Ok(sent) => Some(sent),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => return Err(error),
    };
    let stream = TcpStream::from_std(socket.into())?;
    if sent.is_none() {
        stream.writable().await?;
        stream.take_error()?.map_or(Ok(()), Err)?;
    }
    Ok((stream, sent.unwrap_or(0)))
}

/// Linux' number for a connection that is being made: EINPROGRESS.
const IN_PROGRESS: i32 = 115;

async fn open(address: SocketAddr, receive: Receive) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = receive.bound().filter(|_| !receive.is_late()) {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(address).await
}

/// A connection by the server name of the group, unless there is another one; with how much of `first` was sent already,
/// which is nothing over TLS.
async fn attempt(
    picked: &Picked,
    spoken: Spoken,
    receive: Receive,
    other: Option<&str>,
    first: &[u8],
) -> Result<(Upward, usize), ConnectFailure> {
    let address = picked.endpoint.address;
    let first = if picked.group().is_none_or(Group::is_plain) { first } else { &[] };
    let opened = open_and_say(address, receive, first).await;
    let (stream, sent) = opened.map_err(|error| ConnectFailure {
        reason: match error.raw_os_error() {
            Some(number) if OUT_OF_SOMETHING.contains(&number) => EXHAUSTED,
            _ if error.kind() == io::ErrorKind::ConnectionRefused => "refused",
            _ => "unreachable",
        },
        message: format!("cannot connect to {address}: {error}"),
    })?;
    match spoken {
        Spoken::Http1 | Spoken::Http2 => {
            prepare(&stream);
            watch(&stream);
        }
        // Most connections of bytes are short: they are prepared with their second write (see `paced`), and whoever relays
        // them sees when one stays.
        Spoken::Bytes => {}
    }
    let growing = match spoken {
        Spoken::Http1 | Spoken::Bytes => Some(Growing::new(receive.grown())),
        // Streams that share a connection grow in its buffers, which have a bound of their own.
        Spoken::Http2 => None,
    };
    let stream = match spoken {
        Spoken::Http1 | Spoken::Http2 => Paced::to_upstream(stream, receive, growing),
        Spoken::Bytes => Paced::for_bytes(stream, receive, growing, sent > 0),
    };
    let group = picked.group();
    let Some(group) = group.filter(|group| !group.is_plain()) else {
        return Ok((Upward::Plain(stream), sent));
    };
    let Some((config, sni)) = group.tls(spoken) else {
        return Err(ConnectFailure { reason: "tls", message: "no certificate was loaded".into() });
    };
    let sni = other.unwrap_or(sni);
    let name = ServerName::try_from(sni.to_owned()).map_err(|error| ConnectFailure {
        reason: "tls",
        message: format!("`{sni}` cannot be sent as a server name: {error}"),
    })?;
    let handshake = Box::pin(ToServer::connect(config, name, stream)).await;
    handshake
        .map(|stream| (Upward::Tls(Box::new(stream)), 0))
        .map_err(|error| not_proved(address, sni, &error))
}

/// A connection to an endpoint for what this proxy asks by itself over HTTP/2, which no client waits for alone and which may
/// move between threads: mutual TLS, without which the mesh has nothing that it asks.
pub(crate) async fn connect_for_itself(picked: &Picked) -> Result<ToServer<TcpStream>, ConnectFailure> {
    let address = picked.endpoint.address;
    let limit = picked.upstream.config.connect_timeout;
    let attempt = async {
        let unreachable = |error: io::Error| ConnectFailure {
            reason: "unreachable",
            message: format!("cannot connect to {address}: {error}"),
        };
        let receive = Receive::of(address, Spoken::Http2, memory::Buffers::Large);
        let stream = open(address, receive).await.map_err(unreachable)?;
        prepare(&stream);
        watch(&stream);
        let tls = picked.group().and_then(|group| group.tls(Spoken::Http2));
        let name =
            tls.and_then(|(config, sni)| Some((config, sni, ServerName::try_from(sni.to_owned()).ok()?)));
        let Some((config, sni, name)) = name else {
            return Err(ConnectFailure { reason: "tls", message: "no certificate was loaded".into() });
        };
        let handshake = ToServer::connect(config, name, stream).await;
        handshake.map_err(|error| not_proved(address, sni, &error))
    };
    let late = || ConnectFailure { reason: "timeout", message: format!("{address} did not answer in time") };
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(late()))
}

fn not_proved(address: SocketAddr, sni: &str, error: &io::Error) -> ConnectFailure {
    ConnectFailure {
        reason: "tls",
        message: format!(
            "{address} did not prove to be what is expected of `{sni}`: {}",
            crate::tls::problem(error)
        ),
    }
}

impl AsyncRead for Upward {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Upward::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Upward::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Upward {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Upward::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Upward::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Upward::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Upward::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Upward::Plain(stream) => stream.is_write_vectored(),
            Upward::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Upward::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Upward::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Upward::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Upward::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_is_there_is_sent_with_the_connection_or_not_at_all() -> io::Result<()> {
        let application = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = application.local_addr()?;
        let receive = Receive::of(address, Spoken::Bytes, memory::Buffers::Large);
        let (mut stream, sent) = open_and_say(address, receive, b"hello").await?;
        assert_eq!(sent, 5, "over loopback the connection is there at once");
        let (mut accepted, _) = application.accept().await?;
        let mut heard = [0; 5];
        accepted.read_exact(&mut heard).await?;
        assert_eq!(&heard, b"hello");
        drop(accepted);
        assert_eq!(stream.read(&mut heard).await?, 0);
        drop(application);
        let refused = open_and_say(address, receive, b"hello").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        Ok(())
    }

    #[tokio::test]
    async fn what_an_application_sends_fills_a_bounded_buffer() -> io::Result<()> {
        let application = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = application.local_addr()?;
        let receive = Receive::of(address, Spoken::Http1, memory::Buffers::Large);
        let stream = open(address, receive).await?.into_std()?;
        let bound = TcpSocket::from_std_stream(stream).recv_buffer_size()?;
        assert_eq!(u64::from(bound), receive.kept(), "the kernel takes twice as much");
        Ok(())
    }
}
