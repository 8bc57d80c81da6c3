//! Bytes in both directions until both ends are done, one breaks, or nothing moves for too long.

use std::cell::Cell;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// How much is moved at once in each direction.
const BUFFER: usize = 16 * 1024;

/// How a relayed connection ended.
#[derive(Debug)]
pub(crate) struct Relayed {
    /// Bytes from the client.
    pub(crate) up: u64,
    /// Bytes to the client.
    pub(crate) down: u64,
    /// What broke, if not both ends finished.
    pub(crate) broken: Option<io::Error>,
}

/// Relays between a client and an upstream, with half-closed connections kept working.
pub(crate) async fn relay<C, U>(client: C, upstream: U, idle: Option<Duration>) -> Relayed
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (client_read, client_write) = tokio::io::split(client);
    let (upstream_read, upstream_write) = tokio::io::split(upstream);
    let moved = Cell::new(Instant::now());
    let (up, down) = (Cell::new(0), Cell::new(0));
    let both = async {
        tokio::try_join!(
            direction(client_read, upstream_write, &up, &moved),
            direction(upstream_read, client_write, &down, &moved),
        )
    };
    let silent = async {
        let Some(idle) = idle else { return std::future::pending().await };
        loop {
            let at = moved.get() + idle;
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at).await;
        }
    };
    let broken = tokio::select! {
        result = both => result.err(),
        () = silent => Some(io::Error::new(io::ErrorKind::TimedOut, "nothing moved for too long")),
    };
    Relayed { up: up.get(), down: down.get(), broken }
}

async fn direction<R, W>(mut from: R, mut to: W, count: &Cell<u64>, moved: &Cell<Instant>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        buffer.clear();
        if from.read_buf(&mut buffer).await? == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
        count.set(count.get() + buffer.len() as u64);
        moved.set(Instant::now());
    }
}
