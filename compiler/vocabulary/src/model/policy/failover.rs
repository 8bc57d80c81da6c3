//! `failover`: the order in which localities take over.

use lang_diagnostics::{Origin, Spanned};

/// Order of localities. Failover is on unless `enabled` is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Where it is declared.
    pub origin: Origin,
    /// Whether other localities may take over at all.
    pub enabled: bool,
    /// Whether a locality hands on a part of the requests when some of its endpoints are left out.
    pub spill: bool,
    /// What makes a locality near, most important first. Default: zone, then region.
    pub by: Vec<FailoverBy>,
    /// Shares of requests by the name of a cluster, in the place of an order; empty: in order.
    pub locality: Vec<(Spanned<String>, u32)>,
}

/// What makes a locality near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailoverBy {
    /// The same zone of the same region first.
    Zone,
    /// The same region first.
    Region,
    /// The lowest declared latency of links first.
    Latency,
    /// The lowest declared cost of links first.
    Cost,
}
