//! The signals that end a running mesh.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Context, Failure};

/// Catches the signals from its creation on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).context(|| String::from("catch signals"));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for one and returns its number.
    pub(crate) async fn received(&mut self) -> u8 {
        tokio::select! {
            Some(()) = self.interrupt.recv() => 2,
            Some(()) = self.terminate.recv() => 15,
            Some(()) = self.hang_up.recv() => 1,
            else => pending().await,
        }
    }
}
