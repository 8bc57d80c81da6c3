//! The way from each cluster to each other one: its pods, or a chain of east-west gateways.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use meshc_vocabulary::model::{Cluster, ClusterState, Gateway, GatewayRole, Id, Model, Network};

use crate::networks::{Length, Metric, Networks};
use crate::{BrokenHop, Via};

/// How one cluster reaches another one.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) via: Via,
    pub(crate) length: Length,
}

impl Way {
    /// The cluster whose gateways take the connection first, if it goes through any.
    pub(crate) fn entry(&self) -> Option<Id<Cluster>> {
        match &self.via {
            Via::Gateways { hops, .. } => hops.first().copied(),
            Via::Pods | Via::External => None,
        }
    }
}

/// All ways between clusters, measured once per metric when first asked for.
pub(crate) struct Ways<'m> {
    model: &'m Model,
    /// For each cluster its east-west gateways that can be reached, or why there is none.
    entries: Vec<Result<Arc<[Id<Gateway>]>, BrokenHop>>,
    /// For each network the cluster that passes connections on to other networks.
    transits: Vec<Option<Id<Cluster>>>,
    /// For each cluster whether its DNS names are its own within its network.
    resolvable: Vec<bool>,
    tables: [OnceCell<Vec<Result<Way, BrokenHop>>>; 3],
}

impl<'m> Ways<'m> {
    pub(crate) fn new(model: &'m Model) -> Self {
        let entries = entries(model);
        let mut transits = vec![None; model.networks.len()];
        for ((id, cluster), entry) in model.clusters.iter().zip(&entries) {
            let slot = transits.get_mut(cluster.network.index());
            if let (Some(slot @ None), true, ClusterState::Active) = (slot, entry.is_ok(), cluster.state) {
                *slot = Some(id);
            }
        }
        Self { model, entries, transits, resolvable: resolvable(model), tables: Default::default() }
    }

    /// The way from a cluster to another one, or the hop where it breaks.
    pub(crate) fn way(&self, metric: Metric, from: Id<Cluster>, to: Id<Cluster>) -> Result<&Way, BrokenHop> {
        let table = self.table(metric).get_or_init(|| self.measure(metric));
        match table.get(from.index() * self.model.clusters.len() + to.index()) {
            Some(Ok(way)) => Ok(way),
            Some(Err(reason)) => Err(*reason),
            None => Err(BrokenHop::NoGateway(to)),
        }
    }

    /// How far it is; a broken way is longer than any other.
    pub(crate) fn length(&self, metric: Metric, from: Id<Cluster>, to: Id<Cluster>) -> Option<Length> {
        self.way(metric, from, to).ok().map(|way| way.length)
    }

    fn table(&self, metric: Metric) -> &OnceCell<Vec<Result<Way, BrokenHop>>> {
        let [hops, latency, cost] = &self.tables;
        match metric {
            Metric::Hops => hops,
            Metric::Latency => latency,
            Metric::Cost => cost,
        }
    }

    fn measure(&self, metric: Metric) -> Vec<Result<Way, BrokenHop>> {
        let networks = Networks::measure(self.model, metric, |network| self.transit(network).is_some());
        let regardless = OnceCell::new();
        let mut ways = Vec::with_capacity(self.model.clusters.len().pow(2));
        for (from, caller) in self.model.clusters.iter() {
            for (to, callee) in self.model.clusters.iter() {
                ways.push(if from == to {
                    Ok(Way { via: Via::Pods, length: Length::default() })
                } else if caller.network == callee.network {
                    self.within_network(to)
                } else {
                    self.across(&networks, caller.network, to).map_err(|entry| {
                        let regardless =
                            regardless.get_or_init(|| Networks::measure(self.model, metric, |_| true));
                        entry.unwrap_or_else(|| self.why(regardless, caller.network, callee.network))
                    })
                });
            }
        }
        ways
    }

