//! Who calls whom: declared calls and destinations of routes as edges of one graph.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Origin, Spanned};
use meshc_vocabulary::model::filter::{Mirror, RouteFilter};
use meshc_vocabulary::model::policy::{RateLimit, RateLimitScope};
use meshc_vocabulary::model::{
    Call, Callee, Destination, ExternalHost, Gateway, Id, Model, Mtls, Port, Route, RouteRule, Service,
};

use crate::routed::Routed;
use crate::{GatewayPolicies, Peer, RoutePolicies, ServicePolicies, Through};

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'m> {
    /// A service or client.
    Service(Id<Service>),
    /// A gateway, for a rule of a route.
    Route {
        /// The gateway.
        gateway: Id<Gateway>,
        /// The route.
        route: Id<Route>,
        /// The rule's position in the route.
        position: usize,
        /// The rule.
        rule: &'m RouteRule,
    },
    /// A service or client whose call of something else a rule of a route takes.
    Routed {
        /// Who calls.
        service: Id<Service>,
        /// The route.
        route: Id<Route>,
        /// The rule's position in the route.
        position: usize,
        /// The rule.
        rule: &'m RouteRule,
    },
    /// The sidecars of a service, for a limit of it that is counted for the whole mesh.
    Limited(Id<Service>),
    /// A gateway, for such a limit of it or of a route.
    LimitedGateway(Id<Gateway>),
}

/// One call of a service, or one destination of a route at one of its gateways or for one of its callers.
#[derive(Clone, Debug)]
pub struct Edge<'m, To = Id<Service>> {
    /// Who calls.
    pub caller: Caller<'m>,
    /// What is called.
    pub callee: To,
    /// Positions of the callee's ports that are meant, in order.
    pub ports: Cow<'static, [usize]>,
    /// The call or the destination.
    pub origin: &'m Origin,
}

impl<'m> Caller<'m> {
    /// `shop.web` or `west.ingress`, as messages name a caller.
    #[must_use]
    pub fn name(self, model: &Model) -> String {
        match self {
            Self::Service(service)
            | Self::Limited(service)
            | Self::Routed { service, route: _, position: _, rule: _ } => model.service_name(service),
            Self::LimitedGateway(gateway) | Self::Route { gateway, route: _, position: _, rule: _ } => {
                model.gateway_name(gateway)
            }
        }
    }

    /// How the callee tells it apart.
    #[must_use]
    pub fn peer(self, model: &'m Model) -> Peer<'m> {
        match self {
            Self::Service(service)
            | Self::Limited(service)
            | Self::Routed { service, route: _, position: _, rule: _ } => Peer::of_service(model, service),
            Self::LimitedGateway(gateway) | Self::Route { gateway, route: _, position: _, rule: _ } => {
                Peer::Gateway(gateway)
            }
        }
    }

    /// The service or client whose application calls.
    #[must_use]
    pub const fn service(self) -> Option<Id<Service>> {
        match self {
            Self::Service(service) | Self::Routed { service, route: _, position: _, rule: _ } => {
                Some(service)
            }
            Self::Limited(_)
            | Self::LimitedGateway(_)
            | Self::Route { gateway: _, route: _, position: _, rule: _ } => None,
        }
    }

    /// The rule of a route that makes it call, if it is one.
    #[must_use]
    pub const fn rule(self) -> Option<(Id<Route>, &'m RouteRule)> {
        match self {
            Self::Route { gateway: _, route, position: _, rule }
            | Self::Routed { service: _, route, position: _, rule } => Some((route, rule)),
            Self::Service(_) | Self::Limited(_) | Self::LimitedGateway(_) => None,
        }
    }

    /// What decides how its requests are handled.
    #[must_use]
    pub const fn through(self) -> Through<'m> {
        match self {
            Self::Service(_) | Self::Limited(_) | Self::LimitedGateway(_) => Through::Call,
            Self::Route { gateway: _, route, position, rule }
            | Self::Routed { service: _, route, position, rule } => Through::Rule { route, position, rule },
        }
    }
}

