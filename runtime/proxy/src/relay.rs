//! Bytes in both directions until both ends are done, one breaks, or nothing moves for too long.
//!
//! What ends early must not look complete. An end that was not told "this was all" is told by a reset when the relay is
//! over, whatever ended it: a reset from the other side, silence, or the end of this proxy.
//!
//! A relay has no buffer of its own: it reads into one that its worker has, and keeps only what the other end did not take at
//! once. What goes on and on between two TCP connections is not read at all, and goes through a pipe.

use crate::connect::Upward;
use crate::listen::watch;
use crate::memory::{self, Level};
use crate::paced::Paced;
use crate::patience::until;
use crate::pipe::Pipe;
use crate::receive::PIECE;
use crate::replayed::Replayed;
use crate::tls::{self, TlsStream};
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A connection that may be broken off, so that its other end does not take what it received for everything.
pub(crate) trait Breaks: AsyncRead + AsyncWrite + Unpin {
    /// When it is dropped, it is not closed in order.
    fn break_off(&self);

    /// What has come and is read next, as far as that is known without reading.
    fn come(&self) -> &[u8] {
        &[]
    }

    /// So many bytes of what has come are not to be read any more.
    fn skip(&mut self, _bytes: usize) {}

    /// The TCP connection, where it has what is read next, and takes what is written as it is.
    fn bare(&mut self) -> Option<&mut Paced> {
        None
    }

    /// The connection has been there for a while.
    fn stays(&self) {}
}

impl Breaks for Paced {
    fn break_off(&self) {
        // Fails only for a connection that is gone.
        let _ = self.tcp().set_zero_linger();
    }

    fn bare(&mut self) -> Option<&mut Paced> {
        Some(self)
    }
}

impl<S: Breaks> Breaks for Replayed<S> {
    fn break_off(&self) {
        self.stream().break_off();
    }

    fn come(&self) -> &[u8] {
        self.rest()
    }

    fn skip(&mut self, bytes: usize) {
        self.leave_out(bytes);
    }

    fn bare(&mut self) -> Option<&mut Paced> {
        self.replayed_all()?.bare()
    }
}

impl<S: Breaks, E: tls::End + Unpin> Breaks for TlsStream<S, E> {
    fn break_off(&self) {
        self.stream().break_off();
    }
}

impl Breaks for Upward {
    fn break_off(&self) {
        match self {
            Upward::Plain(stream) => stream.break_off(),
            Upward::Tls(stream) => stream.stream().break_off(),
        }
    }

    fn bare(&mut self) -> Option<&mut Paced> {
        match self {
            Upward::Plain(stream) => Some(stream),
            Upward::Tls(_) => None,
        }
    }

    fn stays(&self) {
        match self {
            Upward::Plain(stream) => watch(stream.tcp()),
            Upward::Tls(stream) => watch(stream.stream().tcp()),
        }
    }
}

/// One end of a relay. Unless it was told an orderly end, it is reset when this is dropped; over TLS, without a
/// `close_notify` (RFC 8446 section 6.1).
pub(crate) struct End<S: Breaks> {
    stream: S,
    /// Whether it was told that it has received everything.
    is_complete: bool,
}

impl<S: Breaks> End<S> {
    /// An end that has been told nothing yet.
    pub(crate) fn new(stream: S) -> Self {
        End { stream, is_complete: false }
    }

    /// What has come and is read next, as far as that is known without reading.
    pub(crate) fn come(&self) -> &[u8] {
        self.stream.come()
    }
}

impl<S: Breaks> Drop for End<S> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.stream.break_off();
        }
    }
}

/// How many bytes were relayed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    up: Cell<u64>,
    down: Cell<u64>,
}

impl Counts {
    /// So many of the client's were sent before.
    pub(crate) fn beginning<S: Breaks>(client: &mut End<S>, sent: usize) -> Self {
        client.stream.skip(sent);
        Counts { up: Cell::new(sent as u64), down: Cell::default() }
    }

    /// Bytes from the client, and bytes to it.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.up.get(), self.down.get())
    }
}

