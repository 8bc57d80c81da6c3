//! The commands, one file each. All of them exit with 0 for success, 1 for findings, 2 for wrong usage or failed I/O.

mod man;
mod rate_limit;
mod redirect;
mod run;
mod validate;

use std::io::Write as _;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What meshd can do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the proxy until SIGTERM or SIGINT, then drain and exit with 0.
    Run(run::Run),
    /// Serve Envoy's rate-limit protocol until SIGTERM or SIGINT, then drain and exit with 0.
    RateLimit(rate_limit::RateLimit),
    /// Send an application's outbound connections to its sidecar, once for a pod.
    Redirect(redirect::Redirect),
    /// Check a configuration file and print every mistake with its JSON path.
    Validate(validate::Validate),
    /// Write the manual pages.
    Man(man::Man),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Command::Run(run) => run.run(),
            Command::RateLimit(rate_limit) => rate_limit.run(),
            Command::Redirect(redirect) => redirect.run(),
            Command::Validate(validate) => validate.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// The exit code for wrong usage and failed I/O.
const FAILED: u8 = 2;

/// One line for the operator. Whoever no longer listens must not end a proxy, least of all before it has drained.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The signals that a running command answers to.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on signals no longer end the process.
    fn handle() -> Result<Self, String> {
        let listen =
            |kind| signal(kind).map_err(|error: std::io::Error| format!("cannot wait for signals: {error}"));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Returns when it is time to stop. A hangup is no such time: to many it means "read your files again".
    async fn stop(&mut self, name: &str) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    say(&format!("{name}: files are read again whenever they change; a hangup is not needed"));
                }
            }
        }
    }
}
