//! From declared calls and routes to the topology, callee by callee.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang_diagnostics::Origin;
use meshc_resolve::{self as resolve, Edge, Resolved};
use meshc_vocabulary::model::{self, Cluster, ExternalHost, Gateway, GatewayRole, Id, Model, Service};

use crate::callee::{View, nearness};
use crate::placement::{Placement, Placements};
use crate::ways::Ways;
use crate::{Asked, Export, Group, ProxyKey, Reach, Topology, Unreachable, Via};

/// Builds the topology of a mesh.
#[must_use]
pub fn build(resolved: &Resolved<'_>) -> Topology {
    let model = resolved.model;
    let ways = Ways::new(model);
    let asks = Asks::collect(resolved);
    let mut placements = Placements::new(model, &ways);
    let mut builder = Builder::new(model);
    for ((service, entry), asks) in model.services.iter().zip(asks.services) {
        if !asks.is_empty() {
            let failover = resolved.service(service).failover.value;
            builder.service(service, placements.of(&entry.clusters, failover), asks);
        }
    }
    for (external, asks) in model.externals.ids().zip(asks.externals) {
        builder.external(external, asks);
    }
    builder.finish()
}

/// Who asks for a callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Service(Id<Service>),
    Gateway(Id<Gateway>),
}

/// A call or a route that asks for a port of a callee.
struct Ask {
    port: usize,
    caller: Caller,
    asked: Asked,
    origin: Origin,
}

/// Everything that asks for one callee.
type CalleeAsks = Vec<Ask>;

/// How a caller asks for a port, and by which calls and routes.
type CallerAsks = ((usize, Caller), (Asked, Vec<Origin>));

/// For each port and caller, in their order, how it asks, and by which calls and routes.
fn grouped(mut asks: CalleeAsks) -> Vec<CallerAsks> {
    asks.sort_by_key(|ask| (ask.port, ask.caller));
    let mut groups: Vec<CallerAsks> = Vec::with_capacity(asks.len());
    for Ask { port, caller, asked, origin } in asks {
        match groups.last_mut() {
            Some((key, (strongest, origins))) if *key == (port, caller) => {
                *strongest = asked.max(*strongest);
                origins.push(origin);
            }
            Some(_) | None => groups.push(((port, caller), (asked, vec![origin]))),
        }
    }
    groups
}

struct Asks {
    services: Vec<CalleeAsks>,
    externals: Vec<CalleeAsks>,
}

impl Asks {
    fn collect(resolved: &Resolved<'_>) -> Self {
        let model = resolved.model;
        let mut asks = Self {
            services: model.services.ids().map(|_| Vec::new()).collect(),
            externals: model.externals.ids().map(|_| Vec::new()).collect(),
        };
        for edge in &resolved.edges {
            add(asks.services.get_mut(edge.callee.index()), edge);
        }
        for edge in &resolved.outside {
            add(asks.externals.get_mut(edge.callee.index()), edge);
        }
        asks
    }
}

/// Notes what an edge asks of its callee.
fn add<To>(asks: Option<&mut CalleeAsks>, edge: &Edge<'_, To>) {
    let Some(asks) = asks else { return };
    let (caller, asked) = match edge.caller {
        resolve::Caller::Service(service) => (Caller::Service(service), Asked::ByName),
        resolve::Caller::Routed { service, .. } => (Caller::Service(service), Asked::ByRoute),
        resolve::Caller::Route { gateway, .. } | resolve::Caller::LimitedGateway(gateway) => {
            (Caller::Gateway(gateway), Asked::ByRoute)
        }
        resolve::Caller::Limited(service) => (Caller::Service(service), Asked::ByRoute),
    };
    asks.extend(edge.ports.iter().map(|port| Ask {
        port: *port,
        caller,
        asked,
        origin: edge.origin.clone(),
    }));
}

/// Where a caller runs.
fn clusters_of(model: &Model, caller: Caller) -> impl Iterator<Item = Id<Cluster>> + '_ {
    let (presences, gateway) = match caller {
        Caller::Service(id) => (model.services.at(id).clusters.as_slice(), None),
        Caller::Gateway(id) => (&[][..], Some(model.gateways.at(id).cluster)),
    };
    presences.iter().map(|presence| presence.cluster).chain(gateway)
}

