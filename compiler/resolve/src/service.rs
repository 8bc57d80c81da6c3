//! What holds at a service: one value of each kind of policy.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::{
    AuthorizationRule, Balance, Defaults, Failover, Health, Outlier, PolicySettings, Pool, RateLimit, Retry,
    Timeout,
};
use meshc_vocabulary::model::{Id, Policy};

use crate::{Provenance, Setting};

/// What holds at a service once all scopes are weighed: for each kind of setting the one of the nearest policy that has
/// it, as a whole; else the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePolicies<'m> {
    /// Which endpoint gets a request.
    pub balance: Setting<'m, &'m Balance>,
    /// Order of localities.
    pub failover: Setting<'m, &'m Failover>,
    /// Checks of endpoints; `None`: nobody asked for any.
    pub health: Setting<'m, Option<&'m Health>>,
    /// Ejection of failing endpoints.
    pub outlier: Setting<'m, &'m Outlier>,
    /// Connection pools and circuit breakers.
    pub pool: Setting<'m, &'m Pool>,
    /// Retries; `None`: nobody asked for any.
    pub retry: Setting<'m, Option<&'m Retry>>,
    /// Timeouts.
    pub timeout: Setting<'m, &'m Timeout>,
    /// Who may call, all of one policy; empty: everyone with a declared call.
    pub allow: Setting<'m, &'m [AuthorizationRule]>,
    /// Who may not, whatever `allow` says; all of one policy.
    pub deny: Setting<'m, &'m [AuthorizationRule]>,
    /// An `allow` that is tried, all of one policy; empty: none is.
    pub audited_allow: Setting<'m, &'m [AuthorizationRule]>,
    /// A `deny` that is tried, all of one policy.
    pub audited_deny: Setting<'m, &'m [AuthorizationRule]>,
    /// Limits of requests, all of one policy.
    pub rate_limits: Setting<'m, &'m [RateLimit]>,
}

/// A limit, whoever it is applied to: two services under one policy share the id and not the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId {
    /// The policy.
    pub policy: Id<Policy>,
    /// The position among the policy's limits.
    pub index: usize,
}

impl<'m> ServicePolicies<'m> {
    /// What holds where no policy says anything.
    pub(crate) const fn defaults(defaults: &'m Defaults) -> Self {
        let Defaults { balance, failover, outlier, pool, timeout } = defaults;
        Self {
            balance: Setting::assumed(balance),
            failover: Setting::assumed(failover),
            health: Setting::assumed(None),
            outlier: Setting::assumed(outlier),
            pool: Setting::assumed(pool),
            retry: Setting::assumed(None),
            timeout: Setting::assumed(timeout),
            allow: Setting::assumed(&[]),
            deny: Setting::assumed(&[]),
            audited_allow: Setting::assumed(&[]),
            audited_deny: Setting::assumed(&[]),
            rate_limits: Setting::assumed(&[]),
        }
    }

    /// What holds for the subsets of a service that has these.
    pub(crate) fn inherited(self) -> Self {
        let Self {
            balance,
            failover,
            health,
            outlier,
            pool,
            retry,
            timeout,
            allow,
            deny,
            audited_allow,
            audited_deny,
            rate_limits,
        } = self;
        Self {
            balance: balance.inherited(),
            failover: failover.inherited(),
            health: health.inherited(),
            outlier: outlier.inherited(),
            pool: pool.inherited(),
            retry: retry.inherited(),
            timeout: timeout.inherited(),
            allow: allow.inherited(),
            deny: deny.inherited(),
            audited_allow: audited_allow.inherited(),
            audited_deny: audited_deny.inherited(),
            rate_limits: rate_limits.inherited(),
        }
    }

    /// What holds one level further in, where a policy makes these settings.
    pub(crate) fn with(
        self,
        settings: &'m PolicySettings,
        said: impl Fn(&'m Origin) -> Provenance<'m>,
    ) -> Self {
        let PolicySettings {
            balance,
            failover,
            health,
            outlier,
            pool,
            retry,
            timeout,
            allow,
            deny,
            audited_allow,
            audited_deny,
            rate_limits,
        } = settings;
        let mut inner = self;
        if let Some(value) = balance {
            inner.balance = Setting { value, from: said(&value.origin) };
        }
        if let Some(value) = failover {
            inner.failover = Setting { value, from: said(&value.origin) };
        }
        if let Some(value) = health {
            inner.health = Setting { value: Some(value), from: said(&value.origin) };
        }
        if let Some(value) = outlier {
            inner.outlier = Setting { value, from: said(&value.origin) };
        }
        if let Some(value) = pool {
            inner.pool = Setting { value, from: said(&value.origin) };
        }
        if let Some(value) = retry {
            inner.retry = Setting { value: Some(value), from: said(&value.origin) };
        }
        if let Some(value) = timeout {
            inner.timeout = Setting { value, from: said(&value.origin) };
        }
        if let Some(first) = allow.first() {
            inner.allow = Setting { value: allow, from: said(&first.origin) };
        }
        if let Some(first) = deny.first() {
            inner.deny = Setting { value: deny, from: said(&first.origin) };
        }
        // What is tried is weighed by itself, so that trying a rule takes no other one out of force.
        if let Some(first) = audited_allow.first() {
            inner.audited_allow = Setting { value: audited_allow, from: said(&first.origin) };
        }
        if let Some(first) = audited_deny.first() {
            inner.audited_deny = Setting { value: audited_deny, from: said(&first.origin) };
        }
        if let Some(first) = rate_limits.first() {
            inner.rate_limits = Setting { value: rate_limits, from: said(&first.origin) };
        }
        inner
    }
}

impl<'m> Setting<'m, &'m [RateLimit]> {
    /// The limits with their identities, in source order.
    pub fn identified(self) -> impl Iterator<Item = (LimitId, &'m RateLimit)> {
        let Self { value, from } = self;
        from.policy().into_iter().flat_map(move |policy| {
            value.iter().enumerate().map(move |(index, limit)| (LimitId { policy, index }, limit))
        })
    }
}
