//! How a call is handled: the rule of a route says it, else a policy on the route, else the callee's policies.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use meshc_vocabulary::model::policy::{Bound, OrDefault, Retry, Timeout};
use meshc_vocabulary::model::{Id, Protocol, Route, RouteRule};

use crate::{Provenance, RoutePolicies, ServicePolicies, Setting};

/// What a request came through, as far as that decides how it is handled.
#[derive(Clone, Copy, Debug)]
pub enum Through<'m> {
    /// A declared call: the callee's policies apply.
    Call,
    /// A rule of a route.
    Rule {
        /// The route.
        route: Id<Route>,
        /// The rule's position in the route.
        position: usize,
        /// The rule.
        rule: &'m RouteRule,
    },
}

/// How calls of one port are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct<'m> {
    /// From the request's end to the answer's end; `None`: unbounded.
    pub timeout: Setting<'m, Option<Duration>>,
    /// How long a stream or connection may stay silent; `None`: unbounded.
    pub idle: Setting<'m, Option<Duration>>,
    /// When a request is sent again; `None`: nobody asked for it.
    pub retry: Setting<'m, Option<&'m Retry>>,
}

impl<'m> Conduct<'m> {
    /// The conduct of calls through a route's rule, if one is given with its route's policies.
    pub(crate) fn new(
        through: Through<'m>,
        route: &RoutePolicies<'m>,
        callee: &ServicePolicies<'m>,
        protocol: Protocol,
    ) -> Self {
        // Limits are the gateway's, whatever is called.
        let RoutePolicies { retry: route_retry, timeout: route_timeout, rate_limits: _, clients: _ } = *route;
        let timeouts = match route_timeout {
            Setting { value: Some(value), from } => Setting { value, from },
            Setting { value: None, from: _ } => callee.timeout,
        };
        let retry = if route_retry.value.is_some() { route_retry } else { callee.retry };
        let Timeout { origin: _, request, idle } = timeouts.value;
        let (request, retry) = match protocol {
            Protocol::Http | Protocol::Http2 | Protocol::Grpc => {
                let request = || bound(*request, timeouts.from, protocol);
                (through.timeout().unwrap_or_else(request), through.retry().unwrap_or(retry))
            }
            // Nothing on the connection is a request.
            Protocol::Tcp | Protocol::Tls => (Setting::assumed(None), Setting::assumed(None)),
        };
        let mut idle = bound(*idle, timeouts.from, protocol);
        // The default for silence bounds what a peer that went away can hold; it never cuts a request that was given
        // more time than it.
        if idle.from == Provenance::Default {
            idle.value = idle.value.map(|idle| request.value.map_or(idle, |request| request.max(idle)));
        }
        Self { timeout: request, idle, retry }
    }
}

impl<'m> Through<'m> {
    /// The timeout that a route's rule sets itself.
    fn timeout(self) -> Option<Setting<'m, Option<Duration>>> {
        match self {
            Self::Call => None,
            Self::Rule { route, position, rule } => rule.timeout.map(|Bound(value)| {
                let from = Provenance::Rule { route, rule: position, at: &rule.origin };
                Setting { value, from }
            }),
        }
    }

    /// The retries that a route's rule sets itself.
    fn retry(self) -> Option<Setting<'m, Option<&'m Retry>>> {
        match self {
            Self::Call => None,
            Self::Rule { route, position, rule } => rule.retry.as_ref().map(|retry| {
                let from = Provenance::Rule { route, rule: position, at: &retry.origin };
                Setting { value: Some(retry), from }
            }),
        }
    }
}

/// A bound on time by protocol. The defaults are made for requests and answers; gRPC calls and TCP connections may be
/// streams, so only what was declared bounds them.
fn bound<'m>(
    value: OrDefault<Option<Duration>>,
    from: Provenance<'m>,
    protocol: Protocol,
) -> Setting<'m, Option<Duration>> {
    let OrDefault { value, declared } = value;
    match (declared, protocol) {
        (Some(_), _) => Setting { value, from },
        (None, Protocol::Http | Protocol::Http2) => Setting::assumed(value),
        (None, Protocol::Grpc | Protocol::Tcp | Protocol::Tls) => Setting::assumed(None),
    }
}
