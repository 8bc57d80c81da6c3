//! Pipes of the kernel: through one of them, bytes go from one connection to another without being copied.
//!
//! A pipe belongs to a relay only while something is in it. Where both ends keep up that is a moment, and one pipe serves all
//! the relays of a worker; where one does not, the pipe is what it fills, and counts as memory.

use crate::files::Other;
use crate::memory::Piped;
use rustix::fd::{AsFd, OwnedFd};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a pipe holds, in bytes. The kernel gives 64 KiB by itself, and each call would move no more than that; with half as much as
/// this a MiB costs a fifth more, and little more comes at once where the kernel's bounds are as it sets them.
pub(crate) const SIZE: usize = 512 * 1024;

/// How many pipes a worker has at most. Whoever gets none copies, for twice the processor time.
const MOST: usize = 64;

/// How many all workers have at most: three quarters of what a user without privileges may have in all processes, whose new
/// pipes are small beyond that (`fs.pipe-user-pages-soft`, 64 MiB). Each test is a worker.
const MOST_OF_ALL: usize = if cfg!(test) { 64 * MOST } else { 96 };

static OF_ALL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Those of this worker in which nothing is.
    static EMPTY: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };

    /// How many this worker has.
    static ALL: Cell<usize> = const { Cell::new(0) };
}

/// Both ends of a pipe.
#[derive(Debug)]
struct Ends {
    out: OwnedFd,
    into: OwnedFd,
    _counted: [Other; 2],
    _one: One,
}

/// One pipe of so many.
#[derive(Debug)]
struct One;

impl One {
    /// If the worker may have one more.
    fn more() -> Option<Self> {
        let below = |all: usize| (all < MOST_OF_ALL).then_some(all + 1);
        let may =
            ALL.get() < MOST && OF_ALL.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).is_ok();
        may.then(|| {
            ALL.set(ALL.get() + 1);
            One
        })
    }
}

impl Drop for One {
    fn drop(&mut self) {
        OF_ALL.fetch_sub(1, Ordering::Relaxed);
        // At its very end a thread counts no more.
        let _ = ALL.try_with(|all| all.set(all.get().saturating_sub(1)));
    }
}

impl Ends {
    /// One more, if the worker may have it and the kernel gives it.
    fn open() -> Option<Self> {
        let one = One::more()?;
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        fcntl_setpipe_size(&into, SIZE).ok()?;
        Some(Ends { out, into, _counted: [Other::new(), Other::new()], _one: one })
    }
}

/// A pipe that something is or will be in.
#[derive(Debug)]
pub(crate) struct Pipe {
    ends: Ends,
    /// How much is in it, in bytes.
    holds: usize,
    _counted: Piped,
}

impl Pipe {
    /// An empty pipe, if there is one.
    pub(crate) fn take() -> Option<Self> {
        let ends = EMPTY.with_borrow_mut(Vec::pop).or_else(Ends::open)?;
        Some(Pipe { ends, holds: 0, _counted: Piped::new(SIZE as u64) })
    }

    /// Leaves the pipe to whoever is next. What is still in it is lost, and the pipe with it.
    pub(crate) fn give_back(self) {
        let Pipe { ends, holds, _counted } = self;
        if holds == 0 {
            EMPTY.with_borrow_mut(|empty| empty.push(ends));
        }
    }

    /// How much is in it, in bytes.
    pub(crate) fn holds(&self) -> usize {
        self.holds
    }

    /// Moves what can be read from a socket into the pipe, without waiting for more; 0 bytes are the end.
    pub(crate) fn fill(&mut self, from: impl AsFd) -> io::Result<usize> {
        let moved = splice(from, None, &self.ends.into, None, SIZE - self.holds.min(SIZE), FLAGS)?;
        self.holds += moved;
        Ok(moved)
    }

    /// Moves what is in the pipe into a socket, as much of it as it takes without waiting.
    pub(crate) fn drain(&mut self, to: impl AsFd) -> io::Result<usize> {
        let moved = splice(&self.ends.out, None, to, None, self.holds, FLAGS)?;
        self.holds = self.holds.saturating_sub(moved);
        Ok(moved)
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

#[cfg(test)]
impl Pipe {
    /// Whether this worker has any.
    pub(crate) fn has_some() -> bool {
        ALL.get() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    /// Both ends of a connection.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_go_through_and_the_pipe_serves_the_next() {
        let ((mut client, from), (to, mut server)) = (connection(), connection());
        for said in [b"one", b"two"] {
            let mut pipe = Pipe::take().unwrap();
            client.write_all(said).unwrap();
            assert_eq!((pipe.fill(&from).unwrap(), pipe.holds()), (3, 3));
            assert_eq!((pipe.drain(&to).unwrap(), pipe.holds()), (3, 0));
            let mut heard = [0; 3];
            server.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, said);
            pipe.give_back();
            assert_eq!((ALL.get(), EMPTY.with_borrow(Vec::len)), (1, 1));
        }
    }

    #[test]
    fn what_is_left_in_a_pipe_goes_to_nobody_else() {
        let (mut client, from) = connection();
        let mut pipe = Pipe::take().unwrap();
        client.write_all(b"secret").unwrap();
        pipe.fill(&from).unwrap();
        pipe.give_back();
        assert_eq!((ALL.get(), EMPTY.with_borrow(Vec::len)), (0, 0));
    }

    #[test]
    fn a_worker_has_so_many_and_they_count_as_memory_while_they_are_in_use() {
        let pipes: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
        assert_eq!(pipes.len(), MOST);
        assert!(Piped::all() >= (MOST * SIZE) as u64);
        pipes.into_iter().for_each(Pipe::give_back);
        assert_eq!((ALL.get(), EMPTY.with_borrow(Vec::len)), (MOST, MOST));
    }
}
