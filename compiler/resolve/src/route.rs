//! What policies say about a route or a gateway, and what they cannot say about one.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::{PolicySettings, RateLimit, Retry, Timeout};
use meshc_vocabulary::model::{Gateway, GatewayProtocol, RouteScope};

use crate::{ClientRules, Obstacle, Provenance, Setting};

/// What policies say about a route. What is absent is decided by the callee's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePolicies<'m> {
    /// Retries of its rules that set none themselves.
    pub retry: Setting<'m, Option<&'m Retry>>,
    /// Timeouts of its rules that set none themselves.
    pub timeout: Setting<'m, Option<&'m Timeout>>,
    /// Limits of its requests where gateways serve it, all of one policy.
    pub rate_limits: Setting<'m, &'m [RateLimit]>,
    /// Whose requests or connections gateways take for it, of those that they take at all.
    pub clients: ClientRules<'m>,
}

/// What policies say about an ingress gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayPolicies<'m> {
    /// Limits of all requests at its ports, all of one policy.
    pub rate_limits: Setting<'m, &'m [RateLimit]>,
    /// Whose requests and connections it takes.
    pub clients: ClientRules<'m>,
}

impl<'m> RoutePolicies<'m> {
    /// A route that no policy names.
    pub(crate) const NONE: Self = Self {
        retry: Setting::assumed(None),
        timeout: Setting::assumed(None),
        rate_limits: Setting::assumed(&[]),
        clients: ClientRules::NONE,
    };

    /// What holds at a route that a policy with these settings names. A setting that a route cannot carry is refused by
    /// name and place: here, and nowhere else, is it decided which those are.
    pub(crate) fn with(
        self,
        scope: &RouteScope,
        settings: &'m PolicySettings,
        said: impl Fn(&'m Origin) -> Provenance<'m>,
        mut note: impl FnMut(&'static str, &'m Origin, Obstacle),
    ) -> Self {
        let (retry, timeout, rate_limits) = (&settings.retry, &settings.timeout, &settings.rate_limits);
        let mut inner = self;
        if let Some(value) = retry {
            inner.retry = Setting { value: Some(value), from: said(&value.origin) };
        }
        if let Some(value) = timeout {
            inner.timeout = Setting { value: Some(value), from: said(&value.origin) };
        }
        if let Some(first) = rate_limits.first() {
            match scope {
                RouteScope::Gateways(at) if at.protocol == GatewayProtocol::Http => {
                    inner.rate_limits = Setting { value: rate_limits, from: said(&first.origin) };
                }
                RouteScope::Gateways(_) => note("rate_limit", &first.origin, Obstacle::Connections),
                // What callers count, each for itself, bounds nothing.
                RouteScope::Calls(_) => note("rate_limit", &first.origin, Obstacle::Callers),
            }
        }
        let inside = match scope {
            RouteScope::Gateways(_) => None,
            RouteScope::Calls(_) => Some(Obstacle::Inside),
        };
        of_a_callee(settings, |setting, at| note(setting, at, Obstacle::Route));
        inner.clients = self.clients.with(settings, said, inside, Obstacle::Route, note);
        inner
    }
}

impl<'m> GatewayPolicies<'m> {
    /// A gateway that no policy names.
    pub(crate) const NONE: Self = Self { rate_limits: Setting::assumed(&[]), clients: ClientRules::NONE };

    /// What holds at a gateway that a policy with these settings names; all others are refused by name and place.
    pub(crate) fn with(
        self,
        gateway: &Gateway,
        settings: &'m PolicySettings,
        said: impl Fn(&'m Origin) -> Provenance<'m>,
        mut note: impl FnMut(&'static str, &'m Origin, Obstacle),
    ) -> Self {
        let (retry, timeout, rate_limits) = (&settings.retry, &settings.timeout, &settings.rate_limits);
        let mut inner = self;
        if let Some(first) = rate_limits.first() {
            if gateway.ports.iter().any(|port| port.protocol == GatewayProtocol::Http) {
                inner.rate_limits = Setting { value: rate_limits, from: said(&first.origin) };
            } else {
                note("rate_limit", &first.origin, Obstacle::Connections);
            }
        }
        inner.clients = self.clients.with(settings, said, None, Obstacle::Gateway, &mut note);
        let mut refuse = |setting, at| note(setting, at, Obstacle::Gateway);
        of_a_callee(settings, &mut refuse);
        retry.iter().for_each(|it| refuse("retry", &it.origin));
        timeout.iter().for_each(|it| refuse("timeout", &it.origin));
        inner
    }
}

/// What belongs to a callee, whoever calls it, by name and place: neither a route nor a gateway can carry it. What is left
/// out here, each of the two decides about.
fn of_a_callee<'m>(settings: &'m PolicySettings, mut refuse: impl FnMut(&'static str, &'m Origin)) {
    let PolicySettings {
        balance,
        failover,
        health,
        outlier,
        pool,
        retry: _,
        timeout: _,
        allow: _,
        deny: _,
        audited_allow: _,
        audited_deny: _,
        rate_limits: _,
    } = settings;
    balance.iter().for_each(|it| refuse("balance", &it.origin));
    failover.iter().for_each(|it| refuse("failover", &it.origin));
    health.iter().for_each(|it| refuse("health", &it.origin));
    outlier.iter().for_each(|it| refuse("outlier", &it.origin));
    pool.iter().for_each(|it| refuse("pool", &it.origin));
}
