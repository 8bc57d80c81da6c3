//! One callee as its callers see it: groups in order of preference, and what gateways pass on for it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use meshc_vocabulary::model::policy::{Failover, FailoverBy};
use meshc_vocabulary::model::{Cluster, ClusterState, Id, Model, Presence};

use crate::networks::{Length, Metric};
use crate::ways::{Way, Ways};
use crate::{BrokenHop, Group, Hop, Nearness, Via};

/// A service with all that decides where its callers go.
pub(crate) struct Callee<'a> {
    pub(crate) model: &'a Model,
    pub(crate) ways: &'a Ways<'a>,
    pub(crate) failover: &'a Failover,
    pub(crate) presences: &'a [Presence],
}

/// What the callers in one cluster see of a callee.
pub(crate) struct View {
    /// The nearest first.
    pub(crate) groups: Arc<[Group]>,
    /// Clusters of the callee that cannot be reached, in order.
    pub(crate) broken: Vec<(Id<Cluster>, BrokenHop)>,
    /// Clusters whose gateways pass their connections on, now or when a cluster becomes active, in order.
    pub(crate) passed: Vec<Id<Cluster>>,
}

impl<'a> Callee<'a> {
    pub(crate) fn view(&self, from: Id<Cluster>) -> View {
        let mut groups = Vec::with_capacity(self.presences.len());
        let mut broken = Vec::new();
        let mut passed = BTreeSet::new();
        if let Some(own) = self.presence(from) {
            groups.push(self.group(from, own.cluster, Via::Pods));
        }
        let mut entered = BTreeSet::new();
        for presence in self.presences.iter().filter(|presence| presence.cluster != from) {
            let to = presence.cluster;
            match self.ways.way(self.metric(), from, to) {
                // Whether a cluster that gets no traffic could be reached matters only once it gets some.
                _ if !self.is_active(to) => broken.push((to, BrokenHop::NotActive(to))),
                Err(reason) => broken.push((to, reason)),
                Ok(way) => groups.extend(self.towards(from, to, way, &mut entered)),
            }
        }
        groups.sort_by(|a, b| self.prefer(from, a.cluster, b.cluster).then(chain(a).cmp(&chain(b))));
        groups.dedup_by_key(|group| group.cluster);
        self.note_hidden(from, &groups, &mut broken);
        if !self.failover.enabled {
            groups.truncate(1);
        }
        self.passed_on(from, &groups, &mut passed);
        View { groups: Arc::from(groups), broken, passed: passed.into_iter().collect() }
    }

    /// What the gateways of a cluster pass this callee's connections on to. The cluster's own pods and nothing else
    /// if it runs there. A transit takes only steps after which the nearest pods are strictly nearer: a chain of
    /// gateways can then never lead back to where it came from, whatever fails.
    pub(crate) fn exits(&self, at: Id<Cluster>) -> Vec<Hop> {
        if self.presence(at).is_some() {
            return vec![Hop { cluster: at, via: Via::Pods, weight: self.weight(at) }];
        }
        let rest = self.distance(at);
        let mut entered = BTreeSet::new();
        let mut hops = Vec::new();
        for to in self.targets() {
            let Ok(way) = self.ways.way(self.metric(), at, to) else { continue };
            let nearer = way.entry().is_none_or(|entry| entry == to || self.distance(entry) < rest);
            if nearer {
                let group = self.towards(at, to, way, &mut entered);
                hops.extend(group.map(|group| Hop {
                    cluster: group.cluster,
                    via: group.via,
                    weight: group.weight,
                }));
            }
        }
        hops.sort_by(|a, b| self.prefer(at, a.cluster, b.cluster));
        if !self.failover.enabled {
            hops.truncate(1);
        }
        hops
    }

    /// The group that a way leads to. An SNI names no cluster, so gateways that were entered before (and are in
    /// `entered`) make no second group, and a transit's own preference decides who answers first.
    fn towards(
        &self,
        from: Id<Cluster>,
        to: Id<Cluster>,
        way: &Way,
        entered: &mut BTreeSet<Id<Cluster>>,
    ) -> Option<Group> {
        let Via::Gateways { gateways, from: family, hops: _ } = &way.via else {
            return Some(self.group(from, to, way.via.clone()));
        };
        let entry = way.entry()?;
        if !entered.insert(entry) {
            return None;
        }
        if entry == to {
            return Some(self.group(from, to, way.via.clone()));
        }
        let first = self.exits(entry).into_iter().next()?;
        let mut hops = vec![entry];
        if let Via::Gateways { hops: rest, .. } = &first.via {
            hops.extend(rest.iter().copied());
        }
        let via = Via::Gateways { gateways: Arc::clone(gateways), from: *family, hops: Arc::from(hops) };
        Some(self.group(from, first.cluster, via))
    }

    /// Notes clusters that have a way, but whose way leads through gateways that send this callee somewhere else.
    fn note_hidden(&self, from: Id<Cluster>, groups: &[Group], broken: &mut Vec<(Id<Cluster>, BrokenHop)>) {
        let transits =
            groups.iter().filter(|group| chain(group) > 1).filter_map(|group| entry_of(&group.via));
        let behind = transits.flat_map(|at| self.exits(at)).map(|hop| hop.cluster);
        let answering: BTreeSet<_> = behind.chain(groups.iter().map(|group| group.cluster)).collect();
        let silent: BTreeSet<_> = broken.iter().map(|(cluster, _)| *cluster).collect();
        for to in self.presences.iter().map(|presence| presence.cluster) {
            if answering.contains(&to) || silent.contains(&to) {
                continue;
            }
            let at = self.ways.way(self.metric(), from, to).ok().and_then(Way::entry);
            let answers = at.and_then(|at| self.exits(at).first().map(|hop| hop.cluster));
            if let (Some(at), Some(answers)) = (at, answers) {
                broken.push((to, BrokenHop::Hidden { at, answers }));
            }
        }
    }

