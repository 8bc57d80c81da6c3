//! The whole mesh, resolved: made once, asked often.

use std::collections::BTreeMap;

use lang_diagnostics::Spanned;
use meshc_vocabulary::model::{
    Callee, Cluster, ExternalHost, Gateway, Id, Model, Namespace, Policy, PolicyScope, Port, Route, Service,
};

use crate::capture::captures;
use crate::edge::{counted, edges};
use crate::routed::{Routed, routed};
use crate::{
    Access, CalledPort, Captured, Conduct, Edge, GatewayPolicies, Misplaced, Obstacle, Peer, Provenance,
    RoutePolicies, ServicePolicies, Through, misplaced,
};

/// What holds where in a mesh.
#[derive(Clone, Debug)]
pub struct Resolved<'m> {
    /// The mesh.
    pub model: &'m Model,
    /// Every declared call and every destination of a route that leads to a service, in order of caller.
    pub edges: Vec<Edge<'m>>,
    /// Those that lead to hosts outside, in order of caller.
    pub outside: Vec<Edge<'m, Id<ExternalHost>>>,
    /// Settings that cannot hold where their policies attach: those at services, then those at routes, then those at gateways.
    pub misplaced: Vec<Misplaced>,
    services: Vec<ServicePolicies<'m>>,
    externals: Vec<ServicePolicies<'m>>,
    routes: Vec<RoutePolicies<'m>>,
    gateways: Vec<GatewayPolicies<'m>>,
    /// How the calls of each service are captured.
    captures: Vec<Captured<'m>>,
    /// The calls that routes take.
    routed: Routed,
    /// For each service the positions of the edges that lead to it.
    incoming: Vec<Vec<usize>>,
    /// The services of each namespace without their subsets, in order.
    members: Vec<Vec<Id<Service>>>,
}

/// Works out what holds where. The cost grows with what is declared, not with services times policies.
#[must_use]
pub fn resolve(model: &Model) -> Resolved<'_> {
    let attached = Attached::new(model);
    let defaults = ServicePolicies::defaults(&model.defaults);
    let mesh = attached.mesh.iter().fold(defaults, inherit(model));
    let namespaces: Vec<ServicePolicies<'_>> =
        attached.namespaces.iter().map(|policies| policies.iter().fold(mesh, inherit(model))).collect();

    let mut misplaced = Vec::new();
    let mut services: Vec<ServicePolicies<'_>> = Vec::with_capacity(model.services.len());
    for (id, service) in model.services.iter() {
        if model.limiter == Some(id) {
            // What counts must not be counted, nor refused by what is said of everything.
            services.push(defaults);
            continue;
        }
        // A service comes before its subsets.
        let around = service.subset_of.as_ref().and_then(|subset| services.get(subset.service.index()));
        let outer = match around {
            Some(service) => service.inherited(),
            None => namespaces.get(service.namespace.index()).copied().unwrap_or(mesh),
        };
        let named = attached.services.get(&id).into_iter().flatten();
        let holds = named.fold(outer, |outer, named| {
            let settings = &model.policies.at(named.value).settings;
            let mut note = |setting, at, obstacle| {
                misplaced.push(Misplaced { setting, at, target: named.span, obstacle });
            };
            misplaced::at_service(settings, service, |setting, at| note(setting, at, Obstacle::NoRequests));
            misplaced::unsuited(settings, service, |setting, at| note(setting, at, Obstacle::NoPort));
            if service.subset_of.is_some() {
                misplaced::at_subset(settings, |setting, at| note(setting, at, Obstacle::Subset));
            }
            outer.with(settings, |at| Provenance::Declared { policy: named.value, at })
        });
        services.push(holds);
    }
    let externals = model.externals.iter();
    let externals = externals.map(|(_, it)| namespaces.get(it.namespace.index()).copied().unwrap_or(mesh));
    let externals = externals.collect();
    let routes = model.routes.ids().map(|id| {
        attached.routes.get(&id).into_iter().flatten().fold(RoutePolicies::NONE, |outer, named| {
            let said = |at| Provenance::Declared { policy: named.value, at };
            let (scope, settings) = (&model.routes.at(id).scope, &model.policies.at(named.value).settings);
            outer.with(scope, settings, said, |setting, at, obstacle| {
                misplaced.push(Misplaced { setting, at: at.span, target: named.span, obstacle });
            })
        })
    });
    let routes: Vec<_> = routes.collect();
    let gateways = model.gateways.iter().map(|(id, gateway)| {
        attached.gateways.get(&id).into_iter().flatten().fold(GatewayPolicies::NONE, |outer, named| {
            let said = |at| Provenance::Declared { policy: named.value, at };
            let settings = &model.policies.at(named.value).settings;
            outer.with(gateway, settings, said, |setting, at, obstacle| {
                misplaced.push(Misplaced { setting, at: at.span, target: named.span, obstacle });
            })
        })
    });
    let gateways: Vec<_> = gateways.collect();

    let routed = routed(model);
    let (mut edges, outside) = edges(model, &routed);
    edges.extend(counted(model, &services, &routes, &gateways));
    let captures = captures(model, &edges, &outside);
    let mut incoming = vec![Vec::new(); model.services.len()];
    for (place, edge) in edges.iter().enumerate() {
        if let Some(list) = incoming.get_mut(edge.callee.index()) {
            list.push(place);
        }
    }
    let mut members = vec![Vec::new(); model.namespaces.len()];
    for (id, service) in model.whole_services().filter(|(id, _)| model.limiter != Some(*id)) {
        if let Some(list) = members.get_mut(service.namespace.index()) {
            list.push(id);
        }
    }
    Resolved {
        model,
        edges,
        outside,
        misplaced,
        services,
        externals,
        routes,
        gateways,
        captures,
        routed,
        incoming,
        members,
    }
}

