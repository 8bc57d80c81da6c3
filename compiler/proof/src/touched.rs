//! What a callee's callers in a cluster depend on: a loss of anything else changes nothing for them.

use std::collections::BTreeSet;

use meshc_topology::{Reach, Topology, Via};
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, Model, Network, Service};

/// The parts of a mesh that some calls depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) clusters: BTreeSet<Id<Cluster>>,
    pub(crate) gateways: BTreeSet<Id<Gateway>>,
    pub(crate) links: BTreeSet<(Id<Network>, Id<Network>)>,
    pub(crate) services: BTreeSet<(Id<Service>, Id<Cluster>)>,
}

impl Touched {
    /// Adds what callers in a cluster depend on to reach a callee.
    pub(crate) fn add(&mut self, model: &Model, topology: &Topology, from: Id<Cluster>, reach: &Reach) {
        match reach.callee {
            Callee::External(id) => {
                if let Some(gateway) = &model.externals.at(id).through {
                    self.gateway(model, from, gateway.value);
                }
            }
            Callee::Service(service) => {
                for group in reach.groups.iter() {
                    self.via(model, topology, (service, reach.port), from, (group.cluster, &group.via));
                }
            }
        }
    }

    fn gateway(&mut self, model: &Model, from: Id<Cluster>, gateway: Id<Gateway>) -> bool {
        let cluster = model.gateways.at(gateway).cluster;
        let network = |cluster| model.clusters.at(cluster).network;
        let (here, there) = (network(from), network(cluster));
        self.links.insert((here.min(there), here.max(there)));
        self.clusters.insert(cluster);
        self.gateways.insert(gateway)
    }

    fn via(
        &mut self,
        model: &Model,
        topology: &Topology,
        to: (Id<Service>, usize),
        from: Id<Cluster>,
        (cluster, via): (Id<Cluster>, &Via),
    ) {
        match via {
            Via::External => {}
            Via::Pods => {
                self.clusters.insert(cluster);
                let whole = model.whole(to.0);
                let parts = model.services.at(whole).subsets.iter().copied();
                self.services.extend(parts.chain([whole]).map(|part| (part, cluster)));
            }
            Via::Gateways { gateways, from: _, hops: _ } => {
                for gateway in gateways.iter() {
                    if !self.gateway(model, from, *gateway) {
                        continue;
                    }
                    let exports = topology.exports.get(gateway).map_or(&[][..], Vec::as_slice);
                    let own = exports.binary_search_by_key(&to, |export| (export.service, export.port));
                    let hops = own.ok().and_then(|place| exports.get(place));
                    let here = model.gateways.at(*gateway).cluster;
                    for hop in hops.iter().flat_map(|export| export.hops.iter()) {
                        self.via(model, topology, to, here, (hop.cluster, &hop.via));
                    }
                }
            }
        }
    }
}
