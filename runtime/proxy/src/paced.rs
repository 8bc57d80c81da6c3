//! A TCP connection that reads in small pieces, hardly anything while memory is full, and tells its place what moves.

use crate::files::Upstream;
use crate::growing::Growing;
use crate::memory::{self, Backlog, Level};
use crate::place::{Leaving, Place};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How much is read at once, in bytes. Readers keep buffers twice as large as what they got last, also while nothing
/// comes, so this decides what a connection holds whose answer waits. With half as much a
/// large download costs a third more processor time.
const PIECE: u64 = 32 * 1024;

/// The same from an upstream while memory is full: not enough for a reader to think that it needs a larger buffer.
const SMALL_PIECE: u64 = 8 * 1024 - 1;

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
    /// Whether more has come than was read; only of upstreams.
    backlog: Option<Backlog>,
    /// Until it shows in what memory is used: a connection for the answer to one client.
    growing: Option<Growing>,
    _counted: Option<Upstream>,
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

impl Paced {
    /// The connection of a client.
    pub(crate) fn from_client(stream: TcpStream, place: &Rc<Place>) -> Self {
        Paced::new(stream, Some(Rc::clone(place)), Reads::WithRoom)
    }

    /// A connection to an upstream, of which the kernel keeps so many bytes at most that came and were not read; for the
    /// answer to one client it is `growing`.
    pub(crate) fn to_upstream(stream: TcpStream, kept: u64, growing: Option<Growing>) -> Self {
        let mut paced = Paced::new(stream, None, Reads::Seldom);
        paced.backlog = Some(Backlog::new(kept));
        paced.growing = growing;
        paced._counted = Some(Upstream::new());
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
            backlog: None,
            growing: None,
            _counted: None,
        }
    }

    /// The connection itself.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// The connection itself, to write to it.
    fn writer(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.get_mut())
    }

    /// Returns once something may be read, and how much.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut piece = PIECE;
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
        if let Some(backlog) = &mut self.backlog {
            backlog.set(result.is_ready() && got == most);
        }
        if self.growing.as_mut().is_some_and(|growing| growing.shows(got)) {
            self.growing = None;
        }
        let result = ready!(result);
        if let Some(place) = &self.place {
            place.sent(Instant::now());
        }
        Poll::Ready(result)
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
        self.writer().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    async fn what_a_client_does_not_read_does_not_outlive_its_connection() {
        assert_eq!(end(Leaving::Unread).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert!(end(Leaving::Idle).await.is_ok_and(|bytes| bytes > 1000), "others get what was written");
    }
}
