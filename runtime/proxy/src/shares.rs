//! Where bytes go: to one of several upstreams, drawn anew for each connection.

use crate::balance;
use crate::route::draw;
use crate::upstream::Upstream;
use std::sync::Arc;
use std::time::Duration;

/// TLS of others for certain names.
#[derive(Debug)]
pub(crate) struct Passing {
    /// Where it goes.
    pub(crate) shares: TcpShares,
    /// Whether only health checks come here.
    pub(crate) checks: bool,
}

/// Where connections go, each drawn anew.
#[derive(Debug)]
pub(crate) struct TcpShares {
    /// The upstreams with their shares.
    pub(crate) shares: Vec<(Forwarding, u32)>,
    /// Whether the others take the share of one of which no endpoint is left.
    pub(crate) failover: bool,
}

impl TcpShares {
    /// Where a connection goes; `None` if no upstream has any weight.
    pub(crate) fn draw(&self) -> Option<&Forwarding> {
        draw(&self.shares, self.failover, |forwarding| balance::lives(&forwarding.upstream))
    }
}

/// Where bytes go.
#[derive(Debug)]
pub(crate) struct Forwarding {
    /// The upstream.
    pub(crate) upstream: Arc<Upstream>,
    /// How many endpoints are tried.
    pub(crate) max_connect_attempts: u32,
    /// How long the connection may stay silent; `None` is for ever.
    pub(crate) idle_timeout: Option<Duration>,
}