/// Relays between a client and an upstream, with half-closed connections kept working; both are to be dropped then. The error is what broke, if not
/// both ends finished; its kind is `TimedOut` if nothing moved for `idle`.
pub(crate) async fn relay<C, U>(
    client: &mut End<C>,
    upstream: &mut End<U>,
    idle: Option<Duration>,
    counts: &Counts,
) -> io::Result<()>
where
    C: Breaks,
    U: Breaks,
{
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut moved = Instant::now();
    let mut stays_at = Some(moved + STAYS);
    let mut look = until(moved + idle.map_or(STAYS, |idle| idle.min(STAYS)));
    poll_fn(|cx| {
        let going_up = up.poll(client, upstream, (&counts.up, down.is_over()), cx)?;
        let going_down = down.poll(upstream, client, (&counts.down, going_up.is_ready()), cx)?;
        if going_up.is_ready() && going_down.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if std::mem::take(&mut up.has_moved) | std::mem::take(&mut down.has_moved) && idle.is_some() {
            moved = Instant::now();
        }
        loop {
            ready!(Pin::new(&mut look).poll(cx));
            let now = Instant::now();
            let silent_at = idle.map(|idle| moved + idle);
            if silent_at.is_some_and(|at| at <= now) {
                let error = io::Error::new(io::ErrorKind::TimedOut, "nothing moved for too long");
                return Poll::Ready(Err(error));
            }
            if stays_at.is_some_and(|at| at <= now) {
                stays_at = None;
                upstream.stream.stays();
            }
            // Without either, there is nothing more to look at.
            let Some(at) = silent_at.into_iter().chain(stays_at).min() else { return Poll::Pending };
            look.move_to(at);
        }
    })
    .await
}

/// After how long a connection is one that stays.
const STAYS: Duration = Duration::from_secs(10);

/// After how many reads that brought so many bytes or more the next ones go through a pipe. A buffer of the kernel is read in two
/// pieces or three, and the last of them is what is left.
const LONG: u32 = 8;
const LARGE: usize = 16 * 1024;

/// A read that brings less counts as so many large ones that were not there, and of large ones so many count at most: among
/// many streams each has less at times, and goes on through its pipe; one that has become a conversation does not.
const SMALL: u32 = 4;
const MOST: u32 = 4 * LONG;

/// How much is moved at most until other connections of the worker have their turn, in bytes.
const TURN: usize = 2 * 1024 * 1024;

/// One direction of a relay.
#[derive(Debug, Default)]
struct Direction {
    stage: Stage,
    /// What was read, is not in the pipe, and was not written at once.
    kept: Vec<u8>,
    /// How much of that was written since.
    written: usize,
    /// What was read and is not in memory.
    pipe: Option<Pipe>,
    /// How many reads brought much, less what those that brought little take away.
    large: u32,
    /// How much has been read that does not count yet, since it was not written.
    passing: usize,
    /// Whether something was written since this was last asked.
    has_moved: bool,
}

#[derive(Debug, Default)]
enum Stage {
    /// More may be read.
    #[default]
    Reading,
    /// Something was read that was not written.
    Writing,
    /// It was written, and may wait inside the other end.
    Flushing,
    /// The other end is told that this was all.
    Ending,
    /// It was told.
    Over,
}

