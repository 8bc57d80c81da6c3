//! Who reaches a service, directly or through others, and by which way.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use lang_diagnostics::{FileId, Span};
use meshc_topology::{Failures, Survivors};
use meshc_vocabulary::model::{Callee, Id, Service};
use meshc_vocabulary::testing::CallFrom;

use crate::ask::Asked;
use crate::callees::Callees;
use crate::expectation::Asking;
use crate::log::Log;
use crate::world::World;

/// Who may call each service, with all requests or with some.
#[derive(Debug)]
pub(crate) struct Reached {
    callers: BTreeMap<Id<Service>, Vec<(CallFrom, String)>>,
}

impl Reached {
    pub(crate) fn new(world: &World<'_>) -> Self {
        let (callees, failures) = (Callees::new(world), Failures::default());
        let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
        let asking = Asking { world, callees: &callees, survivors, log: Log::NONE };
        let asked = Asked::new(asking, Span::new(FileId(0), 0, 0));
        let mut callers: BTreeMap<Id<Service>, Vec<(CallFrom, String)>> = BTreeMap::new();
        for from in asked.all_callers() {
            for (callee, _) in asked.pairs(from) {
                if let Callee::Service(service) = callee {
                    callers.entry(service).or_default().push((from, asked.asking.caller_name(from)));
                }
            }
        }
        Self { callers }
    }

    /// Everybody from whom calls lead to a service, by name, each with the shortest way there: `[a, b, c]` for a call of b,
    /// which calls c.
    pub(crate) fn ways(&self, service: Id<Service>, name: String) -> BTreeMap<String, Vec<String>> {
        let mut ways: BTreeMap<String, Vec<String>> = BTreeMap::from([(name.clone(), vec![name.clone()])]);
        let mut open = VecDeque::from([(service, vec![name.clone()])]);
        while let Some((service, way)) = open.pop_front() {
            for (from, caller) in self.callers.get(&service).into_iter().flatten() {
                let Entry::Vacant(place) = ways.entry(caller.clone()) else { continue };
                let whole: Vec<String> = std::iter::once(caller.clone()).chain(way.iter().cloned()).collect();
                place.insert(whole.clone());
                if let CallFrom::Service(caller, _) = from {
                    open.push_back((*caller, whole));
                }
            }
        }
        ways.remove(&name);
        ways
    }
}
