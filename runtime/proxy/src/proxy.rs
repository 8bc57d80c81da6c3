//! A running proxy, as its owner sees it.

use crate::control::Control;
use crate::drain::Phase;
use crate::worker::{Command, Shared};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// How to run a proxy.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file; it is read again whenever it changes.
    pub config: PathBuf,
    /// How many worker threads; at least one runs.
    pub workers: usize,
    /// How long a draining proxy goes on accepting connections, so that whoever still has its address is served.
    pub drain: Duration,
    /// How long requests in flight may take to finish after that.
    pub finish: Duration,
    /// How long a worker may stay silent before the liveness probe fails; it says every second that it runs.
    pub stuck_after: Duration,
}

/// Why a proxy does not start, or a new configuration is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is missing or wrong.
    #[error("{0}")]
    Config(String),
    /// The certificates are missing or wrong.
    #[error("{0}")]
    Certificates(String),
    /// An address, file or thread that is needed cannot be had.
    #[error("{0}")]
    Listen(String),
    /// No names can be resolved at all.
    #[error("{0}")]
    Dns(String),
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    drain: mpsc::UnboundedSender<()>,
    shared: Arc<Shared>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    thread: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy and returns once it serves.
    ///
    /// # Errors
    /// [`Failure`], if anything that the configuration asks for cannot be had. Nothing is left running then.
    pub fn start(options: Options) -> Result<Self, Failure> {
        let (drain, order) = mpsc::unbounded_channel();
        let (started, result) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = started.send(Err(Failure::Listen(format!("cannot start: {error}"))));
                        return;
                    }
                };
                runtime.block_on(async move {
                    match Control::start(options).await {
                        Ok(control) => {
                            let _ = started.send(Ok((Arc::clone(&control.shared), control.workers())));
                            control.run(order).await;
                        }
                        Err(failure) => {
                            let _ = started.send(Err(failure));
                        }
                    }
                });
            })
            .map_err(|error| Failure::Listen(format!("cannot start: {error}")))?;
        match result.recv() {
            Ok(Ok((shared, workers))) => Ok(Proxy { drain, shared, workers, thread }),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Listen("the control thread ended".into())),
        }
    }

    /// Lets the proxy leave: unready at once, accepting a little longer, finishing what is in flight.
    pub fn drain(&self) {
        // Not by the control thread, which may be waiting for a name.
        self.shared.metrics.ready.set(0);
        self.shared.phase.send_if_modified(|phase| {
            let serves = *phase == Phase::Serving;
            if serves {
                *phase = Phase::Draining;
            }
            serves
        });
        let _ = self.drain.send(());
    }

    /// Lets a worker do `job` and nothing else meanwhile. This is for tests of what happens when a worker is stuck.
    pub fn occupy(&self, worker: usize, job: impl FnOnce() + Send + 'static) {
        if let Some(worker) = self.workers.get(worker) {
            let _ = worker.send(Command::Run(Box::new(job)));
        }
    }

    /// Returns when the proxy has left. Without [`Proxy::drain`] that is never.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}
