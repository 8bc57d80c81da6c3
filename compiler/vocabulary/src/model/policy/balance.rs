//! `balance`: which endpoint of a locality gets the next request.

use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};

/// How requests are spread over the endpoints of a locality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Where it is declared.
    pub origin: Origin,
    /// What decides.
    pub by: Spanned<BalanceBy>,
    /// How long a new endpoint takes to get its full share, if it gets less at first.
    pub slow_start: Option<Spanned<Duration>>,
}

/// What decides which endpoint gets the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BalanceBy {
    /// All in turn.
    RoundRobin,
    /// Of two at random, the one with fewer requests under way.
    LeastRequest,
    /// Any, at random.
    Random,
    /// Properties of the request, in order and never empty: what has the same values of them goes to the same endpoint.
    Hash(Vec<HashKey>),
}

/// The property of a request that decides where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKey {
    /// A header's lines, by its name in lower case.
    Header(String),
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
        /// How long it lives where the proxy sets it; `None`: the proxy never sets it.
        ttl: Option<CookieTtl>,
    },
    /// The client's address at an ingress gateway.
    Source,
    /// A parameter of the query.
    Query(String),
}

/// How long a cookie lives that a proxy sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CookieTtl {
    /// Until the client ends.
    Session,
    /// So long.
    For(Duration),
}
