//! Callees that run in the same clusters look the same to every caller, so each placement is worked out once.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshc_vocabulary::model::policy::{Failover, FailoverBy};
use meshc_vocabulary::model::{Cluster, Id, Model, Presence};

use crate::Hop;
use crate::callee::{Callee, View};
use crate::ways::Ways;

/// All that decides what callers see of a callee: where it runs with how many replicas, and its failover.
type Key<'a> = (Vec<(Id<Cluster>, u32)>, bool, &'a [FailoverBy]);

/// The placements seen so far.
pub(crate) struct Placements<'a> {
    model: &'a Model,
    ways: &'a Ways<'a>,
    known: BTreeMap<Key<'a>, Placement<'a>>,
}

impl<'a> Placements<'a> {
    pub(crate) fn new(model: &'a Model, ways: &'a Ways<'a>) -> Self {
        Self { model, ways, known: BTreeMap::new() }
    }

    /// The placement of a callee.
    pub(crate) fn of(&mut self, presences: &'a [Presence], failover: &'a Failover) -> &mut Placement<'a> {
        let clusters = presences.iter().map(|presence| (presence.cluster, presence.replicas)).collect();
        let (model, ways) = (self.model, self.ways);
        self.known.entry((clusters, failover.enabled, &failover.by)).or_insert_with(|| {
            let count = model.clusters.len();
            let callee = Callee { model, ways, failover, presences };
            Placement { callee, views: vec![None; count], exits: vec![None; count] }
        })
    }
}

/// What is known of one placement.
pub(crate) struct Placement<'a> {
    callee: Callee<'a>,
    views: Vec<Option<Arc<View>>>,
    exits: Vec<Option<Arc<[Hop]>>>,
}

impl Placement<'_> {
    /// What callers in a cluster see.
    pub(crate) fn view(&mut self, from: Id<Cluster>) -> Arc<View> {
        match self.views.get_mut(from.index()) {
            Some(slot) => Arc::clone(slot.get_or_insert_with(|| Arc::new(self.callee.view(from)))),
            None => Arc::new(self.callee.view(from)),
        }
    }

    /// What the gateways of a cluster pass connections on to.
    pub(crate) fn exits(&mut self, at: Id<Cluster>) -> Arc<[Hop]> {
        match self.exits.get_mut(at.index()) {
            Some(slot) => Arc::clone(slot.get_or_insert_with(|| Arc::from(self.callee.exits(at)))),
            None => Arc::from(self.callee.exits(at)),
        }
    }
}
