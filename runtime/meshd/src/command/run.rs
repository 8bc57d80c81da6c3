//! `meshd run`: the proxy, until a signal.

use super::{FAILED, Signals, say};
use meshd_proxy::{Options, Proxy};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long a worker may be silent before the liveness probe fails. It shares its processor with others, and a handshake
/// takes its time; a worker that is stuck is so for ever.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Arguments of `meshd run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    meshd run --config /etc/mesh/config/meshd.json\n  \
    meshd run --config meshd.json --workers 1 --drain-seconds 0\n\n\
    The configuration and the certificates are read again whenever they change; what cannot be used is refused \
    with a message, and the old ones keep serving. On SIGTERM the proxy is unready at once, accepts connections for \
    the drain time, finishes what is in flight, and exits with 0.")]
pub(crate) struct Run {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How many worker threads; by default one per core.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// How long to go on accepting connections after SIGTERM, in seconds.
    #[arg(long, value_name = "N", default_value_t = 5)]
    drain_seconds: u64,
    /// How long requests in flight may then take to finish, in seconds.
    #[arg(long, value_name = "N", default_value_t = 20)]
    finish_seconds: u64,
}

impl Run {
    pub(super) fn run(self) -> ExitCode {
        open_as_many_files_as_allowed();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let options = Options {
            config: self.config,
            workers: self.workers.unwrap_or(cores),
            drain: Duration::from_secs(self.drain_seconds),
            finish: Duration::from_secs(self.finish_seconds),
            stuck_after: STUCK_AFTER,
        };
        match run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                say(&format!("meshd: {message}"));
                ExitCode::from(FAILED)
            }
        }
    }
}

/// Raises the soft limit of open files to the hard one. The soft one is often 1,024, for the sake of programs that use
/// `select`; a proxy needs two for each connection. If it stays low, fewer clients are taken.
fn open_as_many_files_as_allowed() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn run(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        // The handlers stand before anything listens, so that no signal is too early.
        let mut signals = Signals::handle()?;
        let proxy = Proxy::start(options).map_err(|failure| failure.to_string())?;
        say("meshd: ready");
        signals.stop("meshd").await;
        say("meshd: draining");
        proxy.drain();
        proxy.wait();
        Ok(())
    })
}
