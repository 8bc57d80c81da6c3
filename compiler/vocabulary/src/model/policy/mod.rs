//! Policies: what they say and what they attach to. Which of them hold where is worked out by the stage after this.
//!
//! A policy attaches to the mesh, a namespace, services, routes or gateways. For each kind of setting the nearest policy that
//! has it wins as a whole; what it leaves out takes the defaults, never an outer policy's value. Two policies with
//! the same kind of setting at one level are an error.

mod authorization;
mod balance;
mod failover;
mod health;
mod or_default;
mod outlier;
mod pool;
mod rate_limit;
mod retry;
mod timeout;

use lang_diagnostics::{Origin, Spanned};

pub use authorization::{AddressRange, AuthorizationRule, Exception, Requests, Source};
pub use balance::{Balance, BalanceBy, CookieTtl, HashKey};
pub use failover::{Failover, FailoverBy};
pub use health::{Health, HealthCheck};
pub use or_default::OrDefault;
pub use outlier::{Failures, Judged, Outlier};
pub use pool::Pool;
pub use rate_limit::{Each, Enforcement, LimitKey, OnError, RateLimit, RateLimitScope, Tier};
pub use retry::{BackOff, GrpcStatus, Retry, RetryOn};
pub use timeout::{Bound, Timeout};

use super::{Gateway, HttpMatch, Id, Namespace, Route, Service};

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique in its namespace (or among those of the mesh).
    pub name: String,
    /// The namespace it is declared in, or `None` at the top level.
    pub namespace: Option<Id<Namespace>>,
    /// What it attaches to.
    pub scope: PolicyScope,
    /// What it says.
    pub settings: PolicySettings,
}

/// What a policy attaches to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// Declared at the top level without targets.
    Mesh,
    /// Declared in a namespace without targets.
    Namespace(Id<Namespace>),
    /// `targets = […]`, `routes = […]` and `gateways = […]`, each in source order.
    Targets {
        /// The services.
        services: Vec<Spanned<Id<Service>>>,
        /// The routes.
        routes: Vec<Spanned<Id<Route>>>,
        /// The ingress gateways.
        gateways: Vec<Spanned<Id<Gateway>>>,
    },
}

/// The settings that one policy makes; what is absent is not set by it.
#[derive(Clone, Debug, Default)]
pub struct PolicySettings {
    /// Which endpoint gets a request.
    pub balance: Option<Balance>,
    /// Order of localities.
    pub failover: Option<Failover>,
    /// Checks of endpoints.
    pub health: Option<Health>,
    /// Ejection of failing endpoints.
    pub outlier: Option<Outlier>,
    /// Connection pools and circuit breakers.
    pub pool: Option<Pool>,
    /// Retries.
    pub retry: Option<Retry>,
    /// Timeouts.
    pub timeout: Option<Timeout>,
    /// Who may call; empty: everyone with a declared call.
    pub allow: Vec<AuthorizationRule>,
    /// Who may not, whatever `allow` says.
    pub deny: Vec<AuthorizationRule>,
    /// An `allow` that is tried: what it would refuse passes, and is counted and logged.
    pub audited_allow: Vec<AuthorizationRule>,
    /// A `deny` that is tried.
    pub audited_deny: Vec<AuthorizationRule>,
    /// Limits of requests.
    pub rate_limits: Vec<RateLimit>,
}

impl PolicySettings {
    /// The rules about callers: those of `allow`, then those of `deny`, then those that are tried.
    pub fn rules(&self) -> impl Iterator<Item = &AuthorizationRule> {
        self.allow.iter().chain(&self.deny).chain(&self.audited_allow).chain(&self.audited_deny)
    }

    /// Every condition on requests, with the block that it stands in.
    pub fn conditions(&self) -> impl Iterator<Item = (&HttpMatch, &Origin)> {
        let Self {
            balance: _,
            failover: _,
            health: _,
            outlier: _,
            pool: _,
            retry: _,
            timeout: _,
            // These are what `rules` names.
            allow: _,
            deny: _,
            audited_allow: _,
            audited_deny: _,
            rate_limits,
        } = self;
        let rules = self.rules().flat_map(|rule| {
            let matches = rule.requests().flat_map(|requests| &requests.matches);
            matches.map(|matches| (matches, &rule.origin))
        });
        rules.chain(rate_limits.iter().map(|limit| (&limit.matches, &limit.origin)))
    }
}

/// What holds where no policy says otherwise: the settings of `stdlib/defaults.mesh`.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Which endpoint gets a request.
    pub balance: Balance,
    /// Order of localities.
    pub failover: Failover,
    /// Ejection of failing endpoints.
    pub outlier: Outlier,
    /// Connection pools and circuit breakers.
    pub pool: Pool,
    /// Timeouts.
    pub timeout: Timeout,
}
