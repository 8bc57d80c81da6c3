//! `rate_limit`: how many requests are admitted.

use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};
use lang_syntax::ast::Rate;

use crate::model::HttpMatch;

/// A limit of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Where it is declared.
    pub origin: Origin,
    /// Who counts.
    pub scope: Spanned<RateLimitScope>,
    /// Which requests; an empty match is all of them.
    pub matches: HttpMatch,
    /// The header whose value chooses the tier, lower case; `None`: only `otherwise` counts.
    pub header: Option<Spanned<String>>,
    /// The tiers in source order; empty without `header`.
    pub tiers: Vec<Tier>,
    /// The rate of requests that no tier counts, all together; `None`: they are free.
    pub otherwise: Option<Spanned<Rate>>,
    /// The rate of all requests together, beside everything else.
    pub total: Option<Spanned<Rate>>,
    /// Counters for each value of something, in source order.
    pub each: Vec<Each>,
    /// How many requests each counter admits at once; `None`: as many as its rate says.
    pub burst: Option<Spanned<u64>>,
    /// Whether requests are refused.
    pub mode: Enforcement,
    /// What happens when the rate-limit service does not answer.
    pub on_error: OnError,
    /// How long the rate-limit service may take.
    pub timeout: Duration,
    /// The domain at the rate-limit service, if the user named one.
    pub domain: Option<Spanned<String>>,
}

/// One tier: requests whose header has exactly this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The header's value.
    pub value: Spanned<String>,
    /// How many are admitted.
    pub rate: Rate,
}

/// A counter for each combination of values that requests have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// Where it is declared.
    pub origin: Origin,
    /// What tells the counters apart, in order; never empty.
    pub keys: Vec<LimitKey>,
    /// How many requests each of them admits.
    pub rate: Spanned<Rate>,
}

/// What a counter is kept for each value of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKey {
    /// The identity of the caller.
    Caller,
    /// The address that connects.
    Address,
    /// The address of the client, as an ingress gateway makes it out: what `address` is at a gateway.
    Client,
    /// The path.
    Path,
    /// A header of this name, in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
}

/// Whether a limit or a rule is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// It refuses requests.
    Enforced,
    /// It is tried: it counts, and refuses nothing.
    Audited,
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateLimitScope {
    /// Each pod by itself.
    Pod,
    /// All pods of a cluster together, through its rate-limit service.
    Cluster,
    /// All pods of the mesh together.
    Mesh,
}

/// What happens when the rate-limit service does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnError {
    /// The request passes, and it is counted (the default).
    Allow,
    /// The request is answered with 429: a 5xx would eject the gateway at the caller.
    Deny,
}
