//! A TCP connection that reads in small pieces, hardly anything while memory is full, and tells its place what moves.

use crate::files::Other;
use crate::growing::Growing;
use crate::listen::prepare;
use crate::memory::{self, Backlog, Buffers, Level};
use crate::pipe::Pipe;
use crate::place::{Leaving, Place};
use crate::queue;
use crate::receive::{PIECE, Receive, SMALL_PIECE};
use socket2::SockRef;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Interest, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How soon it is looked again whether there is room for more from a client, and how long an upstream waits for its next
/// piece while there is none. It does not wait for room, since only an answer that goes on shows which clients do not
/// read it, and they are who has to leave (see `room`).
const PAUSE: Duration = Duration::from_millis(20);
const SELDOM: Duration = Duration::from_millis(25);

/// A connection, from a client or to an upstream. The bound holds in both directions: what an upstream sends to a client
/// that does not read fills memory as well as what a client sends.
#[derive(Debug)]
pub(crate) struct Paced {
    stream: Take<TcpStream>,
    /// A client's place; upstreams have none, since closing a connection to them frees less than closing the client's.
    place: Option<Rc<Place>>,
    pause: Option<Pin<Box<Sleep>>>,
    reads: Reads,
    /// How much is read at once while there is room, in bytes.
    piece: u64,
    /// What is kept of an upstream's answer and may be more once there is room.
    narrow: Option<Narrow>,
    /// Whether more of it is kept once it goes through a pipe.
    widens: bool,
    /// Whether more has come than was read; only of upstreams.
    backlog: Option<Backlog>,
    /// Until it shows in what memory is used: a connection for the answer to one client.
    growing: Option<Growing>,
    options: Options,
    _counted: Option<Other>,
}

/// Whether the connection was prepared (see `listen`). Its options are about what is written while something before it is on
/// its way, and most connections of bytes are written to once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Options {
    /// It was, or is not to be.
    Set,
    /// With the next write but one.
    AfterOne,
    /// With the next write.
    Now,
}

/// When a connection is read from while memory is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Once there is room.
    WithRoom,
    /// Seldom.
    Seldom,
    /// As ever: probes come from whoever would end the proxy if it did not answer.
    Always,
}

/// A connection to an upstream whose bound changes when much was read of it, and how much that is so far, in bytes.
#[derive(Debug)]
struct Narrow {
    receive: Receive,
    read: u64,
}

/// From how many bytes on a connection is worth being made wider. Most have come to their end by then.
const LONG: u64 = 64 * 1024;

impl Narrow {
    /// So many more bytes were read; what may be kept of the connection from now on, if there is room for more.
    fn wider(&mut self, bytes: usize) -> Option<(Receive, u64)> {
        self.read = self.read.saturating_add(bytes as u64);
        if self.read < LONG {
            return None;
        }
        if self.receive.is_late() {
            return Some((self.receive, 0));
        }
        if memory::buffers() == Buffers::Smallest {
            return None;
        }
        let later = self.receive.later()?;
        let more = later.grown().saturating_sub(self.receive.grown());
        queue::may_grow(more).then_some((later, more))
    }
}

impl Paced {
    /// The connection of a client.
    pub(crate) fn from_client(stream: TcpStream, place: &Rc<Place>) -> Self {
        Paced::new(stream, Some(Rc::clone(place)), Reads::WithRoom)
    }

    /// A connection to an upstream, of which so much is kept that came and was not read; for the answer to one client it is
    /// `growing`.
    pub(crate) fn to_upstream(stream: TcpStream, receive: Receive, growing: Option<Growing>) -> Self {
        let mut paced = Paced::new(stream, None, Reads::Seldom);
        paced.piece = receive.piece();
        let changes = receive.later().is_some() || receive.is_late();
        paced.narrow = changes.then_some(Narrow { receive, read: 0 });
        paced.widens = receive.widens();
        paced.backlog = Some(Backlog::new(receive.kept()));
        paced.growing = growing;
        paced._counted = Some(Other::new());
        paced
    }

    /// The same for bytes, on a connection that was not prepared.
    pub(crate) fn for_bytes(
        stream: TcpStream,
        receive: Receive,
        growing: Option<Growing>,
        was_written_to: bool,
    ) -> Self {
        let mut paced = Paced::to_upstream(stream, receive, growing);
        paced.options = if was_written_to { Options::Now } else { Options::AfterOne };
        paced
    }