    /// All clusters whose gateways must know this callee for callers in `from`: those of their groups, those that a
    /// joining or draining cluster will need or still needs, and all further ones that these may choose.
    fn passed_on(&self, from: Id<Cluster>, groups: &[Group], passed: &mut BTreeSet<Id<Cluster>>) {
        let mut open: Vec<Id<Cluster>> = groups.iter().filter_map(|group| entry_of(&group.via)).collect();
        let mut any_state: Vec<_> = self.presences.iter().map(|presence| presence.cluster).collect();
        any_state.sort_by(|a, b| self.prefer(from, *a, *b));
        let reachable = any_state.into_iter().filter_map(|to| self.ways.way(self.metric(), from, to).ok());
        let wanted = if self.failover.enabled { usize::MAX } else { 1 };
        open.extend(reachable.take(wanted).filter_map(Way::entry));
        while let Some(cluster) = open.pop() {
            // A cluster need not be entered for its own callers: they have its pods.
            if cluster != from && passed.insert(cluster) {
                open.extend(self.exits(cluster).iter().filter_map(|hop| entry_of(&hop.via)));
            }
        }
    }

    /// The clusters that take traffic from others: the active ones, or all while none is active.
    fn targets(&self) -> impl Iterator<Item = Id<Cluster>> {
        let any_active = self.presences.iter().any(|presence| self.is_active(presence.cluster));
        let clusters = self.presences.iter().map(|presence| presence.cluster);
        clusters.filter(move |cluster| !any_active || self.is_active(*cluster))
    }

    /// How far the nearest pods are.
    fn distance(&self, at: Id<Cluster>) -> Option<Length> {
        if self.presence(at).is_some() {
            return Some(Length::default());
        }
        self.targets().filter_map(|to| self.ways.length(self.metric(), at, to)).min()
    }

    /// Which of two clusters callers in `from` prefer: their own, then as the failover policy says, then the fewer
    /// links, then by name.
    fn prefer(&self, from: Id<Cluster>, a: Id<Cluster>, b: Id<Cluster>) -> Ordering {
        let own = (a != from).cmp(&(b != from));
        let by = |criterion: &FailoverBy| {
            if let Some(metric) = Metric::named(*criterion) {
                let length = |to| self.ways.length(metric, from, to);
                return known_first(length(a), length(b));
            }
            let limit = match criterion {
                FailoverBy::Zone => Nearness::SameZone,
                FailoverBy::Region | FailoverBy::Latency | FailoverBy::Cost => Nearness::SameRegion,
            };
            let far = |to| nearness(self.model, from, to) > limit;
            far(a).cmp(&far(b))
        };
        let declared =
            || self.failover.by.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        let links = || {
            let length = |to| self.ways.length(Metric::Hops, from, to);
            known_first(length(a), length(b))
        };
        own.then_with(declared).then_with(links).then(a.cmp(&b))
    }

    fn group(&self, from: Id<Cluster>, cluster: Id<Cluster>, via: Via) -> Group {
        Group { cluster, nearness: nearness(self.model, from, cluster), via, weight: self.weight(cluster) }
    }

    fn weight(&self, cluster: Id<Cluster>) -> u32 {
        self.presence(cluster).map_or(1, |presence| presence.replicas.max(1))
    }

    fn presence(&self, cluster: Id<Cluster>) -> Option<&'a Presence> {
        self.presences.iter().find(|presence| presence.cluster == cluster)
    }

    fn is_active(&self, cluster: Id<Cluster>) -> bool {
        match self.model.clusters.at(cluster).state {
            ClusterState::Active => true,
            ClusterState::Joining | ClusterState::Draining => false,
        }
    }

    fn metric(&self) -> Metric {
        Metric::of(self.failover)
    }
}

/// How near a cluster is to another one. An empty zone is unknown, so it equals no other.
pub(crate) fn nearness(model: &Model, from: Id<Cluster>, to: Id<Cluster>) -> Nearness {
    let (here, there) = (model.clusters.at(from), model.clusters.at(to));
    if from == to {
        Nearness::SameCluster
    } else if here.region != there.region {
        Nearness::OtherRegion
    } else if here.zone != there.zone || here.zone.is_empty() {
        Nearness::SameRegion
    } else {
        Nearness::SameZone
    }
}

fn known_first(a: Option<Length>, b: Option<Length>) -> Ordering {
    a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
}

/// How many clusters' gateways a group is behind.
fn chain(group: &Group) -> usize {
    match &group.via {
        Via::Gateways { hops, .. } => hops.len(),
        Via::Pods | Via::External => 0,
    }
}

fn entry_of(via: &Via) -> Option<Id<Cluster>> {
    match via {
        Via::Gateways { hops, .. } => hops.first().copied(),
        Via::Pods | Via::External => None,
    }
}