    fn within_network(&self, to: Id<Cluster>) -> Result<Way, BrokenHop> {
        let length = Length::default();
        if self.resolvable.get(to.index()).copied().unwrap_or(false) {
            return Ok(Way { via: Via::Pods, length });
        }
        let gateways = self.entry(to)?;
        Ok(Way { via: Via::Gateways { gateways, hops: Arc::from([to]) }, length })
    }

    /// The chain of gateways to a cluster in another network. `Err(None)`: no way between the networks.
    fn across(
        &self,
        networks: &Networks,
        from: Id<Network>,
        to: Id<Cluster>,
    ) -> Result<Way, Option<BrokenHop>> {
        let goal = self.model.clusters.at(to).network;
        let length = networks.leg(from, goal).ok_or(None)?.length;
        let mut hops = Vec::new();
        let mut here = from;
        while here != goal {
            here = networks.leg(here, goal).ok_or(None)?.next;
            hops.push(if here == goal { to } else { self.transit(here).ok_or(None)? });
        }
        self.entry(to)?;
        let first = hops.first().copied().unwrap_or(to);
        Ok(Way { via: Via::Gateways { gateways: self.entry(first)?, hops: Arc::from(hops) }, length })
    }

    /// Why no way leads from one network to another one: there is no link at all, or the shortest chain of links
    /// passes a network that passes nothing on.
    fn why(&self, regardless: &Networks, from: Id<Network>, to: Id<Network>) -> BrokenHop {
        let mut here = from;
        while let Some(leg) = regardless.leg(here, to) {
            if leg.next != to && self.transit(leg.next).is_none() {
                return BrokenHop::NoTransit(leg.next);
            }
            here = leg.next;
        }
        BrokenHop::NoLink(from, to)
    }

    fn entry(&self, cluster: Id<Cluster>) -> Result<Arc<[Id<Gateway>]>, BrokenHop> {
        self.entries.get(cluster.index()).cloned().unwrap_or(Err(BrokenHop::NoGateway(cluster)))
    }

    fn transit(&self, network: Id<Network>) -> Option<Id<Cluster>> {
        self.transits.get(network.index()).copied().flatten()
    }
}

fn entries(model: &Model) -> Vec<Result<Arc<[Id<Gateway>]>, BrokenHop>> {
    let mut reachable = vec![Vec::new(); model.clusters.len()];
    let mut silent = vec![None; model.clusters.len()];
    for (id, gateway) in model.gateways.iter() {
        let index = gateway.cluster.index();
        match gateway.role {
            GatewayRole::Ingress | GatewayRole::Egress => {}
            GatewayRole::EastWest if gateway.addresses.is_empty() => {
                if let Some(slot @ None) = silent.get_mut(index) {
                    *slot = Some(id);
                }
            }
            GatewayRole::EastWest => {
                if let Some(list) = reachable.get_mut(index) {
                    list.push(id);
                }
            }
        }
    }
    let clusters = model.clusters.ids().zip(reachable).zip(silent);
    clusters
        .map(|((cluster, reachable), silent)| match (reachable.is_empty(), silent) {
            (false, _) => Ok(Arc::from(reachable)),
            (true, Some(gateway)) => Err(BrokenHop::NoAddress(gateway)),
            (true, None) => Err(BrokenHop::NoGateway(cluster)),
        })
        .collect()
}

/// A declared domain leads to a cluster's pods only if no other cluster of its network has the same one.
fn resolvable(model: &Model) -> Vec<bool> {
    let mut owners: BTreeMap<(Id<Network>, &str), usize> = BTreeMap::new();
    for (_, cluster) in model.clusters.iter() {
        *owners.entry((cluster.network, cluster.domain.as_str())).or_default() += 1;
    }
    let clusters = model.clusters.iter();
    clusters
        .map(|(_, cluster)| {
            cluster.domain_resolvable && owners.get(&(cluster.network, cluster.domain.as_str())) == Some(&1)
        })
        .collect()
}