    /// A connection on which probes and metrics are asked for.
    pub(crate) fn from_operator(stream: TcpStream, place: &Rc<Place>) -> Self {
        Paced::new(stream, Some(Rc::clone(place)), Reads::Always)
    }

    fn new(stream: TcpStream, place: Option<Rc<Place>>, reads: Reads) -> Self {
        Paced {
            stream: stream.take(PIECE),
            place,
            pause: None,
            reads,
            piece: PIECE,
            narrow: None,
            widens: false,
            backlog: None,
            growing: None,
            options: Options::Set,
            _counted: None,
        }
    }

    /// The connection itself.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// The connection itself, to write to it.
    fn writer(&mut self) -> Pin<&mut TcpStream> {
        self.prepare_if_due();
        Pin::new(self.stream.get_mut())
    }

    /// Something is written now.
    fn prepare_if_due(&mut self) {
        match self.options {
            Options::Set => {}
            Options::AfterOne => self.options = Options::Now,
            Options::Now => {
                prepare(self.tcp());
                self.options = Options::Set;
            }
        }
    }

    /// Returns once something may be read, and how much.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut piece = self.piece;
        while self.reads != Reads::Always && memory::level() == Level::Full {
            let is_seldom = self.reads == Reads::Seldom;
            let wait = if is_seldom { SELDOM } else { PAUSE };
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
            if is_seldom {
                piece = SMALL_PIECE;
                break;
            }
        }
        self.pause = None;
        Poll::Ready(piece)
    }

    /// Makes a connection wider of which so many bytes more were read, if there is room.
    fn widen(&mut self, bytes: usize) {
        if let Some((receive, more)) = self.narrow.as_mut().and_then(|narrow| narrow.wider(bytes)) {
            self.narrow = None;
            self.keep(receive, more);
        }
    }

    /// Makes a connection wider that goes through a pipe, which takes as much at once as has come, if there is much room.
    fn widen_for_pipe(&mut self) {
        if !self.widens || self.narrow.is_some() || memory::buffers() != Buffers::Large {
            return;
        }
        self.widens = false;
        let receive = Receive::piped();
        let now = self.backlog.as_ref().map_or(0, Backlog::kept);
        let more = receive.kept().saturating_sub(now);
        if queue::may_grow(more) {
            self.keep(receive, more);
        }
    }

    /// Keeps as much of it from now on, which may come to so many bytes more.
    fn keep(&mut self, receive: Receive, more: u64) {
        let bound = receive.bound().and_then(|bytes| usize::try_from(bytes).ok());
        // A kernel that refuses leaves the connection slow.
        let _ = bound.map(|bytes| SockRef::from(self.tcp()).set_recv_buffer_size(bytes));
        self.piece = receive.piece();
        self.backlog.iter_mut().for_each(|backlog| backlog.grow(receive.kept()));
        self.growing = Some(Growing::new(more));
    }

    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Some(place) = &self.place {
            match &result {
                Poll::Pending => place.takes_nothing(Instant::now()),
                Poll::Ready(_) => place.took(Instant::now()),
            }
        }
        result
    }
}

impl Drop for Paced {
    /// The kernel would keep what a client does not read after the end of its connection, for as long as that client asks
    /// for patience: nothing would become free.
    fn drop(&mut self) {
        if self.place.as_ref().is_some_and(|place| place.why_told() == Some(Leaving::Unread)) {
            let _ = self.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.poll_room(cx));
        self.stream.set_limit(piece);
        let most = usize::try_from(piece).unwrap_or(usize::MAX).min(buffer.remaining());
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let got = buffer.filled().len() - before;
        self.got(got, result.is_ready() && got == most);
        if let (Poll::Ready(_), Some(place)) = (&result, &self.place) {
            place.sent(Instant::now());
        }
        result
    }
}

impl Paced {
    /// Notes what a read brought, and whether that was all that was asked for.
    fn got(&mut self, bytes: usize, is_all: bool) {
        if let Some(backlog) = &mut self.backlog {
            backlog.set(is_all);
        }
        if self.growing.as_mut().is_some_and(|growing| growing.shows(bytes)) {
            self.growing = None;
        }
        self.widen(bytes);
    }

