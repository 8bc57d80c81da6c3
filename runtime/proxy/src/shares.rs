//! Where bytes go: to one of several upstreams, drawn anew for each connection.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::balance;
use crate::route::draw;
use crate::upstream::Upstream;
use meshd_config::{AddressRange, ClientRanges, WeightedUpstream};
use std::net::IpAddr;
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
    pub(crate) shares: Vec<(Arc<Forwarding>, u32)>,
    /// Whether the others take the share of one of which no endpoint is left.
    pub(crate) failover: bool,
    /// From which addresses connections are taken; `None` is from all.
    pub(crate) clients: Option<ClientRanges>,
}

/// Why a connection is closed whose address is none of those.
pub(crate) const NOT_ADMITTED: &str = "no rule admits this address";

impl TcpShares {
    /// Connections of these clients to these upstreams, each tried at so many endpoints, which may stay silent for so long.
    pub(crate) fn new(
        (to, failover): (&[WeightedUpstream], bool),
        (max_connect_attempts, idle_timeout): (u32, Option<Duration>),
        clients: Option<&ClientRanges>,
        upstream: impl Fn(&str) -> Result<Arc<Upstream>, String>,
    ) -> Result<Self, String> {
        let share = |to: &WeightedUpstream| {
            let WeightedUpstream { upstream: name, weight } = to;
            let forwarding = Forwarding { upstream: upstream(name)?, max_connect_attempts, idle_timeout };
            Ok((Arc::new(forwarding), *weight))
        };
        let shares: Result<_, String> = to.iter().map(share).collect();
        Ok(TcpShares { shares: shares?, failover, clients: clients.cloned() })
    }

    /// Whether a connection from this address is taken: the most specific range decides.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        let Some(clients) = &self.clients else { return true };
        let ClientRanges { admitted, refused } = clients;
        let most_specific = |ranges: &[AddressRange]| {
            ranges.iter().filter(|range| range.contains(address)).map(AddressRange::bits).max()
        };
        most_specific(admitted) > most_specific(refused)
    }

    /// Where a connection goes; `None` if no upstream has any weight.
    pub(crate) fn draw(&self) -> Option<&Arc<Forwarding>> {
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
