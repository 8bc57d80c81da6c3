//! Reading: small pieces by way of one buffer of the thread, so that a connection has none while nothing comes.

use crate::spare;
use bytes::BytesMut;
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

/// How much is read at once, in bytes.
const PIECE: usize = 32 * 1024;

/// From how many bytes on data gets a buffer of its own, instead of a copy.
const LARGE: u64 = 8 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Reads some bytes behind those in `input`; how many, and none at the end. `expected` says how many bytes of data come next.
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    input: &mut BytesMut,
    expected: u64,
) -> Poll<io::Result<usize>> {
    if expected >= LARGE {
        let result = {
            let room = usize::try_from(expected).unwrap_or(usize::MAX).min(PIECE);
            input.reserve(room);
            pin!(stream.read_buf(input)).poll(cx)
        };
        if input.len() < PIECE / 4 {
            // A few bytes do not keep a large buffer, in which whoever keeps them would keep all of it.
            *input = BytesMut::from(input.as_ref());
        }
        return result;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        if input.is_empty() {
            *input = spare::came(read);
        } else {
            input.extend_from_slice(read);
        }
        Poll::Ready(Ok(read.len()))
    })
}