/// The edges to services and those to hosts outside, each in order of caller: services before routes.
pub(crate) fn edges<'m>(
    model: &'m Model,
    routed: &Routed,
) -> (Vec<Edge<'m>>, Vec<Edge<'m, Id<ExternalHost>>>) {
    // A large mesh has many calls, and a list that doubles would for a while be three times as large.
    let calls = model.services.iter().map(|(_, service)| service.calls.len()).sum();
    let mut inside = Vec::with_capacity(calls);
    let mut outside = Vec::new();
    let mut add = |caller, callee, port: &dyn Fn(&[Port]) -> Cow<'static, [usize]>, origin| match callee {
        Callee::Service(callee) => {
            let ports = port(&model.services.at(callee).ports);
            inside.push(Edge { caller, callee, ports, origin });
        }
        Callee::External(callee) => {
            let ports = port(&model.externals.at(callee).ports);
            outside.push(Edge { caller, callee, ports, origin });
        }
    };
    for (id, service) in model.services.iter() {
        for Call { origin, callee, port, critical: _ } in &service.calls {
            let ports = |ports: &[Port]| call_ports(ports, port.as_ref());
            add(Caller::Service(id), *callee, &ports, origin);
        }
    }
    let callers = callers(routed);
    for (route, entry) in model.routes.iter() {
        let callers = callers.get(&route).into_iter().flatten();
        for (position, rule) in entry.rules.iter().enumerate() {
            let mirrors = rule.filters.iter().filter_map(mirrored);
            for to in rule.action.destinations().iter().chain(mirrors) {
                let ports = |ports: &[Port]| destination_port(ports, to.port.as_ref()).into_iter().collect();
                for gateway in entry.scope.gateways() {
                    let caller = Caller::Route { gateway: gateway.value, route, position, rule };
                    add(caller, to.callee, &ports, &to.origin);
                }
                for service in callers.clone() {
                    let caller = Caller::Routed { service: *service, route, position, rule };
                    add(caller, to.callee, &ports, &to.origin);
                }
            }
        }
    }
    (inside, outside)
}

/// The edges to the service that counts for the whole mesh: of whatever has a limit that it counts.
pub(crate) fn counted<'m>(
    model: &'m Model,
    services: &[ServicePolicies<'m>],
    routes: &[RoutePolicies<'m>],
    gateways: &[GatewayPolicies<'m>],
) -> Vec<Edge<'m>> {
    let Some(callee) = model.limiter else { return Vec::new() };
    let mut found: Vec<(Caller<'m>, &'m Origin)> = Vec::new();
    for ((id, service), policies) in model.services.iter().zip(services) {
        let sees_requests =
            service.ports.iter().any(|port| port.protocol.is_http() && port.mtls != Mtls::Off);
        if sees_requests && service.subset_of.is_none() {
            found.extend(mesh_wide(policies.rate_limits.value).map(|origin| (Caller::Limited(id), origin)));
        }
    }
    for ((_, route), policies) in model.routes.iter().zip(routes) {
        for gateway in route.scope.gateways() {
            let caller = Caller::LimitedGateway(gateway.value);
            found.extend(mesh_wide(policies.rate_limits.value).map(|origin| (caller, origin)));
        }
    }
    for (id, policies) in model.gateways.ids().zip(gateways) {
        let limits = mesh_wide(policies.rate_limits.value);
        found.extend(limits.map(|origin| (Caller::LimitedGateway(id), origin)));
    }
    let ports = Cow::Borrowed(&[0][..]);
    found.into_iter().map(|(caller, origin)| Edge { caller, callee, ports: ports.clone(), origin }).collect()
}

/// Where limits are declared that are counted for the whole mesh.
fn mesh_wide(limits: &[RateLimit]) -> impl Iterator<Item = &Origin> {
    let mesh_wide = |limit: &&RateLimit| match limit.scope.value {
        RateLimitScope::Mesh => true,
        RateLimitScope::Pod | RateLimitScope::Cluster => false,
    };
    limits.iter().filter(mesh_wide).map(|limit| &limit.origin)
}

/// Whose calls each route takes, in order.
fn callers(routed: &Routed) -> BTreeMap<Id<Route>, BTreeSet<Id<Service>>> {
    let mut callers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (call, routes) in routed {
        for route in routes {
            callers.entry(*route).or_default().insert(call.caller);
        }
    }
    callers
}

/// What a filter sends requests to beside the rule's destinations.
#[must_use]
pub const fn mirrored(filter: &RouteFilter) -> Option<&Destination> {
    match filter {
        RouteFilter::Mirror(Mirror { to, share: _ }) => Some(to),
        RouteFilter::RequestHeaders(_)
        | RouteFilter::ResponseHeaders(_)
        | RouteFilter::Cors(_)
        | RouteFilter::Fault(_)
        | RouteFilter::Rewrite(_) => None,
    }
}

/// Position of the port that a route's destination means: the named one, else the callee's first.
#[must_use]
pub fn destination_port(ports: &[Port], name: Option<&Spanned<String>>) -> Option<usize> {
    match name {
        Some(name) => ports.iter().position(|port| port.name == name.value),
        None => (!ports.is_empty()).then_some(0),
    }
}

/// Positions of the ports that a call means: the named one, else all.
pub(crate) fn call_ports(ports: &[Port], name: Option<&Spanned<String>>) -> Cow<'static, [usize]> {
    /// All ports of nearly every callee. A large mesh has many calls, and most of them mean these.
    static FIRST: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    let Some(name) = name else {
        return FIRST.get(..ports.len()).map_or_else(|| (0..ports.len()).collect(), Cow::Borrowed);
    };
    let named = ports.iter().enumerate().filter(|(_, port)| port.name == name.value);
    named.map(|(index, _)| index).collect()
}
