//! Limits of requests: what proxies ask, and what the rate-limit service counts.

use std::time::Duration;

use lang_diagnostics::Origin;
pub use meshc_vocabulary::model::policy::LimitKey;
use meshc_vocabulary::model::policy::{Enforcement, OnError};
use meshc_vocabulary::model::{Cluster, HttpMatch, Id};

use crate::filter::Filter;

/// The key of every descriptor that a proxy sends and that the rate-limit service counts: Envoy's own for requests whose
/// headers match.
pub const DESCRIPTOR_KEY: &str = "header_match";

/// The key and value of the descriptor's entry for requests that cannot be told apart: some byte in what is looked at is
/// no printable ASCII. Text of the protocol is UTF-8, and what is not would be refused instead of counted.
pub const UNPRINTABLE: (&str, &str) = ("unprintable", "true");

/// How many counters a pod keeps for one bucket with keys; of more, those that were used last.
pub const MOST_KEYS: u32 = 10_000;

/// How many bytes of a value tell counters apart.
pub const KEY_LENGTH: usize = 256;

/// How many leading bits of an IPv6 address tell clients apart: a site has at least that prefix to itself (RFC 6177), and
/// with it so many addresses that counting each would count nothing.
pub const IPV6_PREFIX: u8 = 64;

/// The name of the upstream that is the rate-limit service of the proxy's cluster.
pub const RATE_LIMIT_UPSTREAM: &str = "rate-limit";

/// What stands for a value that is missing or empty.
pub const NO_VALUE: &str = "-";

/// The rate-limit service of a cluster.
#[derive(Clone, Debug, Hash)]
pub struct RateLimitService {
    /// The cluster.
    pub cluster: Id<Cluster>,
    /// The cluster's name.
    pub cluster_name: String,
    /// What it counts, in order of domain.
    pub domains: Vec<RateLimitDomain>,
}

/// One domain: one `rate_limit` of one policy at one service, route or gateway.
#[derive(Clone, Debug, Hash)]
pub struct RateLimitDomain {
    /// Its name, unique in the cluster.
    pub name: String,
    /// What it counts, in source order.
    pub descriptors: Vec<Descriptor>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One counter, or one for each value: the entries of a descriptor and their limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// The entries, outermost first: [`DESCRIPTOR_KEY`] with `<tier>_request`, `otherwise`, `total` or `each_1`, then the
    /// keys. Without a value an entry stands for any, and each is counted for itself.
    pub entries: Vec<(String, Option<String>)>,
    /// How many are admitted per unit.
    pub requests: u64,
    /// The unit of time, as the rate-limit service's configuration spells it: `second`, `minute` and so on.
    pub unit: String,
}

/// A limit, by who counts.
#[derive(Clone, Debug, Hash)]
pub enum Limit {
    /// The pod.
    Local(LocalLimit),
    /// The rate-limit service.
    Global(GlobalLimit),
}

impl Limit {
    /// The same as a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        match self {
            Self::Local(limit) => Filter::LocalLimit(limit.clone()),
            Self::Global(limit) => Filter::GlobalLimit(limit.clone()),
        }
    }
}

/// A limit that the rate-limit service counts.
#[derive(Clone, Debug, Hash)]
pub struct GlobalLimit {
    /// The upstream that is asked: [`RATE_LIMIT_UPSTREAM`], or the service that counts for the whole mesh.
    pub upstream: String,
    /// The domain at the service.
    pub domain: String,
    /// Which requests are counted at all.
    pub matches: HttpMatch,
    /// Which counters a request touches.
    pub buckets: Vec<LimitBucket>,
    /// Whether requests are refused.
    pub mode: Enforcement,
    /// What happens when the service does not answer in time.
    pub on_error: OnError,
    /// How long the service may take.
    pub timeout: Duration,
    /// Where it comes from.
    pub origin: Origin,
}

/// A limit that each pod counts by itself, as token buckets that fill once per unit.
#[derive(Clone, Debug, Hash)]
pub struct LocalLimit {
    /// Its name, unique in the port.
    pub name: String,
    /// Which requests are counted at all.
    pub matches: HttpMatch,
    /// Which counters a request touches, each with its own limit.
    pub buckets: Vec<LimitBucket>,
    /// Whether requests are refused.
    pub mode: Enforcement,
    /// Where it comes from.
    pub origin: Origin,
}

/// One counter of a limit, or one for each combination of values, and the requests that it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LimitBucket {
    /// The descriptor's value: `<tier>_request`, `otherwise`, `total` or `each_1`.
    pub value: String,
    /// Which requests.
    pub condition: LimitCondition,
    /// What there is a counter for each value of; empty: there is one.
    pub keys: Vec<LimitKey>,
    /// How many are admitted at once, where a pod counts; none where `requests` is 0.
    pub burst: u64,
    /// How many are admitted; 0 admits none …
    pub requests: u64,
    /// … per this long.
    pub per: Duration,
}

/// Which requests a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// The key of the descriptor's entry for a value.
#[must_use]
pub fn key_name(key: &LimitKey) -> String {
    match key {
        LimitKey::Caller => String::from("caller"),
        LimitKey::Address | LimitKey::Client => String::from("address"),
        LimitKey::Path => String::from("path"),
        LimitKey::Header(name) => format!("header_{name}"),
        LimitKey::Cookie(name) => format!("cookie_{name}"),
        LimitKey::Query(name) => format!("query_{name}"),
    }
}
