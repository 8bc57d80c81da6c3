//! Who calls each port: every proxy that the topology gives a way to it.

use std::collections::{BTreeMap, BTreeSet};

use meshc_topology::{ProxyKey, Topology};
use meshc_vocabulary::model::{Callee, Id, Model, Service, SpiffeId};

/// The identities of the declared callers of each port of each service.
pub(super) struct Callers(BTreeMap<(Id<Service>, usize), BTreeSet<SpiffeId>>);

impl Callers {
    pub(super) fn new(model: &Model, topology: &Topology) -> Self {
        let mut callers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (key, reaches) in &topology.reaches {
            let identity = match *key {
                ProxyKey::Sidecar { cluster, service } => Some(model.service_identity(service, cluster)),
                ProxyKey::Gateway(gateway) => model.gateway_identity(gateway),
            };
            let Some(identity) = identity else { continue };
            for reach in reaches {
                match reach.callee {
                    Callee::Service(service) => {
                        callers.entry((service, reach.port)).or_default().insert(identity.clone());
                    }
                    Callee::External(_) => {}
                }
            }
        }
        Self(callers)
    }

    /// The callers of the port at this position, in order.
    pub(super) fn of(&self, service: Id<Service>, port: usize) -> impl Iterator<Item = &SpiffeId> {
        self.0.get(&(service, port)).into_iter().flatten()
    }
}
