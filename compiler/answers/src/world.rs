//! The mesh that is asked about, and who is where in it.

use std::collections::BTreeMap;

use meshc_plan::{Plan, ProxyPlan, Role};
use meshc_resolve::Resolved;
use meshc_topology::{ProxyKey, Topology};
use meshc_vocabulary::model::{Callee, Cluster, Id, Model, Service};
use meshc_vocabulary::testing::CallFrom;

/// Everything that answers are read in.
#[derive(Debug)]
pub struct World<'m> {
    /// The mesh.
    pub model: &'m Model,
    /// Which policy applies where.
    pub resolved: &'m Resolved<'m>,
    /// Who reaches whom.
    pub topology: &'m Topology,
    /// What each proxy does.
    pub plan: &'m Plan,
    proxies: BTreeMap<ProxyKey, &'m ProxyPlan>,
}

impl<'m> World<'m> {
    /// A mesh without errors.
    #[must_use]
    pub fn new(resolved: &'m Resolved<'m>, topology: &'m Topology, plan: &'m Plan) -> Self {
        let proxies = plan.proxies.iter().map(|proxy| (key(proxy), proxy)).collect();
        Self { model: resolved.model, resolved, topology, plan, proxies }
    }

    /// The plan of a proxy.
    #[must_use]
    pub fn proxy(&self, key: ProxyKey) -> Option<&'m ProxyPlan> {
        self.proxies.get(&key).copied()
    }

    /// The proxies of a caller.
    #[must_use]
    pub fn callers(&self, from: CallFrom) -> Vec<(ProxyKey, &'m ProxyPlan)> {
        match from {
            CallFrom::Gateway(gateway, _) => {
                let key = ProxyKey::Gateway(gateway);
                self.proxy(key).map(|proxy| (key, proxy)).into_iter().collect()
            }
            CallFrom::Service(service, cluster) => self.sidecars(service, cluster),
        }
    }

    /// The sidecars of a service and of its subsets, in one cluster or in all, in order.
    #[must_use]
    pub fn sidecars(
        &self,
        service: Id<Service>,
        cluster: Option<Id<Cluster>>,
    ) -> Vec<(ProxyKey, &'m ProxyPlan)> {
        let parts = std::iter::once(&service).chain(&self.model.services.at(service).subsets);
        let keys = parts.flat_map(|part| {
            let presences = self.model.services.at(*part).clusters.iter();
            presences.map(|presence| ProxyKey::Sidecar { cluster: presence.cluster, service: *part })
        });
        let meant = keys.filter(|key| match key {
            ProxyKey::Sidecar { cluster: here, service: _ } => cluster.is_none_or(|cluster| cluster == *here),
            ProxyKey::Gateway(_) => false,
        });
        let mut found: Vec<_> = meant.filter_map(|key| Some((key, self.proxy(key)?))).collect();
        found.sort_by_key(|(key, _)| *key);
        found.dedup_by_key(|(key, _)| *key);
        found
    }

    /// `shop.web in west`, `west.ingress`
    #[must_use]
    pub fn name(&self, proxy: ProxyKey) -> String {
        match proxy {
            ProxyKey::Gateway(gateway) => self.model.gateway_name(gateway),
            ProxyKey::Sidecar { cluster, service } => {
                let cluster = &self.model.clusters.at(cluster).name;
                format!("{} in {cluster}", self.model.service_name(service))
            }
        }
    }

    /// Whether a callee is another one or a part of it.
    pub(crate) fn is_part(&self, part: Callee, whole: Callee) -> bool {
        match (part, whole) {
            (Callee::Service(part), Callee::Service(whole)) => {
                part == whole || self.model.whole(part) == whole
            }
            (Callee::External(part), Callee::External(whole)) => part == whole,
            (Callee::Service(_), Callee::External(_)) | (Callee::External(_), Callee::Service(_)) => false,
        }
    }
}

fn key(proxy: &ProxyPlan) -> ProxyKey {
    match proxy.role {
        Role::IngressGateway(gateway) | Role::EastWestGateway(gateway) | Role::EgressGateway(gateway) => {
            ProxyKey::Gateway(gateway)
        }
        Role::Sidecar(service) => ProxyKey::Sidecar { cluster: proxy.cluster, service },
    }
}
