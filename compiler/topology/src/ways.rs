//! The way from each cluster to each other one: its pods, or a chain of east-west gateways.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use meshc_vocabulary::model::{Cluster, ClusterState, Gateway, GatewayRole, Id, IpFamily, Model, Network};

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

/// The east-west gateways of a cluster that can be reached, or why there is none.
#[derive(Clone, Debug)]
enum Entry {
    Gateways(Arc<[Id<Gateway>]>),
    /// It has none.
    None,
    /// This one has no address.
    Silent(Id<Gateway>),
    /// This one has addresses of another family only.
    OtherFamily(Id<Gateway>),
}

/// All ways between clusters, measured once per metric when first asked for.
pub(crate) struct Ways<'m> {
    model: &'m Model,
    /// For each cluster its east-west gateways that pods with IPv4 addresses, with IPv6 addresses and with both reach.
    entries: [Vec<Entry>; 3],
    /// For each network the cluster that passes connections on to other networks.
    transits: Vec<Option<Id<Cluster>>>,
    /// For each cluster whether its DNS names are its own within its network.
    resolvable: Vec<bool>,
    tables: [OnceCell<Vec<Result<Way, BrokenHop>>>; 3],
}

impl<'m> Ways<'m> {
    pub(crate) fn new(model: &'m Model) -> Self {
        let entries = [IpFamily::V4, IpFamily::V6, IpFamily::Dual].map(|family| entries(model, family));
        let mut transits = vec![None; model.networks.len()];
        let [.., any] = &entries;
        for ((id, cluster), entry) in model.clusters.iter().zip(any) {
            let slot = transits.get_mut(cluster.network.index());
            if let (Some(slot @ None), Entry::Gateways(_), ClusterState::Active) =
                (slot, entry, cluster.state)
            {
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
                    self.within_network(from, to)
                } else {
                    self.across(&networks, from, to).map_err(|entry| {
                        let regardless =
                            regardless.get_or_init(|| Networks::measure(self.model, metric, |_| true));
                        entry.unwrap_or_else(|| self.why(regardless, caller.network, callee.network))
                    })
                });
            }
        }
        ways
    }

    fn within_network(&self, from: Id<Cluster>, to: Id<Cluster>) -> Result<Way, BrokenHop> {
        let length = Length::default();
        let [caller, callee] = [from, to].map(|cluster| self.model.clusters.at(cluster).ip_family);
        if caller.meets(callee) && self.resolvable.get(to.index()).copied().unwrap_or(false) {
            return Ok(Way { via: Via::Pods, length });
        }
        let gateways = self.entry(from, to)?;
        Ok(Way { via: Via::Gateways { gateways, from: caller, hops: Arc::from([to]) }, length })
    }

    /// The chain of gateways to a cluster in another network. `Err(None)`: no way between the networks.
    fn across(
        &self,
        networks: &Networks,
        from: Id<Cluster>,
        to: Id<Cluster>,
    ) -> Result<Way, Option<BrokenHop>> {
        let [start, goal] = [from, to].map(|cluster| self.model.clusters.at(cluster).network);
        let length = networks.leg(start, goal).ok_or(None)?.length;
        let mut hops = Vec::new();
        let mut here = start;
        while here != goal {
            here = networks.leg(here, goal).ok_or(None)?.next;
            hops.push(if here == goal { to } else { self.transit(here).ok_or(None)? });
        }
        // Each gateway on the way connects from a pod of its own cluster.
        let mut last = hops.iter().copied();
        let first = last.next().unwrap_or(to);
        let gateways = self.entry(from, first)?;
        last.try_fold(first, |at, next| self.entry(at, next).map(|_| next))?;
        let from = self.model.clusters.at(from).ip_family;
        Ok(Way { via: Via::Gateways { gateways, from, hops: Arc::from(hops) }, length })
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

    /// The gateways of a cluster as the pods of another one reach them.
    fn entry(&self, from: Id<Cluster>, cluster: Id<Cluster>) -> Result<Arc<[Id<Gateway>]>, BrokenHop> {
        let [v4, v6, both] = &self.entries;
        let entries = match self.model.clusters.at(from).ip_family {
            IpFamily::V4 => v4,
            IpFamily::V6 => v6,
            IpFamily::Dual => both,
        };
        match entries.get(cluster.index()) {
            Some(Entry::Gateways(gateways)) => Ok(Arc::clone(gateways)),
            Some(Entry::Silent(gateway)) => Err(BrokenHop::NoAddress(*gateway)),
            Some(Entry::OtherFamily(gateway)) => Err(BrokenHop::OtherFamily(*gateway, from)),
            Some(Entry::None) | None => Err(BrokenHop::NoGateway(cluster)),
        }
    }

    fn transit(&self, network: Id<Network>) -> Option<Id<Cluster>> {
        self.transits.get(network.index()).copied().flatten()
    }
}

/// How pods of a family enter each cluster.
fn entries(model: &Model, family: IpFamily) -> Vec<Entry> {
    let mut reachable = vec![Vec::new(); model.clusters.len()];
    let mut others = vec![Entry::None; model.clusters.len()];
    for (id, gateway) in model.gateways.iter() {
        let index = gateway.cluster.index();
        match gateway.role {
            GatewayRole::Ingress | GatewayRole::Egress => continue,
            GatewayRole::EastWest => {}
        }
        if gateway.addresses_for(family).next().is_some() {
            if let Some(list) = reachable.get_mut(index) {
                list.push(id);
            }
        } else if let Some(slot @ Entry::None) = others.get_mut(index) {
            *slot = if gateway.addresses.is_empty() { Entry::Silent(id) } else { Entry::OtherFamily(id) };
        }
    }
    let clusters = reachable.into_iter().zip(others);
    clusters
        .map(
            |(reachable, other)| if reachable.is_empty() { other } else { Entry::Gateways(reachable.into()) },
        )
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