/// Origins in source order, each once.
fn in_order(mut origins: Vec<Origin>) -> Arc<[Origin]> {
    origins.sort();
    origins.dedup();
    Arc::from(origins)
}

struct Builder<'m> {
    model: &'m Model,
    /// For each service the reaches of its sidecars, in the order of its clusters.
    sidecars: Vec<Vec<Vec<Reach>>>,
    gateways: Vec<Vec<Reach>>,
    exports: Vec<Vec<Export>>,
    /// For each cluster its east-west gateways.
    doors: Vec<Vec<Id<Gateway>>>,
    unreachable: Vec<Unreachable>,
}

impl<'m> Builder<'m> {
    fn new(model: &'m Model) -> Self {
        let mut doors = vec![Vec::new(); model.clusters.len()];
        for (id, gateway) in model.gateways.iter() {
            if let (GatewayRole::EastWest, Some(list)) =
                (gateway.role, doors.get_mut(gateway.cluster.index()))
            {
                list.push(id);
            }
        }
        let services = model.services.iter();
        Self {
            model,
            sidecars: services.map(|(_, service)| vec![Vec::new(); service.clusters.len()]).collect(),
            gateways: vec![Vec::new(); model.gateways.len()],
            exports: vec![Vec::new(); model.gateways.len()],
            doors,
            unreachable: Vec::new(),
        }
    }

    fn service(&mut self, service: Id<Service>, placement: &mut Placement<'_>, asks: CalleeAsks) {
        let mut passing: BTreeMap<usize, Vec<Vec<u32>>> = BTreeMap::new();
        let mut asked: Vec<Arc<[Origin]>> = Vec::with_capacity(asks.len());
        let mut through = vec![false; self.model.clusters.len()];
        for ((port, caller), (by, origins)) in grouped(asks) {
            let origins = in_order(origins);
            through.fill(false);
            for (place, cluster) in clusters_of(self.model, caller).enumerate() {
                let view = placement.view(cluster);
                for passed in &view.passed {
                    if let Some(slot) = through.get_mut(passed.index()) {
                        *slot = true;
                    }
                }
                self.note_broken(service, caller, cluster, &view, &origins);
                if !view.groups.is_empty() {
                    let (callee, groups) = (model::Callee::Service(service), Arc::clone(&view.groups));
                    let reach = Reach { callee, port, asked: by, groups, origins: Arc::clone(&origins) };
                    self.add(caller, place, reach);
                }
            }
            let number = u32::try_from(asked.len()).unwrap_or(u32::MAX);
            let lists = passing.entry(port).or_insert_with(|| vec![Vec::new(); through.len()]);
            for (list, _) in lists.iter_mut().zip(&through).filter(|(_, through)| **through) {
                list.push(number);
            }
            asked.push(origins);
        }
        for (port, lists) in passing {
            self.export_port(service, port, placement, &asked, lists);
        }
    }

    /// Exports a port from every cluster that some caller passes; `lists` has for each cluster the positions of those
    /// that ask. Most clusters are passed by the same callers, so they share what they remember of them.
    fn export_port(
        &mut self,
        service: Id<Service>,
        port: usize,
        placement: &mut Placement<'_>,
        asked: &[Arc<[Origin]>],
        lists: Vec<Vec<u32>>,
    ) {
        let mut known: BTreeMap<Vec<u32>, Arc<[Origin]>> = BTreeMap::new();
        for (cluster, list) in self.model.clusters.ids().zip(lists).filter(|(_, list)| !list.is_empty()) {
            let hops = placement.exits(cluster);
            let origins = known.entry(list).or_insert_with_key(|list| {
                let asked = list.iter().filter_map(|number| asked.get(*number as usize));
                in_order(asked.flat_map(|origins| origins.iter().cloned()).collect())
            });
            let export = Export { service, port, hops, origins: Arc::clone(origins) };
            self.export(&export, cluster);
        }
    }

