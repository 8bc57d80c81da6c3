//! Who calls each port: every proxy that the topology gives a way to it.

use std::collections::{BTreeMap, BTreeSet};

use meshc_topology::{ProxyKey, Topology};
use meshc_vocabulary::model::{Callee, Id, Model, Service, SpiffeId};

/// The declared callers of each port of each service.
pub(super) struct Callers(BTreeMap<(Id<Service>, usize), Vec<ProxyKey>>);

impl Callers {
    pub(super) fn new(topology: &Topology) -> Self {
        let mut callers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, reaches) in &topology.reaches {
            for reach in reaches {
                match reach.callee {
                    Callee::Service(service) => {
                        callers.entry((service, reach.port)).or_default().push(*key);
                    }
                    Callee::External(_) => {}
                }
            }
        }
        Self(callers)
    }

    /// The identities of the callers of the port at this position.
    pub(super) fn of(&self, model: &Model, service: Id<Service>, port: usize) -> BTreeSet<SpiffeId> {
        let callers = self.0.get(&(service, port)).into_iter().flatten();
        callers.filter_map(|key| identity(model, *key)).collect()
    }
}

fn identity(model: &Model, key: ProxyKey) -> Option<SpiffeId> {
    match key {
        ProxyKey::Sidecar { cluster, service } => Some(model.service_identity(service, cluster)),
        ProxyKey::Gateway(gateway) => model.gateway_identity(gateway),
    }
}
