//! `meshd rate-limit`: the service that counts for many proxies, until a signal.

use super::{FAILED, Signals, say};
use meshd_rate_limit::{Clock, ClockSinceStart, Options, REDIS_PATIENCE, Server, SystemClock};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at. A ConfigMap takes up to a minute to arrive anyway.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `meshd rate-limit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    meshd rate-limit --config limits.yaml\n  \
    meshd rate-limit --config /etc/rate-limit --redis redis://redis:6379/0\n  \
    meshd rate-limit --config limits.yaml --listen 0.0.0.0:8081\n\n\
    Serves Envoy's protocol (envoy.service.ratelimit.v3) with limits in the format of envoyproxy/ratelimit. Changed \
    files take effect within a second; wrong ones are refused with a message, and the old limits hold. Without Redis \
    each server counts for itself, in memory. If Redis is down, questions fail, and the proxies' policies decide.\n\n\
    HTTP: /healthcheck and /metrics; debug: /rlconfig. On SIGTERM what is in flight is answered, then it exits with 0.")]
pub(crate) struct RateLimit {
    /// A file of limits, or a directory of .yaml files; may be given several times.
    #[arg(long, value_name = "PATH", required = true)]
    config: Vec<PathBuf>,
    /// Count in this Redis, together with other servers; in memory without it.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Where to serve gRPC; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Where to serve health and metrics.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    http_listen: SocketAddr,
    /// Where to show the limits.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6070")]
    debug_listen: SocketAddr,
    /// For tests that count exactly: a window of every unit begins when the process starts, so that none ends in the
    /// middle of a short test. Servers that share a Redis must then be started together.
    #[arg(long, hide = true)]
    align_windows_to_start: bool,
}

impl RateLimit {
    pub(super) fn run(self) -> ExitCode {
        let clock: Arc<dyn Clock> = if self.align_windows_to_start {
            Arc::new(ClockSinceStart::new())
        } else {
            Arc::new(SystemClock)
        };
        let options = Options {
            config: self.config,
            redis: self.redis,
            redis_patience: REDIS_PATIENCE,
            listen: self.listen,
            http_listen: self.http_listen,
            debug_listen: self.debug_listen,
            reload_every: RELOAD_EVERY,
            clock,
        };
        match run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                say(&format!("meshd rate-limit: {message}"));
                ExitCode::from(FAILED)
            }
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        // The handlers stand before anything listens, so that no signal is too early.
        let mut signals = Signals::handle()?;
        let server = Server::bind(options).await.map_err(|error| error.to_string())?;
        let addresses = server.addresses();
        say(&format!(
            "meshd rate-limit: ready: gRPC on {}, HTTP on {}, debug on {}",
            addresses.grpc, addresses.http, addresses.debug
        ));
        let stop = async {
            signals.stop("meshd rate-limit").await;
            say("meshd rate-limit: draining");
        };
        server.serve(stop).await;
        Ok(())
    })
}