impl Direction {
    fn poll<A, B>(
        &mut self,
        from: &mut End<A>,
        to: &mut End<B>,
        (count, is_last): (&Cell<u64>, bool),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        A: Breaks,
        B: Breaks,
    {
        let mut turn = 0;
        loop {
            self.stage = match self.stage {
                Stage::Reading if turn >= TURN => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Stage::Reading => match ready!(self.poll_read(&mut from.stream, &mut to.stream, cx))? {
                    0 => Stage::Ending,
                    bytes => {
                        turn += bytes;
                        self.passing = bytes;
                        Stage::Writing
                    }
                },
                Stage::Writing => {
                    ready!(self.poll_write(&mut to.stream, cx))?;
                    Stage::Flushing
                }
                Stage::Flushing => {
                    ready!(Pin::new(&mut to.stream).poll_flush(cx))?;
                    count.set(count.get() + self.passing as u64);
                    Stage::Reading
                }
                Stage::Ending => {
                    // Where nothing goes the other way any more, to close a TCP connection tells the end as well.
                    if !is_last || to.stream.bare().is_none() {
                        ready!(Pin::new(&mut to.stream).poll_shutdown(cx))?;
                    }
                    to.is_complete = true;
                    Stage::Over
                }
                Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Whether the other end has been told that this was all.
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Reads what has come, and writes as much of it as the other end takes; how much was read.
    fn poll_read<A, B>(&mut self, from: &mut A, to: &mut B, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        A: Breaks,
        B: Breaks,
    {
        if self.is_long()
            && memory::level() == Level::Ample
            && let (Some(from), Some(_)) = (from.bare(), to.bare())
            && let Some(mut pipe) = Pipe::take()
        {
            let filled = from.poll_fill(cx, &mut pipe);
            if let Poll::Ready(Ok(bytes)) = &filled
                && *bytes > 0
            {
                self.noted(*bytes);
                self.pipe = Some(pipe);
            } else {
                pipe.give_back();
            }
            return filled;
        }
        with_scratch(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
            let mut rest = read.filled();
            self.noted(rest.len());
            while !rest.is_empty()
                && let Poll::Ready(written) = Pin::new(&mut *to).poll_write(cx, rest)
            {
                rest = rest.get(some(written)?..).unwrap_or_default();
                self.has_moved = true;
            }
            self.kept.extend_from_slice(rest);
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Writes what was not written at once.
    fn poll_write<B: Breaks>(&mut self, to: &mut B, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.kept.get(self.written..) {
            self.written += some(ready!(Pin::new(&mut *to).poll_write(cx, rest)))?;
            self.has_moved = true;
        }
        if !self.kept.is_empty() {
            // Most connections are idle, and none of them keeps room for what may come.
            (self.kept, self.written) = (Vec::new(), 0);
        }
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(())) };
        // A pipe was taken for an end that stays what it is.
        let Some(to) = to.bare() else { return Poll::Ready(Err(io::ErrorKind::Unsupported.into())) };
        while pipe.holds() > 0 {
            some(ready!(to.poll_drain(cx, pipe)))?;
            self.has_moved = true;
        }
        if let Some(pipe) = self.pipe.take() {
            pipe.give_back();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether it goes on and on.
    fn is_long(&self) -> bool {
        self.large >= LONG
    }

    /// Notes how much a read brought.
    fn noted(&mut self, bytes: usize) {
        self.large = if bytes >= LARGE { MOST.min(self.large + 1) } else { self.large.saturating_sub(SMALL) };
    }
}

/// How much was written, which is something unless the other end takes nothing any more.
fn some(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        written => written,
    }
}

thread_local! {
    /// What all relays of a worker read into.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the worker's buffer.
fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.resize(PIECE as usize, 0);
    let result = read(&mut scratch);
    SCRATCH.set(scratch);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Buffers, Piped};
    use crate::place::Place;
    use crate::receive::Receive;
    use crate::upstream::Spoken;
    use std::rc::Rc;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::{JoinHandle, LocalSet};

    /// A client and a server with a relay between them, and the place of the client.
    struct Between {
        client: TcpStream,
        server: TcpStream,
        place: Rc<Place>,
        /// The connection to the server, which the relay has.
        above: socket2::Socket,
        relay: JoinHandle<(io::Result<()>, (u64, u64))>,
    }

    async fn between() -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pair = async || {
            let near = TcpStream::connect(address).await.unwrap();
            (near, listener.accept().await.unwrap().0)
        };
        let ((client, below), (above, server)) = (pair().await, pair().await);
        let place = Place::new(Instant::now());
        let kept = socket2::SockRef::from(&above).try_clone().unwrap();
        let client_end = Paced::from_client(below, &place);
        let receive = Receive::of(address, Spoken::Bytes, Buffers::Large);
        let upstream_end = Upward::Plain(Paced::to_upstream(above, receive, None));
        let relay = tokio::task::spawn_local(async move {
            let counts = Counts::default();
            let (mut client, mut upstream) = (End::new(client_end), End::new(upstream_end));
            let result = relay(&mut client, &mut upstream, None, &counts).await;
            (result, counts.so_far())
        });
        Between { client, server, place, above: kept, relay }
    }

    /// Bytes whose order shows.
    fn much(count: usize) -> Vec<u8> {
        (0..count).map(|number| (number % 251) as u8 ^ (number >> 16) as u8).collect()
    }

    /// How many bytes it takes until a relay is sure to use pipes.
    const MUCH: usize = 24 << 20;

    #[tokio::test]
    async fn all_of_a_long_stream_arrives_both_ways_and_its_end_with_it() {
        let test = async {
            let Between { client, server, place: _, above, relay } = between().await;
            drop(above);
            let both = async |mut stream: TcpStream| {
                let (mut read, mut write) = stream.split();
                let mut heard = Vec::new();
                let say = async {
                    write.write_all(&much(MUCH)).await?;
                    write.shutdown().await
                };
                let (said, _) = tokio::join!(say, read.read_to_end(&mut heard));
                said.unwrap();
                assert!(heard == much(MUCH), "{} bytes", heard.len());
            };
            tokio::join!(both(client), both(server));
            let (result, counts) = relay.await.unwrap();
            assert_eq!((result.is_ok(), counts), (true, (MUCH as u64, MUCH as u64)));
            assert!(SCRATCH.take().len() == PIECE as usize, "short reads are copied");
            assert!(Pipe::has_some(), "what goes on and on is not copied");
        };
        LocalSet::new().run_until(test).await;
    }

    #[test]
    fn a_stream_that_had_less_for_once_goes_on_through_its_pipe_and_a_conversation_does_not() {
        let mut direction = Direction::default();
        let mut after = |reads: u32, bytes| {
            (0..reads).for_each(|_| direction.noted(bytes));
            direction.is_long()
        };
        assert!(!after(LONG - 1, LARGE) && after(1, LARGE));
        assert!(!after(1, 1), "it has only begun");
        assert!(after(1000, LARGE) && after(3, LARGE - 1) && after(3 * SMALL, LARGE));
        assert!(!after(MOST / SMALL, 100) && !after(LONG - 1, LARGE) && after(1, LARGE));
    }

    #[tokio::test]
    async fn more_streams_than_pipes_go_on_all_the_same() {
        let test = async {
            let held: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
            let Between { mut client, mut server, place: _, above, relay } = between().await;
            drop(above);
            let (said, mut heard) = (much(MUCH), Vec::new());
            let say = async {
                server.write_all(&said).await.unwrap();
                drop(server);
            };
            tokio::join!(say, async { client.read_to_end(&mut heard).await.unwrap() });
            assert!(heard == said);
            drop((client, held));
            assert_eq!(relay.await.unwrap().1, (0, MUCH as u64));
        };
        LocalSet::new().run_until(test).await;
    }

    /// A client that has read much and then nothing more, with all that is between it and the server full.
    async fn stalled() -> Between {
        let mut all = between().await;
        let place = Rc::clone(&all.place);
        let read = async {
            let mut left = MUCH;
            let mut much = vec![0; 1 << 20];
            while left > 0 {
                left -= all.client.read(&mut much[..left.min(1 << 20)]).await.unwrap();
            }
            while place.unread(Duration::from_millis(100), Instant::now()).is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let write = async {
            let much = vec![b'm'; 1 << 20];
            while all.server.write_all(&much).await.is_ok() {}
        };
        tokio::select! {
            () = read => {}
            () = write => {}
        }
        all
    }

    #[tokio::test]
    async fn a_client_that_reads_no_more_is_seen_and_what_is_in_the_pipe_counts() {
        let test = async {
            let before = Piped::all();
            let all = stalled().await;
            // That it is seen to take nothing is how this test got here.
            assert!(Piped::all() >= before.max(crate::pipe::SIZE as u64));
            all.relay.abort();
            assert!(all.relay.await.is_err());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_reset_goes_on_as_one_though_bytes_are_in_a_pipe() {
        let test = async {
            let mut all = stalled().await;
            drop(all.above);
            all.client.set_zero_linger().unwrap();
            drop(all.client);
            assert!(all.relay.await.unwrap().0.is_err());
            let end = async {
                loop {
                    if let Err(error) = all.server.write_all(&[0; 1024]).await {
                        return error.kind();
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let end = tokio::time::timeout(Duration::from_secs(10), end).await.unwrap();
            assert!(matches!(end, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{end}");
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn whoever_has_nothing_to_say_any_more_still_gets_a_long_answer() {
        let test = async {
            let Between { mut client, mut server, place: _, above, relay } = between().await;
            drop(above);
            client.write_all(b"question").await.unwrap();
            client.shutdown().await.unwrap();
            let mut question = Vec::new();
            server.read_to_end(&mut question).await.unwrap();
            assert_eq!(question, b"question");
            let (said, mut heard) = (much(MUCH), Vec::new());
            let say = async {
                server.write_all(&said).await.unwrap();
                drop(server);
            };
            tokio::join!(say, async { client.read_to_end(&mut heard).await.unwrap() });
            assert!(heard == said);
            assert_eq!(relay.await.unwrap().1, (8, MUCH as u64));
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_vanishes_is_looked_for_once_a_connection_stays() {
        let test = async {
            let all = between().await;
            let looks = tokio::task::spawn_local(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    crate::patience::look();
                }
            });
            tokio::time::sleep(STAYS - Duration::from_millis(1)).await;
            assert!(!all.above.keepalive().unwrap(), "most connections are over by then");
            tokio::time::sleep(Duration::from_millis(2)).await;
            looks.abort();
            assert!(all.above.keepalive().unwrap());
            drop((all.client, all.server));
            assert!(all.relay.await.unwrap().0.is_ok());
        };
        LocalSet::new().run_until(test).await;
    }
}
