//! The server: binds its three ports, serves until told to stop, and follows its files.

mod accept;
mod pages;
mod reload;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use pages::Pages;

use crate::clock::Clock;
use crate::counters::{Counters, InvalidRedisUrl, MemoryCounters, RedisCounters};
use crate::metrics::Metrics;
use crate::protocol::grpc_service;
use crate::rules::RulesError;
use crate::service::Service;
use crate::source::{self, SourceError};

/// How long requests in flight may take after the server was told to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How long Redis may usually take for one answer. Proxies wait for less, so that waiting longer would only keep dead
/// requests alive.
pub const REDIS_PATIENCE: Duration = Duration::from_millis(250);

/// What a server needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files of limits, and directories of such files.
    pub config: Vec<PathBuf>,
    /// The Redis to count in, as a URL; `None` counts in memory.
    pub redis: Option<String>,
    /// How long Redis may take for one answer, connecting included; [`REDIS_PATIENCE`] unless there are reasons.
    pub redis_patience: Duration,
    /// Where gRPC is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/healthcheck` and `/metrics` are served.
    pub http_listen: SocketAddr,
    /// Where `/rlconfig` is served.
    pub debug_listen: SocketAddr,
    /// How often the files are looked at.
    pub reload_every: Duration,
    /// Where the time of windows comes from.
    pub clock: Arc<dyn Clock>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The files cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no file at all.
    #[error("there is no configuration: name a file, or a directory with `.yaml` files")]
    NoConfiguration,
    /// The files say something wrong.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The Redis URL is wrong.
    #[error(transparent)]
    Redis(#[from] InvalidRedisUrl),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

/// A server that is bound to its ports but does not serve yet.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    snapshot: source::Snapshot,
    options: Options,
    grpc: TcpListener,
    http: TcpListener,
    debug: TcpListener,
    addresses: Addresses,
}

/// Where a server listens, with the ports that it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// gRPC.
    pub grpc: SocketAddr,
    /// Health and metrics.
    pub http: SocketAddr,
    /// The dump of the limits.
    pub debug: SocketAddr,
}

impl Server {
    /// Reads the configuration and binds the ports. A Redis that is down is no error: questions then fail until it
    /// is there.
    ///
    /// # Errors
    /// [`StartError`] if the configuration is missing or wrong, or a port is taken.
    pub async fn bind(options: Options) -> Result<Self, StartError> {
        let snapshot = source::read(&options.config)?;
        if snapshot.is_empty() {
            return Err(StartError::NoConfiguration);
        }
        let metrics = Arc::new(Metrics::default());
        let rules = reload::parse(&snapshot, &metrics)?;
        let counters = match &options.redis {
            Some(url) => Counters::Redis(RedisCounters::new(url, options.redis_patience)?),
            None => Counters::Memory(MemoryCounters::new()),
        };
        let clock = Arc::clone(&options.clock);
        let service = Arc::new(Service { rules: ArcSwap::from_pointee(rules), counters, clock, metrics });
        let (grpc, grpc_address) = bind(options.listen).await?;
        let (http, http_address) = bind(options.http_listen).await?;
        let (debug, debug_address) = bind(options.debug_listen).await?;
        let addresses = Addresses { grpc: grpc_address, http: http_address, debug: debug_address };
        Ok(Self { service, snapshot, options, grpc, http, debug, addresses })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop` is done. Then `/healthcheck` answers 503, no connection for questions is accepted any more,
    /// and what is in flight may finish within [`DRAIN`].
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let service = self.service;
        let Options { config, reload_every, .. } = self.options;
        // The pages stay until the end, so that the draining can be watched; dropping the set ends them.
        let mut pages = JoinSet::new();
        pages.spawn(accept::http(self.http, Pages::Operations, Arc::clone(&service), stopped.clone()));
        pages.spawn(accept::http(self.debug, Pages::Debug, Arc::clone(&service), stopped.clone()));
        pages.spawn(reload::follow(config, reload_every, self.snapshot, Arc::clone(&service)));
        let questions = accept::grpc(self.grpc, grpc_service(service), stopped);
        let deadline = async {
            stop.await;
            // Fails only if nobody listens any more, which is what it is for.
            let _ = stopping.send(true);
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            () = questions => {}
            () = deadline => crate::log("some questions were still in flight after the drain time"),
        }
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |error| StartError::Bind { address, error };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let local = listener.local_addr().map_err(fail)?;
    Ok((listener, local))
}
