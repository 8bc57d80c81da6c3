//! What every part of the lowering looks things up in; made once per mesh.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use meshc_resolve::Resolved;
use meshc_topology::Topology;
use meshc_vocabulary::model::{
    Callee, Cluster, Gateway, Id, IpFamily, Model, Namespace, Port, Route, Service,
};

use super::Extent;
use super::callers::Callers;
use super::shared::Shared;
use crate::{Locality, ProxyName, localhost, wildcard};

/// The mesh and the indexes over it.
pub(super) struct Context<'m> {
    pub(super) model: &'m Model,
    pub(super) resolved: &'m Resolved<'m>,
    pub(super) topology: &'m Topology,
    pub(super) callers: Callers,
    pub(super) shared: Shared,
    pub(super) extent: Extent,
    routes: BTreeMap<Id<Gateway>, Vec<Id<Route>>>,
}

/// A service, a subset of one or an external host as callers name it.
#[derive(Clone, Copy)]
pub(super) struct Called<'m> {
    /// `reviews`, or `reviews.v2` for a subset.
    pub(super) name: &'m str,
    /// The service, without the subset.
    pub(super) service: &'m str,
    pub(super) subset: Option<&'m str>,
    pub(super) namespace: &'m str,
    pub(super) namespace_id: Id<Namespace>,
    pub(super) ports: &'m [Port],
}

impl<'m> Context<'m> {
    pub(super) fn new(resolved: &'m Resolved<'m>, topology: &'m Topology, extent: Extent) -> Self {
        let model = resolved.model;
        let mut routes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, route) in model.routes.iter() {
            for gateway in route.scope.gateways() {
                routes.entry(gateway.value).or_default().push(id);
            }
        }
        let callers = Callers::new(model, topology);
        Self { model, resolved, topology, callers, shared: Shared::default(), extent, routes }
    }

    /// The routes of a gateway, in order of (namespace, name).
    pub(super) fn routes(&self, gateway: Id<Gateway>) -> &[Id<Route>] {
        self.routes.get(&gateway).map_or(&[], Vec::as_slice)
    }

    pub(super) fn called(&self, callee: Callee) -> Called<'m> {
        let (name, subset_of, namespace_id, ports) = match callee {
            Callee::Service(id) => {
                let service = self.model.services.at(id);
                (&service.name, service.subset_of.as_ref(), service.namespace, &service.ports)
            }
            Callee::External(id) => {
                let external = self.model.externals.at(id);
                (&external.name, None, external.namespace, &external.ports)
            }
        };
        Called {
            name,
            service: subset_of.map_or(name, |subset| &subset.service_name),
            subset: subset_of.map(|subset| subset.name.as_str()),
            namespace: &self.model.namespaces.at(namespace_id).name,
            namespace_id,
            ports,
        }
    }

    pub(super) fn locality(&self, cluster: Id<Cluster>) -> Locality {
        let cluster = self.model.clusters.at(cluster);
        Locality { region: cluster.region.clone(), zone: cluster.zone.clone(), cluster: cluster.name.clone() }
    }

    pub(super) fn sidecar_name(&self, cluster: Id<Cluster>, service: Id<Service>) -> ProxyName {
        let service = self.model.services.at(service);
        let namespace = &self.model.namespaces.at(service.namespace).name;
        ProxyName {
            cluster: self.model.clusters.at(cluster).name.clone(),
            path: ["sidecars/", namespace, "/", &service.name].concat(),
        }
    }

    pub(super) fn gateway_proxy_name(&self, gateway: Id<Gateway>) -> ProxyName {
        let gateway = self.model.gateways.at(gateway);
        ProxyName {
            cluster: self.model.clusters.at(gateway.cluster).name.clone(),
            path: format!("gateways/{}", gateway.name),
        }
    }

    /// Every address of a pod of this cluster, at a port.
    pub(super) fn wildcard(&self, cluster: Id<Cluster>, port: u16) -> SocketAddr {
        SocketAddr::new(wildcard(self.family(cluster)), port)
    }

    /// The address of loopback at which a pod of this cluster talks to itself.
    pub(super) fn localhost(&self, cluster: Id<Cluster>) -> IpAddr {
        localhost(self.family(cluster))
    }

    pub(super) fn family(&self, cluster: Id<Cluster>) -> IpFamily {
        self.model.clusters.at(cluster).ip_family
    }
}
