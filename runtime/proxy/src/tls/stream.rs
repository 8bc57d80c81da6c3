//! TLS around a connection, through the part of rustls that keeps no buffers: what comes is read into a buffer of the thread, and
//! a connection has one of its own only for what is not complete, not read, or not written.

use super::shared::{Shared, WHOLE, with_shared};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Either end's part of rustls.
pub(crate) trait End {
    /// What rustls keeps for it.
    type Data;

    /// Looks at what came.
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What both ends have.
    fn common(&self) -> &CommonState;
}

impl End for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &CommonState {
        self.deref().deref()
    }
}

impl End for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &CommonState {
        self.deref().deref()
    }
}

/// A connection with TLS around it, from a client.
pub(crate) type OfClient<S> = TlsStream<S, UnbufferedServerConnection>;

/// A connection with TLS around it, to a server.
pub(crate) type ToServer<S> = TlsStream<S, UnbufferedClientConnection>;

/// A connection with TLS around it, once both ends know each other.
pub(crate) struct TlsStream<S, E> {
    stream: S,
    tls: Box<Session<E>>,
}

/// What there is of TLS.
struct Session<E> {
    end: E,
    /// Records that are not complete.
    incoming: Vec<u8>,
    /// What was decrypted and not read.
    plain: Remaining,
    /// What was encrypted and not written.
    outgoing: Remaining,
    /// Whether the other end has said that this was all.
    is_complete: bool,
    /// Whether this end has said so.
    is_shut: bool,
    /// Why nothing more is read or written.
    broken: Option<Error>,
}

/// Bytes of which the first may be gone. It holds no memory once all are.
#[derive(Default)]
struct Remaining {
    bytes: Vec<u8>,
    gone: usize,
}

impl Remaining {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.gone..).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.gone >= self.bytes.len()
    }

    fn goes(&mut self, count: usize) {
        self.gone += count;
        if self.is_empty() {
            *self = Remaining::default();
        }
    }

    /// Puts `more` into `into` as long as there is room, and the rest of it behind what is there.
    fn take(&mut self, more: &[u8], into: &mut ReadBuf<'_>) {
        let fits = if self.is_empty() { into.remaining().min(more.len()) } else { 0 };
        let (now, later) = more.split_at_checked(fits).unwrap_or((more, &[]));
        into.put_slice(now);
        self.bytes.extend_from_slice(later);
    }

    /// Makes room behind the rest and has it filled, asking again with as much room as is needed.
    fn fill<F>(&mut self, mut write: F) -> Result<(), Error>
    where
        F: FnMut(&mut [u8]) -> Result<usize, Room>,
    {
        let before = self.bytes.len();
        let mut room = 0;
        loop {
            self.bytes.resize(before + room, 0);
            match write(self.bytes.get_mut(before..).unwrap_or_default()) {
                Ok(count) => {
                    self.bytes.truncate(before + count);
                    return Ok(());
                }
                Err(Room::Needed(more)) if more > room => room = more,
                Err(Room::Needed(_) | Room::Never) => {
                    self.bytes.truncate(before);
                    return Err(Error::EncryptError);
                }
            }
        }
    }
}

/// Why nothing was written.
enum Room {
    /// It takes so much room.
    Needed(usize),
    /// It cannot be written.
    Never,
}

impl From<EncodeError> for Room {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Room::Needed(required_size)
            }
            EncodeError::AlreadyEncoded => Room::Never,
        }
    }
}

impl From<EncryptError> for Room {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Room::Needed(required_size)
            }
            EncryptError::EncryptExhausted => Room::Never,
        }
    }
}

impl<E: End> Session<E> {
    fn new(end: E) -> Box<Self> {
        Box::new(Session {
            end,
            incoming: Vec::new(),
            plain: Remaining::default(),
            outgoing: Remaining::default(),
            is_complete: false,
            is_shut: false,
            broken: None,
        })
    }

    /// Looks at `new` behind what is there; what is decrypted goes into `into` as long as there is room.
    fn receive(&mut self, new: &mut [u8], into: &mut ReadBuf<'_>) -> Result<(), Error> {
        if self.incoming.is_empty() {
            let used = self.look(new, into, |_| Ok(()))?;
            self.incoming = new.get(used..).unwrap_or_default().to_vec();
            return Ok(());
        }
        let mut incoming = mem::take(&mut self.incoming);
        incoming.extend_from_slice(new);
        let used = self.look(&mut incoming, into, |_| Ok(()))?;
        if used < incoming.len() {
            incoming.drain(..used);
            self.incoming = incoming;
        }
        Ok(())
    }

