//! Who may call whom, of the whole mesh at once.

use std::collections::{BTreeMap, BTreeSet};

use meshc_topology::{Failures, Survivors};
use meshc_vocabulary::model::{Callee, Model};
use meshc_vocabulary::testing::{CallFrom, CallTo};

use super::Asked;
use crate::callees::Callees;
use crate::expectation::Asking;
use crate::log::Log;
use crate::truth::Truth;
use crate::world::World;
use lang_diagnostics::{FileId, Span};

/// What rows and columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Services, clients and gateways; services and hosts outside.
    Services,
    /// Namespaces and gateways; namespaces and hosts outside.
    Namespaces,
    /// Identities; identities and hosts outside.
    Identities,
    /// Services, clients and gateways; hosts outside alone.
    External,
}

/// Who may call whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Who calls, in order.
    pub rows: Vec<String>,
    /// What is called, in order.
    pub columns: Vec<String>,
    /// Where a row meets a column: for all requests ([`Truth::Yes`]) or for some; what is not there may not call.
    pub cells: BTreeMap<(usize, usize), Truth>,
}

/// Asks for each caller and callee between which there is a way.
#[must_use]
pub fn matrix(world: &World<'_>, view: View) -> Matrix {
    let (callees, failures) = (Callees::new(world), Failures::default());
    let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
    let asking = Asking { world, callees: &callees, survivors, log: Log::NONE };
    let asked = Asked::new(asking, Span::new(FileId(0), 0, 0));
    let model = world.model;
    let callers = asked.all_callers();
    let called = called(model);
    let mut rows: Vec<String> = callers.iter().flat_map(|from| asked.row(view, *from)).collect();
    let mut columns: Vec<String> = called.iter().flat_map(|callee| column(model, view, *callee)).collect();
    for names in [&mut rows, &mut columns] {
        names.sort();
        names.dedup();
    }
    let place = |names: &[String], name: &String| names.binary_search(name).ok();
    let mut cells: BTreeMap<(usize, usize), Truth> = BTreeMap::new();
    for from in callers {
        for (callee, verdict) in asked.pairs(from) {
            for row in asked.row(view, from) {
                for column in column(model, view, callee) {
                    if let (Some(row), Some(column)) = (place(&rows, &row), place(&columns, &column)) {
                        let cell = cells.entry((row, column)).or_insert(verdict);
                        *cell = cell.or(verdict);
                    }
                }
            }
        }
    }
    Matrix { rows, columns, cells }
}

/// Everything that is called: services without their subsets, and hosts outside.
fn called(model: &Model) -> Vec<Callee> {
    let services = model.whole_services().map(|(id, _)| id).filter(|id| model.limiter != Some(*id));
    let callees = services.map(Callee::Service).chain(model.externals.ids().map(Callee::External));
    callees.filter(|callee| !model.ports(*callee).is_empty()).collect()
}

fn column(model: &Model, view: View, callee: Callee) -> Vec<String> {
    match (view, callee) {
        (View::Services, _) | (_, Callee::External(_)) => vec![model.callee_name(callee)],
        (View::Namespaces, Callee::Service(service)) => {
            vec![model.namespaces.at(model.services.at(service).namespace).name.clone()]
        }
        (View::Identities, Callee::Service(service)) => {
            model.service_identities(service).iter().map(ToString::to_string).collect()
        }
        (View::External, Callee::Service(_)) => Vec::new(),
    }
}

impl Asked<'_, '_> {
    /// Services, clients, and gateways with an identity.
    pub(crate) fn all_callers(&self) -> Vec<CallFrom> {
        let keys = self.asking.world.topology.reaches.keys();
        let model = self.asking.world.model;
        let services = model.whole_services().filter(|(id, _)| model.limiter != Some(*id));
        let mut callers: Vec<CallFrom> = services.map(|(id, _)| CallFrom::Service(id, None)).collect();
        callers.extend(keys.filter_map(|key| self.caller(*key)));
        callers.sort();
        callers.dedup();
        callers
    }

    /// What a caller may call, with all requests or with some.
    pub(crate) fn pairs(&self, from: CallFrom) -> Vec<(Callee, Truth)> {
        let model = self.asking.world.model;
        let whole = |callee: Callee| match callee {
            Callee::Service(service) => Callee::Service(model.whole(service)),
            external @ Callee::External(_) => external,
        };
        let callees: BTreeSet<Callee> = self.called(from).into_iter().map(whole).collect();
        let asked = callees.into_iter().map(|callee| {
            let to = CallTo { callee, port: None, cluster: None };
            (callee, self.can(&self.call(from, to, None)).0)
        });
        asked.filter(|(_, verdict)| *verdict != Truth::No).collect()
    }

    fn row(&self, view: View, from: CallFrom) -> Vec<String> {
        let model = self.asking.world.model;
        match (view, from) {
            (View::Services | View::External, _) | (View::Namespaces, CallFrom::Gateway(..)) => {
                vec![self.asking.caller_name(from)]
            }
            (View::Namespaces, CallFrom::Service(service, _)) => {
                vec![model.namespaces.at(model.services.at(service).namespace).name.clone()]
            }
            (View::Identities, CallFrom::Service(service, _)) => {
                model.service_identities(service).iter().map(ToString::to_string).collect()
            }
            (View::Identities, CallFrom::Gateway(gateway, _)) => {
                model.gateway_identity(gateway).iter().map(ToString::to_string).collect()
            }
        }
    }
}
