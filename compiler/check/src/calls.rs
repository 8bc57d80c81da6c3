//! Who calls whom: declared calls and destinations of routes as edges of one graph.

use lang_diagnostics::Origin;
use meshc_topology::{call_ports, destination_port};
use meshc_vocabulary::model::policy::{AuthorizationRule, Source};
use meshc_vocabulary::model::{Callee, Gateway, Id, Model, Route, RouteRule, Service};

/// Who calls.
#[derive(Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// A service or client.
    Service(Id<Service>),
    /// A gateway, for a rule of a route.
    Route { gateway: Id<Gateway>, route: Id<Route>, rule: &'a RouteRule },
}

/// One call of a service, or one destination of a route at one of its gateways.
pub(crate) struct Edge<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) callee: Id<Service>,
    /// Positions of the callee's ports.
    pub(crate) ports: Vec<usize>,
    pub(crate) origin: &'a Origin,
}

/// All of them, in order of caller. Hosts outside the mesh are nobody's business here.
pub(crate) fn edges(model: &Model) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for (id, service) in model.services.iter() {
        for call in &service.calls {
            let Callee::Service(callee) = call.callee else { continue };
            let ports = call_ports(&model.services.at(callee).ports, call.port.as_ref()).collect();
            edges.push(Edge { caller: Caller::Service(id), callee, ports, origin: &call.origin });
        }
    }
    for (id, route) in model.routes.iter() {
        for rule in &route.rules {
            for to in &rule.to {
                let Callee::Service(callee) = to.callee else { continue };
                let port = destination_port(&model.services.at(callee).ports, to.port.as_ref());
                let ports: Vec<_> = port.into_iter().collect();
                edges.extend(route.gateways.iter().map(|gateway| Edge {
                    caller: Caller::Route { gateway: gateway.value, route: id, rule },
                    callee,
                    ports: ports.clone(),
                    origin: &to.origin,
                }));
            }
        }
    }
    edges
}

impl Caller<'_> {
    /// `shop.web` or `west.ingress`, as messages name a caller.
    pub(crate) fn name(self, model: &Model) -> String {
        match self {
            Self::Service(service) => model.service_name(service),
            Self::Route { gateway, .. } => model.gateway_name(gateway),
        }
    }

    /// Whether a source means this caller. Services with one account have one identity, so either means both.
    pub(crate) fn is_meant_by(self, model: &Model, source: Source) -> bool {
        match (self, source) {
            (Self::Service(own), Source::Service(other)) => {
                let (own, other) = (model.services.at(own), model.services.at(other));
                own.namespace == other.namespace && own.account == other.account
            }
            (Self::Service(own), Source::Namespace(namespace)) => {
                model.services.at(own).namespace == namespace
            }
            (Self::Route { gateway, .. }, Source::Gateway(other)) => gateway == other,
            (Self::Route { .. }, Source::Namespace(namespace)) => {
                model.namespaces.at(namespace).name == model.mesh.namespace
            }
            (Self::Service(_), Source::Gateway(_))
            | (Self::Route { .. }, Source::Service(_))
            | (Self::Service(_) | Self::Route { .. }, Source::Unauthenticated) => false,
        }
    }

    /// Whether a rule speaks of this caller.
    pub(crate) fn is_in(self, model: &Model, rule: &AuthorizationRule) -> bool {
        rule.from.iter().any(|source| self.is_meant_by(model, source.value))
    }
}

/// What a message calls a source.
pub(crate) fn source_name(model: &Model, source: Source) -> String {
    match source {
        Source::Service(service) => model.service_name(service),
        Source::Gateway(gateway) => model.gateway_name(gateway),
        Source::Namespace(namespace) => model.namespaces.at(namespace).name.clone(),
        Source::Unauthenticated => String::from("unauthenticated"),
    }
}