    /// Has `write` write something, if anything may be written now.
    fn send<F>(&mut self, write: F) -> Result<(), Error>
    where
        F: FnOnce(&mut WriteTraffic<'_, E::Data>) -> Result<(), Error>,
    {
        // What is not complete stays where it is: rustls remembers how much of it it has seen.
        let mut incoming = mem::take(&mut self.incoming);
        let used = self.look(&mut incoming, &mut ReadBuf::new(&mut []), write)?;
        incoming.drain(..used);
        self.incoming = incoming;
        Ok(())
    }

    /// Does what there is to do, and says how much of `incoming` is done with. After an error there is an alert in what is outgoing,
    /// if the other end is to be told, and nothing is looked at any more.
    fn look<F>(&mut self, incoming: &mut [u8], into: &mut ReadBuf<'_>, write: F) -> Result<usize, Error>
    where
        F: FnOnce(&mut WriteTraffic<'_, E::Data>) -> Result<(), Error>,
    {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let mut used = 0;
        loop {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.end.process(rest);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        self.plain.take(record?.payload, into);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    self.outgoing.fill(|room| data.encode(room).map_err(Room::from))?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_complete = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) if self.broken.is_none() => {
                    write(&mut traffic)?;
                    return Ok(used + discard);
                }
                Err(error) if self.broken.is_none() => self.broken = Some(error),
                Ok(_) | Err(_) => return self.broken.clone().map_or(Ok(used + discard), Err),
            }
            used += discard;
            // All that is still wanted then is the alert.
            if let Some(error) = self.broken.as_ref().filter(|_| !self.end.common().wants_write()) {
                return Err(error.clone());
            }
        }
    }
}

impl<S, E> TlsStream<S, E> {
    /// The connection itself.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> OfClient<S> {
    /// Ends the TLS of a client.
    pub(crate) async fn accept(config: Arc<ServerConfig>, stream: S) -> io::Result<Self> {
        let end = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        TlsStream { stream, tls: Session::new(end) }.shake_hands().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ToServer<S> {
    /// Begins TLS with a server of this name.
    pub(crate) async fn connect(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        stream: S,
    ) -> io::Result<Self> {
        let end = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        TlsStream { stream, tls: Session::new(end) }.shake_hands().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, E: End> TlsStream<S, E> {
    /// The chain that the other end has shown.
    pub(crate) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.end.common().peer_certificates()
    }

    async fn shake_hands(mut self) -> io::Result<Self> {
        self.tls.send(|_| Ok(())).map_err(broken)?;
        poll_fn(|cx| self.poll_handshake(cx)).await?;
        Ok(self)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let written = self.poll_outgoing(cx)?;
            if !self.tls.end.common().is_handshaking() {
                ready!(written);
                return Pin::new(&mut self.stream).poll_flush(cx);
            }
            if written.is_ready() {
                let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
            }
            if ready!(self.poll_more(cx, &mut ReadBuf::new(&mut [])))? == 0 {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
                return Poll::Ready(Err(error));
            }
        }
    }

    /// Reads more of what the other end sends; how many bytes of it, and none at the end of the connection.
    fn poll_more(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        if let Some(error) = &self.tls.broken {
            return Poll::Ready(Err(broken(error.clone())));
        }
        with_shared(|shared| {
            let mut read = ReadBuf::new(&mut shared.read);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let (new, before) = (read.filled_mut(), into.filled().len());
            let count = new.len();
            if count > 0
                && let Err(error) = self.tls.receive(new, into)
            {
                // The other end is told why, if it can be told at once.
                let _ = self.poll_outgoing(cx);
                // What came in order before that is read first.
                if into.filled().len() == before && self.tls.plain.is_empty() {
                    return Poll::Ready(Err(broken(error)));
                }
                self.tls.broken.get_or_insert(error);
            }
            Poll::Ready(Ok(count))
        })
    }

    /// Writes what is encrypted.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = &mut self.tls.outgoing;
        while !outgoing.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, outgoing.rest()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outgoing.goes(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts `bytes`, and writes what goes at once.
    fn encrypt(&mut self, cx: &mut Context<'_>, bytes: &[u8], room: &mut Vec<u8>) -> io::Result<usize> {
        let bytes = bytes.get(..WHOLE).unwrap_or(bytes);
        let mut encrypted = None;
        let into = &mut *room;
        let sent = self.tls.send(|traffic| {
            let mut result = traffic.encrypt(bytes, into);
            if let Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) = result {
                into.resize(required_size, 0);
                result = traffic.encrypt(bytes, into);
            }
            encrypted = Some(result.map_err(|_| Error::EncryptError)?);
            Ok(())
        });
        sent.map_err(broken)?;
        let Some(count) = encrypted else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut rest = room.get(..count).unwrap_or_default();
        // What rustls has to say by itself goes first; it is there seldom.
        while self.tls.outgoing.is_empty() && !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.tls.outgoing.bytes.extend_from_slice(rest);
        Ok(bytes.len())
    }
}

fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<S: AsyncRead + AsyncWrite + Unpin, E: End + Unpin> AsyncRead for TlsStream<S, E> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !this.tls.plain.is_empty() {
            let plain = this.tls.plain.rest();
            let count = plain.len().min(buffer.remaining());
            buffer.put_slice(plain.get(..count).unwrap_or_default());
            this.tls.plain.goes(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        while buffer.filled().len() == before && !this.tls.is_complete {
            if ready!(this.poll_more(cx, buffer))? == 0 {
                // Somebody else may have cut it off.
                let cut = "peer closed connection without sending TLS close_notify";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, E: End + Unpin> AsyncWrite for TlsStream<S, E> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_outgoing(cx))?;
        with_shared(|shared| Poll::Ready(self.encrypt(cx, bytes, &mut shared.encrypted)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let (Some(first), second) = (filled.next(), filled.next()) else { return Poll::Ready(Ok(0)) };
        if second.is_none() || first.len() >= WHOLE {
            return self.poll_write(cx, first);
        }
        ready!(self.poll_outgoing(cx))?;
        with_shared(|shared| {
            let Shared { read: _, encrypted, gathered } = shared;
            gathered.clear();
            for slice in slices {
                let room = WHOLE - gathered.len();
                gathered.extend_from_slice(slice.get(..room).unwrap_or(slice));
            }
            Poll::Ready(self.encrypt(cx, gathered, encrypted))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind an alert nothing is said.
        if !mem::replace(&mut self.tls.is_shut, true) && self.tls.broken.is_none() {
            let mut farewell = Remaining::default();
            let said = self
                .tls
                .send(|traffic| farewell.fill(|room| traffic.queue_close_notify(room).map_err(Room::from)));
            said.map_err(broken)?;
            self.tls.outgoing.bytes.extend_from_slice(farewell.rest());
        }
        ready!(self.poll_outgoing(cx))?;
        match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
            // It has ended already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    /// Configurations of both ends; the client shows a certificate if the server asks for one.
    fn configs(
        asks: bool,
        shows: bool,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let private = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let roots = Arc::new(roots);
        let provider = crate::tls::provider;
        let server =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        let server = if asks {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider());
            server.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            server.with_no_client_auth()
        };
        let mut server = server.with_single_cert(vec![certificate.der().clone()], private()).unwrap();
        // They would be on their way while nobody reads.
        server.send_tls13_tickets = 0;
        let client =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        let client = client.with_root_certificates(roots);
        let client = if shows {
            client.with_client_auth_cert(vec![certificate.der().clone()], private()).unwrap()
        } else {
            client.with_no_client_auth()
        };
        (Arc::new(server), Arc::new(client))
    }

    const BOTH: [&[&rustls::SupportedProtocolVersion]; 2] =
        [&[&rustls::version::TLS13], &[&rustls::version::TLS12]];

    type Pair = (OfClient<DuplexStream>, ToServer<DuplexStream>);

    /// Both ends over connections that take so many bytes at a time.
    async fn pair(room: usize, versions: &[&'static rustls::SupportedProtocolVersion]) -> Pair {
        let (server, client) = configs(true, true, versions);
        let (near, far) = duplex(room);
        let name = ServerName::try_from("a.test").unwrap();
        let (server, client) =
            tokio::join!(OfClient::accept(server, near), ToServer::connect(client, name, far));
        (server.unwrap(), client.unwrap())
    }

    fn holds<S, E>(stream: &TlsStream<S, E>) -> usize {
        let Session { incoming, plain, outgoing, .. } = &*stream.tls;
        incoming.capacity() + plain.bytes.capacity() + outgoing.bytes.capacity()
    }

    #[tokio::test]
    async fn bytes_pass_in_any_pieces_and_nothing_is_held_afterwards() {
        for versions in BOTH {
            for room in [19, 1000, 1 << 20] {
                let (mut server, mut client) = pair(room, versions).await;
                assert_eq!(client.peer_certificates().map(<[_]>::len), Some(1));
                assert_eq!(server.peer_certificates().map(<[_]>::len), Some(1));
                let sent: Vec<u8> =
                    (0..if room < 1000 { 2_000u32 } else { 100_000 }).map(|at| at as u8).collect();
                let mut heard = vec![0; sent.len()];
                let write = async {
                    server.write_all(&sent).await.unwrap();
                    server.flush().await.unwrap();
                };
                tokio::join!(write, async { client.read_exact(&mut heard).await.unwrap() });
                assert!(heard == sent, "{room}");
                client.write_all(b"back").await.unwrap();
                let mut back = [0; 4];
                tokio::join!(async { server.read_exact(&mut back).await.unwrap() }, async {
                    client.flush().await.unwrap()
                });
                assert_eq!((&back, holds(&server), holds(&client)), (b"back", 0, 0));
            }
        }
    }

    #[tokio::test]
    async fn tls_may_be_inside_tls() {
        for room in [1000, 1 << 20] {
            let (outer_server, outer_client) = pair(room, BOTH[0]).await;
            let (server, client) = configs(true, true, BOTH[0]);
            let name = ServerName::try_from("a.test").unwrap();
            let (server, client) = tokio::join!(
                OfClient::accept(server, outer_server),
                ToServer::connect(client, name, outer_client)
            );
            let (mut server, mut client) = (server.unwrap(), client.unwrap());
            let sent: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
            let mut heard = vec![0; sent.len()];
            let write = async {
                let halves = [IoSlice::new(&sent[..7]), IoSlice::new(&sent[7..50_000])];
                let first = server.write_vectored(&halves).await.unwrap();
                server.write_all(&sent[first..]).await.unwrap();
                server.flush().await.unwrap();
            };
            tokio::join!(write, async { client.read_exact(&mut heard).await.unwrap() });
            assert!(heard == sent, "{room}");
        }
    }

    #[tokio::test]
    async fn an_end_is_one_only_if_it_was_said() {
        for versions in BOTH {
            let (mut server, mut client) = pair(1 << 20, versions).await;
            client.write_all(b"all").await.unwrap();
            client.shutdown().await.unwrap();
            let mut heard = String::new();
            server.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "all");
            assert_eq!(server.read(&mut [0; 9]).await.unwrap(), 0, "it stays so");
            // The other direction is still open where TLS allows that.
            server.write_all(b"answer").await.unwrap();
            server.shutdown().await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "answer");

            let (mut server, mut client) = pair(1 << 20, versions).await;
            client.write_all(b"half").await.unwrap();
            drop(client);
            let mut heard = [0; 4];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"half");
            for _ in 0..2 {
                let cut = server.read(&mut [0; 9]).await.unwrap_err();
                assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }

    #[tokio::test]
    async fn what_is_said_with_the_end_of_the_handshake_is_not_lost() {
        let (server, client) = configs(false, false, BOTH[0]);
        let (near, far) = duplex(1 << 20);
        let name = ServerName::try_from("a.test").unwrap();
        let says = async {
            let mut client = ToServer::connect(client, name, far).await.unwrap();
            // Together with the last message of the handshake, as far as the server sees.
            client.write_all(b"at once").await.unwrap();
            client
        };
        let waits = async {
            tokio::task::yield_now().await;
            OfClient::accept(server, near).await.unwrap()
        };
        let (_client, mut server) = tokio::join!(says, waits);
        let mut heard = [0; 7];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"at once");
    }

    #[tokio::test]
    async fn who_is_refused_is_told_why() {
        let (server, client) = configs(true, false, BOTH[0]);
        let (near, far) = duplex(1 << 20);
        let name = ServerName::try_from("a.test").unwrap();
        let (server, client) =
            tokio::join!(OfClient::accept(server, near), ToServer::connect(client, name, far));
        let refused = |error: io::Error| *error.into_inner().unwrap().downcast::<Error>().unwrap();
        assert_eq!(server.map(drop).map_err(refused), Err(Error::NoCertificatesPresented));
        // A client of TLS 1.3 is done before the server has looked.
        let told = client.unwrap().read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(refused(told), Error::AlertReceived(rustls::AlertDescription::CertificateRequired));
    }

    #[tokio::test]
    async fn a_handshake_that_ends_early_is_none() {
        let (server, _) = configs(false, false, BOTH[0]);
        let (near, _) = duplex(1);
        let ended = OfClient::accept(Arc::clone(&server), near).await.map(drop).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
        let (near, mut far) = duplex(1 << 20);
        far.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
        let other = OfClient::accept(server, near).await.map(drop).unwrap_err();
        assert_eq!(other.kind(), io::ErrorKind::InvalidData);
        let mut alert = [0; 7];
        far.read_exact(&mut alert).await.unwrap();
        assert_eq!(alert[0], 21, "an alert");
    }

    #[tokio::test]
    async fn records_that_were_changed_on_the_way_end_the_connection() {
        let (mut server, client) = pair(1 << 20, BOTH[0]).await;
        let mut far = client.stream;
        far.write_all(&[&[23, 3, 3, 0, 30][..], &[0; 30]].concat()).await.unwrap();
        let error = server.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(*error.into_inner().unwrap().downcast::<Error>().unwrap(), Error::DecryptError);
        assert!(server.read(&mut [0; 9]).await.is_err() && server.write_all(b"x").await.is_err());
    }

    #[tokio::test]
    async fn what_came_in_order_is_read_before_the_error_behind_it() {
        for room in [2, 100] {
            let (mut server, mut client) = pair(1 << 20, BOTH[0]).await;
            // One record, and one that nobody has encrypted, in the same read.
            client.write_all(b"order").await.unwrap();
            client.stream.write_all(&[&[23, 3, 3, 0, 30][..], &[0; 30]].concat()).await.unwrap();
            let (mut heard, mut piece) = (Vec::new(), vec![0; room]);
            let error = loop {
                match server.read(&mut piece).await {
                    Ok(count) => heard.extend_from_slice(&piece[..count]),
                    Err(error) => break error,
                }
            };
            assert_eq!((heard.as_slice(), error.kind()), (&b"order"[..], io::ErrorKind::InvalidData));
            server.shutdown().await.unwrap();
            let mut told = Vec::new();
            client.stream.read_to_end(&mut told).await.unwrap();
            assert!(!told.is_empty(), "an alert, and the end");
        }
    }

    #[tokio::test]
    async fn whoever_does_not_read_stops_the_writer() {
        let (mut server, mut client) = pair(1000, BOTH[0]).await;
        let mut written = 0;
        let blocked = poll_fn(|cx| {
            while let Poll::Ready(count) = Pin::new(&mut server).poll_write(cx, &[b'x'; 10_000]) {
                written += count.unwrap();
                assert!(written < 100_000, "there is no end");
            }
            Poll::Ready(holds(&server))
        });
        assert!(blocked.await <= 10_000 + 512);
        let mut heard = vec![0; written];
        let (flushed, read) = tokio::join!(server.flush(), client.read_exact(&mut heard));
        assert_eq!(
            (flushed.is_ok(), read.unwrap(), heard.iter().all(|byte| *byte == b'x')),
            (true, written, true)
        );
    }

    #[tokio::test]
    async fn small_pieces_go_out_as_one() {
        let (mut server, mut client) = pair(1 << 20, BOTH[0]).await;
        let pieces =
            [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
        assert_eq!(server.write_vectored(&pieces).await.unwrap(), 13);
        let mut heard = [0; 100];
        assert_eq!(client.read(&mut heard).await.unwrap(), 13);
        assert_eq!(&heard[..13], b"one two three");
    }
}
