//! A connection in memory: bytes pass in pieces of any size, late, and not at all after it is broken. As with sockets, each
//! direction remembers one task that waits to read and one that waits to write.

use crate::dice::Dice;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// One direction.
#[derive(Default)]
struct Way {
    data: VecDeque<u8>,
    /// How many bytes were written and read so far.
    written: u64,
    read: u64,
    /// Nothing more is written.
    is_ended: bool,
    /// Nobody reads any more.
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Way {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// How a connection behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// How much is under way at most.
    pub(crate) capacity: usize,
    /// One in so many operations is late.
    pub(crate) late: usize,
    /// The most that is read or written at once.
    pub(crate) piece: usize,
    /// After so many bytes it breaks.
    pub(crate) breaks: Option<u64>,
    /// Whether several slices are taken at once.
    pub(crate) is_vectored: bool,
}

struct Pipe {
    ways: [Way; 2],
    manners: Manners,
    is_broken: bool,
    dice: Dice,
}

impl Pipe {
    fn break_off(&mut self) {
        self.is_broken = true;
        self.ways.iter_mut().for_each(Way::wake);
    }
}

/// One end.
pub(crate) struct End {
    pipe: Rc<RefCell<Pipe>>,
    side: usize,
    late_read: Option<Pin<Box<Sleep>>>,
    late_write: Option<Pin<Box<Sleep>>>,
}

/// Counts what passes one end.
#[derive(Clone)]
pub(crate) struct Meter {
    pipe: Rc<RefCell<Pipe>>,
    side: usize,
}

impl Meter {
    pub(crate) fn read(&self) -> u64 {
        self.pipe.borrow().ways[1 - self.side].read
    }

    pub(crate) fn written(&self) -> u64 {
        self.pipe.borrow().ways[self.side].written
    }
}

/// Both ends of a new connection.
pub(crate) fn pipe(manners: Manners, dice: Dice) -> (End, End) {
    let pipe = Pipe { ways: Default::default(), manners, is_broken: false, dice };
    let pipe = Rc::new(RefCell::new(pipe));
    let end = |side| End { pipe: Rc::clone(&pipe), side, late_read: None, late_write: None };
    (end(0), end(1))
}

impl End {
    pub(crate) fn meter(&self) -> Meter {
        Meter { pipe: Rc::clone(&self.pipe), side: self.side }
    }
}

/// Waits, from time to time.
fn poll_late(late: &mut Option<Pin<Box<Sleep>>>, pipe: &mut Pipe, cx: &mut Context<'_>) -> Poll<()> {
    if late.is_none() && pipe.dice.one_in(pipe.manners.late) {
        let time = Duration::from_millis(1 + pipe.dice.below(40) as u64);
        *late = Some(Box::pin(tokio::time::sleep(time)));
    }
    if let Some(sleep) = late {
        ready!(sleep.as_mut().poll(cx));
        *late = None;
    }
    Poll::Ready(())
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let End { pipe, side, late_read, .. } = &mut *self;
        let pipe = &mut *pipe.borrow_mut();
        ready!(poll_late(late_read, pipe, cx));
        let way = &mut pipe.ways[1 - *side];
        if way.data.is_empty() {
            if pipe.is_broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if way.is_ended {
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let most = way.data.len().min(into.remaining()).min(pipe.manners.piece);
        let count = 1 + pipe.dice.below(most);
        let (first, second) = way.data.as_slices();
        into.put_slice(&first[..count.min(first.len())]);
        into.put_slice(&second[..count.saturating_sub(first.len())]);
        way.data.drain(..count);
        way.read += count as u64;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl End {
    fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let End { pipe, side, late_write, .. } = self;
        let pipe = &mut *pipe.borrow_mut();
        ready!(poll_late(late_write, pipe, cx));
        let way = &mut pipe.ways[*side];
        if pipe.is_broken || way.is_deaf || way.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.manners.capacity - way.data.len();
        if room == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let most = all.min(room).min(pipe.manners.piece);
        let count = if most == 0 { 0 } else { 1 + pipe.dice.below(most) };
        let mut left = count;
        for slice in slices {
            let some = left.min(slice.len());
            way.data.extend(&slice[..some]);
            left -= some;
        }
        way.written += count as u64;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        if pipe.manners.breaks.is_some_and(|breaks| way.written >= breaks) {
            pipe.break_off();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_all(cx, &[io::IoSlice::new(bytes)])
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.borrow().manners.is_vectored
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_all(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let End { pipe, late_write, .. } = &mut *self;
        poll_late(late_write, &mut pipe.borrow_mut(), cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let End { pipe, side, late_write, .. } = &mut *self;
        let pipe = &mut *pipe.borrow_mut();
        ready!(poll_late(late_write, pipe, cx));
        let way = &mut pipe.ways[*side];
        way.is_ended = true;
        way.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        let pipe = &mut *pipe;
        // Whoever closes with something unread breaks the connection, as the kernel does.
        if !pipe.ways[1 - self.side].data.is_empty() {
            pipe.break_off();
        }
        pipe.ways[self.side].is_ended = true;
        pipe.ways[1 - self.side].is_deaf = true;
        pipe.ways.iter_mut().for_each(Way::wake);
    }
}
