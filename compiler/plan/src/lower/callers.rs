//! Who calls each port: every proxy that the topology gives a way to it.

use std::collections::BTreeMap;

use meshc_resolve::Peer;
use meshc_topology::{ProxyKey, Topology};
use meshc_vocabulary::model::{Callee, Id, Model, Service, SpiffeId};
use rustc_hash::FxHashMap;

/// The declared callers of each port of each service.
pub(super) struct Callers(FxHashMap<(Id<Service>, usize), Vec<ProxyKey>>);

impl Callers {
    /// Whoever calls a service calls each of its subsets.
    pub(super) fn new(model: &Model, topology: &Topology) -> Self {
        let mut callers: FxHashMap<_, Vec<_>> = FxHashMap::default();
        for (key, reaches) in &topology.reaches {
            for reach in reaches {
                match reach.callee {
                    Callee::Service(service) => {
                        for called in model.services.at(service).subsets.iter().chain([&service]) {
                            callers.entry((*called, reach.port)).or_default().push(*key);
                        }
                    }
                    Callee::External(_) => {}
                }
            }
        }
        Self(callers)
    }

    /// The identities of the callers of the port at this position, and what rules tell apart of them.
    pub(super) fn of<'m>(
        &self,
        model: &'m Model,
        service: Id<Service>,
        port: usize,
    ) -> BTreeMap<SpiffeId, Peer<'m>> {
        let callers = self.0.get(&(service, port)).into_iter().flatten();
        callers.filter_map(|key| identity(model, *key)).collect()
    }
}

pub(super) fn identity(model: &Model, key: ProxyKey) -> Option<(SpiffeId, Peer<'_>)> {
    match key {
        ProxyKey::Sidecar { cluster, service } => {
            Some((model.service_identity(service, cluster), Peer::of_service(model, service)))
        }
        ProxyKey::Gateway(gateway) => Some((model.gateway_identity(gateway)?, Peer::Gateway(gateway))),
    }
}
