//! An HTTP/1.1 connection to an upstream whose protocol was changed, taken back from the HTTP library.

use crate::connect::Upward;
use crate::relay::Breaks;
use crate::replayed::Replayed;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Where the task of a connection finds out whether somebody wants the connection once HTTP has ended on it.
#[derive(Clone, Default)]
pub(super) struct Switch(Rc<RefCell<Option<oneshot::Sender<Switched>>>>);

impl Switch {
    /// A request is about to be sent that asks for another protocol.
    pub(super) fn expect(&self) -> oneshot::Receiver<Switched> {
        let (sender, receiver) = oneshot::channel();
        *self.0.borrow_mut() = Some(sender);
        receiver
    }

    /// It was not agreed to.
    pub(super) fn forget(&self) {
        *self.0.borrow_mut() = None;
    }

    /// HTTP has ended: hands the connection over, and returns when it is over. `stream` is not called if nobody wants it.
    pub(super) async fn hand_over(&self, stream: impl FnOnce() -> Replayed<Upward>) {
        let wanted = self.0.borrow_mut().take().filter(|wanted| !wanted.is_closed());
        let Some(wanted) = wanted else { return };
        let (over, is_over) = oneshot::channel();
        if wanted.send(Switched { stream: stream(), _over: over }).is_ok() {
            // Nothing is ever sent: whoever has the connection drops it.
            let _ = is_over.await;
        }
    }
}

/// A connection on which another protocol than HTTP is spoken. It counts as a connection until it is dropped.
pub(crate) struct Switched {
    stream: Replayed<Upward>,
    _over: oneshot::Sender<()>,
}

impl Breaks for Switched {
    fn break_off(&self) {
        self.stream.break_off();
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