    fn external(&mut self, external: Id<ExternalHost>, asks: CalleeAsks) {
        let callee = model::Callee::External(external);
        let through = self.model.externals.at(external).through.as_ref().map(|gateway| gateway.value);
        let mut passed: BTreeMap<usize, Vec<Origin>> = BTreeMap::new();
        for ((port, caller), (by, origins)) in grouped(asks) {
            let origins = in_order(origins);
            passed.entry(port).or_default().extend(origins.iter().cloned());
            for (place, cluster) in clusters_of(self.model, caller).enumerate() {
                let nearness = nearness(self.model, cluster, cluster);
                let groups = Arc::from([Group { cluster, nearness, via: Via::External, weight: 1 }]);
                let reach = Reach { callee, port, asked: by, groups, origins: Arc::clone(&origins) };
                self.add(caller, place, reach);
            }
        }
        // Whoever calls through a gateway makes the gateway call.
        let Some(gateway) = through else { return };
        let cluster = self.model.gateways.at(gateway).cluster;
        let nearness = nearness(self.model, cluster, cluster);
        for (port, origins) in passed {
            let groups = Arc::from([Group { cluster, nearness, via: Via::External, weight: 1 }]);
            let reach = Reach { callee, port, asked: Asked::ByRoute, groups, origins: in_order(origins) };
            self.add(Caller::Gateway(gateway), 0, reach);
        }
    }

    fn export(&mut self, export: &Export, cluster: Id<Cluster>) {
        if export.hops.is_empty() {
            return;
        }
        for door in self.doors.get(cluster.index()).into_iter().flatten() {
            if let Some(list) = self.exports.get_mut(door.index()) {
                list.push(export.clone());
            }
        }
    }

    /// Gives a proxy another reach; `place` is the position of its cluster among the caller's.
    fn add(&mut self, caller: Caller, place: usize, reach: Reach) {
        let list = match caller {
            Caller::Service(id) => self.sidecars.get_mut(id.index()).and_then(|lists| lists.get_mut(place)),
            Caller::Gateway(id) => self.gateways.get_mut(id.index()),
        };
        if let Some(list) = list {
            list.push(reach);
        }
    }

    fn note_broken(
        &mut self,
        callee: Id<Service>,
        caller: Caller,
        cluster: Id<Cluster>,
        view: &View,
        origins: &Arc<[Origin]>,
    ) {
        let caller = match caller {
            Caller::Service(service) => ProxyKey::Sidecar { cluster, service },
            Caller::Gateway(gateway) => ProxyKey::Gateway(gateway),
        };
        let partly = !view.groups.is_empty();
        for (to, reason) in &view.broken {
            self.unreachable.extend(origins.iter().map(|origin| Unreachable {
                caller,
                callee,
                cluster: *to,
                origin: origin.clone(),
                reason: *reason,
                partly,
            }));
        }
    }

    fn finish(mut self) -> Topology {
        self.unreachable.sort_by(|a, b| {
            (a.callee, a.caller, a.cluster, &a.origin).cmp(&(b.callee, b.caller, b.cluster, &b.origin))
        });
        self.unreachable.dedup();
        // A map of what is in order is made at once.
        let mut reaches: Vec<(ProxyKey, Vec<Reach>)> = Vec::with_capacity(self.model.services.len());
        for ((service, entry), lists) in self.model.services.iter().zip(self.sidecars) {
            for (presence, list) in entry.clusters.iter().zip(lists) {
                let cluster = presence.cluster;
                // The pods of a subset make the calls of its service.
                for subset in &entry.subsets {
                    if self.model.services.at(*subset).presence(cluster).is_some() {
                        reaches.push((ProxyKey::Sidecar { cluster, service: *subset }, list.clone()));
                    }
                }
                if entry.subset_of.is_none() && entry.subsets.is_empty() {
                    reaches.push((ProxyKey::Sidecar { cluster, service }, list));
                }
            }
        }
        let gateways = self.model.gateways.ids().zip(self.gateways);
        reaches.extend(gateways.map(|(gateway, list)| (ProxyKey::Gateway(gateway), list)));
        let reaches = reaches.into_iter().collect();
        let exports = self.model.gateways.iter().zip(self.exports);
        let exports = exports.filter_map(|((id, gateway), list)| match gateway.role {
            GatewayRole::Ingress | GatewayRole::Egress => None,
            GatewayRole::EastWest => Some((id, list)),
        });
        Topology { reaches, exports: exports.collect(), unreachable: self.unreachable }
    }
}
