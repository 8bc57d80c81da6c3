//! The commands, one file each. All of them exit with 0 for success, 1 for findings, 2 for wrong usage or failed I/O.

mod rate_limit;
mod redirect;
mod run;
mod validate;

use std::process::ExitCode;

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
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Command::Run(run) => run.run(),
            Command::RateLimit(rate_limit) => rate_limit.run(),
            Command::Redirect(redirect) => redirect.run(),
            Command::Validate(validate) => validate.run(),
        }
    }
}

/// The exit code for wrong usage and failed I/O.
const FAILED: u8 = 2;