    /// Moves what has come into a pipe; 0 bytes are the end. As much as the pipe holds is moved at once while there is
    /// room, and nothing while there is little: whoever asks reads in pieces then.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.widen_for_pipe();
        let tcp = self.stream.get_ref();
        let result = loop {
            match tcp.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            match tcp.try_io(Interest::READABLE, || pipe.fill(tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                moved => break Poll::Ready(moved),
            }
        };
        let got = match &result {
            Poll::Ready(Ok(bytes)) => *bytes,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        // The buffer may be as full again.
        self.got(got, got > 0);
        if let (Poll::Ready(_), Some(place)) = (&result, &self.place) {
            place.sent(Instant::now());
        }
        result
    }

    /// Moves what is in a pipe to the other end, as much of it as that takes.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.prepare_if_due();
        let tcp = self.stream.get_ref();
        let result = loop {
            match tcp.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            match tcp.try_io(Interest::WRITABLE, || pipe.drain(tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                moved => break Poll::Ready(moved),
            }
        };
        self.wrote(result)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.writer().poll_write(cx, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = self.writer().poll_write_vectored(cx, slices);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Spoken;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    /// How a connection ends for a client that begins to read only afterwards.
    async fn end(why: Leaving) -> io::Result<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let place = Place::new(Instant::now());
        let mut stream = Paced::from_client(listener.accept().await.unwrap().0, &place);
        stream.write_all(&[b'x'; 1000]).await.unwrap();
        // More than all buffers hold.
        let much = vec![b'x'; 32 << 20];
        assert!(tokio::time::timeout(Duration::from_millis(200), stream.write_all(&much)).await.is_err());
        place.leave(why);
        drop(stream);
        client.read_to_end(&mut Vec::new()).await
    }

    #[tokio::test]
    async fn a_connection_that_began_small_grows_once_there_is_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receive = Receive::of(address, Spoken::Http1, Buffers::Smallest);
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(receive.bound().unwrap()).unwrap();
        let mut stream = Paced::to_upstream(socket.connect(address).await.unwrap(), receive, None);
        let (mut application, _) = listener.accept().await.unwrap();
        let kept = |stream: &Paced| SockRef::from(stream.tcp()).recv_buffer_size().unwrap() as u64;
        let mut much = vec![0; usize::try_from(LONG).unwrap()];
        let (_, read) = tokio::join!(application.write_all(&[b'x'; LONG as usize]), async {
            let (all, last) = much.split_at_mut(LONG as usize - 1);
            stream.read_exact(all).await.unwrap();
            assert_eq!((kept(&stream), stream.piece), (receive.kept(), receive.piece()), "most end before");
            stream.read_exact(last).await
        });
        read.unwrap();
        let later = receive.later().unwrap();
        assert_eq!((kept(&stream), stream.piece), (later.kept(), later.piece()));
        assert!(stream.narrow.is_none() && stream.growing.is_some(), "and what it may come to is reserved");
    }

    #[tokio::test]
    async fn a_connection_of_bytes_gets_its_options_and_its_bound_when_they_matter() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receive = Receive::of(address, Spoken::Bytes, Buffers::Large);
        let mut stream = Paced::for_bytes(TcpStream::connect(address).await.unwrap(), receive, None, false);
        let (mut application, _) = listener.accept().await.unwrap();
        let is_prepared = |stream: &Paced| {
            let socket = SockRef::from(stream.tcp());
            (socket.tcp_nodelay().unwrap(), socket.tcp_notsent_lowat().unwrap() == 32 * 1024)
        };
        stream.write_all(b"first").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(is_prepared(&stream), (false, false));
        stream.write_all(b"second").await.unwrap();
        assert_eq!(is_prepared(&stream), (true, true));
        let kept = |stream: &Paced| SockRef::from(stream.tcp()).recv_buffer_size().unwrap() as u64;
        assert!(
            !receive.is_late() || kept(&stream) <= receive.kept(),
            "a new connection has no larger buffer"
        );
        let mut much = vec![0; 4 * LONG as usize];
        let said = much.clone();
        let (_, read) = tokio::join!(application.write_all(&said), stream.read_exact(&mut much));
        read.unwrap();
        assert!(!receive.is_late() || (kept(&stream) == receive.kept() && stream.narrow.is_none()));
    }

    #[tokio::test]
    async fn what_a_client_does_not_read_does_not_outlive_its_connection() {
        assert_eq!(end(Leaving::Unread).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert!(end(Leaving::Idle).await.is_ok_and(|bytes| bytes > 1000), "others get what was written");
    }
}
