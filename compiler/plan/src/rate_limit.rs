//! Limits of requests: what proxies ask, and what the rate-limit service counts.

use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::OnError;
use meshc_vocabulary::model::{Cluster, HttpMatch, Id};

/// The key of every descriptor that a proxy sends and that the rate-limit service counts: Envoy's own for requests whose
/// headers match.
pub const DESCRIPTOR_KEY: &str = "header_match";

/// The rate-limit service of a cluster.
#[derive(Clone, Debug)]
pub struct RateLimitService {
    /// The cluster.
    pub cluster: Id<Cluster>,
    /// The cluster's name.
    pub cluster_name: String,
    /// What it counts, in order of domain.
    pub domains: Vec<RateLimitDomain>,
}

/// One domain: one `rate_limit` of one policy at one service.
#[derive(Clone, Debug)]
pub struct RateLimitDomain {
    /// Its name, unique in the cluster.
    pub name: String,
    /// What it counts, in source order.
    pub descriptors: Vec<Descriptor>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One counter: the descriptor `header_match = <value>` and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The descriptor's key: always [`DESCRIPTOR_KEY`].
    pub key: String,
    /// The descriptor's value: `<tier>_request` or `otherwise`.
    pub value: String,
    /// How many are admitted per unit.
    pub requests: u64,
    /// The unit of time, as the rate-limit service's configuration spells it: `second`, `minute`, `hour`.
    pub unit: String,
}

/// A limit that the rate-limit service counts.
#[derive(Clone, Debug)]
pub struct GlobalLimit {
    /// The domain at the service.
    pub domain: String,
    /// Which requests are counted at all.
    pub matches: HttpMatch,
    /// Which counters a request touches.
    pub buckets: Vec<LimitBucket>,
    /// What happens when the service does not answer in time.
    pub on_error: OnError,
    /// How long the service may take.
    pub timeout: Duration,
    /// Where it comes from.
    pub origin: Origin,
}

/// A limit that each pod counts by itself, as token buckets that fill once per unit.
#[derive(Clone, Debug)]
pub struct LocalLimit {
    /// Its name, unique in the port.
    pub name: String,
    /// Which requests are counted at all.
    pub matches: HttpMatch,
    /// Which counters a request touches, each with its own limit.
    pub buckets: Vec<LimitBucket>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One counter of a limit and the requests that it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitBucket {
    /// The descriptor's value: `<tier>_request` or `otherwise`.
    pub value: String,
    /// Which requests.
    pub condition: LimitCondition,
    /// How many are admitted …
    pub requests: u64,
    /// … per this long.
    pub per: Duration,
}

/// Which requests a counter counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitCondition {
    /// All.
    Always,
    /// Those whose header has exactly this value.
    HeaderIs {
        /// Lower-case name.
        header: String,
        /// The value.
        value: String,
    },
    /// Those whose header is absent or has none of these values.
    HeaderIsNoneOf {
        /// Lower-case name.
        header: String,
        /// The values.
        values: Vec<String>,
    },
}
