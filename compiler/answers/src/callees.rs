//! Callees by the names that plans have for them.

use std::collections::BTreeMap;

use meshc_plan::called_by_upstream;
use meshc_vocabulary::model::{Callee, Cluster, Id};

use crate::world::World;

/// What an upstream leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// The callee.
    pub callee: Callee,
    /// Position of the port in the callee's `ports`.
    pub port: usize,
    /// The only cluster whose pods it means, where clusters have shares.
    pub only: Option<Id<Cluster>>,
}

/// The callees of a mesh by `namespace.name`.
#[derive(Debug)]
pub struct Callees {
    by_name: BTreeMap<String, Callee>,
}

impl Callees {
    /// Those of a mesh.
    #[must_use]
    pub fn new(world: &World<'_>) -> Self {
        let model = world.model;
        let services = model.services.ids().map(Callee::Service);
        let callees = services.chain(model.externals.ids().map(Callee::External));
        Self { by_name: callees.map(|callee| (model.callee_name(callee), callee)).collect() }
    }

    /// What an upstream leads to; `None` for those of the mesh's own, such as the application.
    #[must_use]
    pub fn called(&self, world: &World<'_>, upstream: &str) -> Option<Called> {
        let (name, namespace, number) = called_by_upstream(upstream)?;
        let (name, cluster) = match name.split_once('@') {
            Some((name, cluster)) => (name, Some(cluster)),
            None => (name, None),
        };
        let callee = *self.by_name.get(&format!("{namespace}.{name}"))?;
        let port = world.model.ports(callee).iter().position(|port| port.number == number)?;
        let only = match cluster {
            Some(cluster) => Some(world.model.clusters.iter().find(|(_, entry)| entry.name == cluster)?.0),
            None => None,
        };
        Some(Called { callee, port, only })
    }
}
