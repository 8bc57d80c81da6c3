//! What policies say about a route, and what they cannot say about one.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::{PolicySettings, Retry, Timeout};

use crate::{Provenance, Setting};

/// What policies say about a route. What is absent is decided by the callee's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePolicies<'m> {
    /// Retries of its rules that set none themselves.
    pub retry: Setting<'m, Option<&'m Retry>>,
    /// Timeouts of its rules that set none themselves.
    pub timeout: Setting<'m, Option<&'m Timeout>>,
}

impl<'m> RoutePolicies<'m> {
    /// A route that no policy names.
    pub(crate) const NONE: Self = Self { retry: Setting::assumed(None), timeout: Setting::assumed(None) };

    /// What holds at a route that a policy with these settings names. A setting that a route cannot carry is refused by
    /// name and place: here, and nowhere else, is it decided which those are.
    pub(crate) fn with(
        self,
        settings: &'m PolicySettings,
        said: impl Fn(&'m Origin) -> Provenance<'m>,
        mut refuse: impl FnMut(&'static str, &'m Origin),
    ) -> Self {
        let PolicySettings {
            balance,
            failover,
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
        if let Some(value) = retry {
            inner.retry = Setting { value: Some(value), from: said(&value.origin) };
        }
        if let Some(value) = timeout {
            inner.timeout = Setting { value: Some(value), from: said(&value.origin) };
        }
        // These belong to a callee, whoever calls it.
        balance.iter().for_each(|it| refuse("balance", &it.origin));
        failover.iter().for_each(|it| refuse("failover", &it.origin));
        outlier.iter().for_each(|it| refuse("outlier", &it.origin));
        pool.iter().for_each(|it| refuse("pool", &it.origin));
        allow.iter().for_each(|it| refuse("allow", &it.origin));
        deny.iter().for_each(|it| refuse("deny", &it.origin));
        audited_allow.iter().for_each(|it| refuse("allow", &it.origin));
        audited_deny.iter().for_each(|it| refuse("deny", &it.origin));
        rate_limits.iter().for_each(|it| refuse("rate_limit", &it.origin));
        inner
    }
}