impl<'m> Resolved<'m> {
    /// What holds at a service.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each service of the model")]
    pub fn service(&self, service: Id<Service>) -> &ServicePolicies<'m> {
        &self.services[service.index()]
    }

    /// What holds at a callee. No policy names a host outside: those of its namespace and of the mesh hold there.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each host of the model")]
    pub fn callee(&self, callee: Callee) -> &ServicePolicies<'m> {
        match callee {
            Callee::Service(service) => self.service(service),
            Callee::External(external) => &self.externals[external.index()],
        }
    }

    /// How the calls of a service reach its sidecar, as far as the service decides.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each service of the model")]
    pub fn captured(&self, service: Id<Service>) -> Captured<'m> {
        self.captures[service.index()]
    }

    /// How they reach it in a cluster, whose family of addresses decides too.
    #[must_use]
    pub fn captured_in(&self, service: Id<Service>, cluster: Id<Cluster>) -> Captured<'m> {
        self.captured(service).among(self.model.clusters.at(cluster).ip_family)
    }

    /// What policies say about a route.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each route of the model")]
    pub fn route(&self, route: Id<Route>) -> &RoutePolicies<'m> {
        &self.routes[route.index()]
    }

    /// What policies say about a gateway.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each gateway of the model")]
    pub fn gateway(&self, gateway: Id<Gateway>) -> &GatewayPolicies<'m> {
        &self.gateways[gateway.index()]
    }

    /// How calls of a port are handled.
    #[must_use]
    pub fn conduct(&self, through: Through<'m>, callee: Callee, port: &Port) -> Conduct<'m> {
        let route = match through {
            Through::Call => &RoutePolicies::NONE,
            Through::Rule { route, .. } => self.route(route),
        };
        Conduct::new(through, route, self.callee(callee), port.protocol)
    }

    /// How the calls of an edge are handled, port by port.
    pub fn conducts(&self, edge: &Edge<'m>) -> impl Iterator<Item = Conduct<'m>> {
        let ports = &self.model.services.at(edge.callee).ports;
        let (through, callee) = (edge.caller.through(), Callee::Service(edge.callee));
        let ports = edge.ports.iter().filter_map(|port| ports.get(*port));
        ports.map(move |port| self.conduct(through, callee, port))
    }

    /// What the callee's rules make of the requests of a caller that has declared its call, or that has no identity.
    #[must_use]
    pub fn access(&self, who: Peer<'_>, callee: Id<Service>, port: &Port) -> Access<'m> {
        Access::new(self.model, self.service(callee), port, who)
    }

    /// The calls and routes that lead to a service.
    pub fn incoming(&self, service: Id<Service>) -> impl Iterator<Item = &Edge<'m>> {
        let places = self.incoming.get(service.index()).into_iter().flatten();
        places.filter_map(|place| self.edges.get(*place))
    }

    /// The route that takes a call, if one does.
    #[must_use]
    pub fn route_of(&self, call: CalledPort) -> Option<Id<Route>> {
        self.routed.get(&call)?.first().copied()
    }

    /// The calls that routes take, each with these routes in order of (namespace, name); one, unless there is a mistake.
    pub fn routed(&self) -> impl Iterator<Item = (CalledPort, &[Id<Route>])> {
        self.routed.iter().map(|(call, routes)| (*call, routes.as_slice()))
    }

    /// The services, and subsets by their own names, that a policy applies to, unless a nearer one does.
    #[must_use]
    pub fn reached_by(&self, scope: &PolicyScope) -> Vec<Id<Service>> {
        match scope {
            PolicyScope::Targets { services, routes: _, gateways: _ } => {
                services.iter().map(|it| it.value).collect()
            }
            PolicyScope::Namespace(id) => self.members.get(id.index()).cloned().unwrap_or_default(),
            PolicyScope::Mesh => self.members.iter().flatten().copied().collect(),
        }
    }
}

/// The policies by what they attach to. Each list is in reverse order of (namespace, name): what is applied last holds,
/// and of two at one level, which is an error, the first one does.
struct Attached {
    mesh: Vec<Id<Policy>>,
    namespaces: Vec<Vec<Id<Policy>>>,
    services: BTreeMap<Id<Service>, Vec<Spanned<Id<Policy>>>>,
    routes: BTreeMap<Id<Route>, Vec<Spanned<Id<Policy>>>>,
    gateways: BTreeMap<Id<Gateway>, Vec<Spanned<Id<Policy>>>>,
}

impl Attached {
    fn new(model: &Model) -> Self {
        let mut attached = Self {
            mesh: Vec::new(),
            namespaces: vec![Vec::new(); model.namespaces.len()],
            services: BTreeMap::new(),
            routes: BTreeMap::new(),
            gateways: BTreeMap::new(),
        };
        for (id, policy) in model.policies.iter().rev() {
            match &policy.scope {
                PolicyScope::Mesh => attached.mesh.push(id),
                PolicyScope::Namespace(namespace) => attached.add_to_namespace(*namespace, id),
                PolicyScope::Targets { services, routes, gateways } => {
                    for named in services {
                        let list = attached.services.entry(named.value).or_default();
                        list.push(Spanned::new(id, named.span));
                    }
                    for named in routes {
                        let list = attached.routes.entry(named.value).or_default();
                        list.push(Spanned::new(id, named.span));
                    }
                    for named in gateways {
                        let list = attached.gateways.entry(named.value).or_default();
                        list.push(Spanned::new(id, named.span));
                    }
                }
            }
        }
        attached
    }

    fn add_to_namespace(&mut self, namespace: Id<Namespace>, policy: Id<Policy>) {
        if let Some(list) = self.namespaces.get_mut(namespace.index()) {
            list.push(policy);
        }
    }
}

/// What holds inside a scope that a policy is for.
fn inherit<'m>(model: &'m Model) -> impl Fn(ServicePolicies<'m>, &Id<Policy>) -> ServicePolicies<'m> {
    |outer, id| {
        let policy = *id;
        outer.with(&model.policies.at(policy).settings, |at| Provenance::Inherited { policy, at })
    }
}
