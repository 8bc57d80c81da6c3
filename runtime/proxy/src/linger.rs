//! Leaving a client that is still sending.
//!
//! Whoever closes a socket with unread bytes in it resets the connection, and the other end may lose an answer that it has
//! not read yet (RFC 9112 section 9.6). So the end is said first, and what still comes is read and thrown away for a while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a client may be silent before it is left. Source: the default of nginx, `lingering_timeout`.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// How long it is listened to at most. Source: the default of nginx, `lingering_time`.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// How much is thrown away at once.
const BUFFER: usize = 8 * 1024;

/// Waits for the end of a client that has been told the end.
#[derive(Debug)]
pub(crate) struct Lingering {
    silence: Duration,
    end: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Lingering {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Lingering::bounded(SILENCE, LONGEST)
    }

    fn bounded(silence: Duration, longest: Duration) -> Self {
        let now = Instant::now();
        let sleep = Box::pin(tokio::time::sleep_until(now + silence.min(longest)));
        Lingering { silence, end: now + longest, sleep }
    }

    /// Ready once the client has gone, or has had its time.
    pub(crate) fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; BUFFER];
        loop {
            if self.sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut bytes);
            let read: Poll<io::Result<()>> = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    self.sleep.as_mut().reset((Instant::now() + self.silence).min(self.end))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    const HOUR: Duration = Duration::from_secs(3600);
    const MOMENT: Duration = Duration::from_millis(50);

    async fn wait(mut stream: impl AsyncRead + Unpin, silence: Duration, longest: Duration) -> Duration {
        let (start, mut lingering) = (Instant::now(), Lingering::bounded(silence, longest));
        std::future::poll_fn(|cx| lingering.poll(&mut stream, cx)).await;
        start.elapsed()
    }

    #[tokio::test]
    async fn a_silent_client_is_left() {
        let (_silent, ours) = tokio::io::duplex(64);
        assert!(wait(ours, MOMENT, HOUR).await >= MOMENT);
    }

    #[tokio::test]
    async fn a_client_that_sends_is_listened_to_but_not_for_ever() {
        let (mut sending, ours) = tokio::io::duplex(64);
        tokio::spawn(async move { while sending.write_all(b"more").await.is_ok() {} });
        assert!(wait(ours, HOUR, MOMENT).await >= MOMENT);
    }

    #[tokio::test]
    async fn the_clients_end_is_the_end() {
        let (gone, ours) = tokio::io::duplex(64);
        drop(gone);
        assert!(wait(ours, HOUR, HOUR).await < HOUR);
    }
}
