//! Runs the tests of a mesh.

use lang_diagnostics::{Diagnostic, Span};
use meshc_topology::{Failure, Failures, Survivors};
use meshc_vocabulary::Tests;
use meshc_vocabulary::model::Model;
use meshc_vocabulary::testing::{Assertion, Fault, Test};

use crate::callees::Callees;
use crate::codes;
use crate::condition::Evaluation;
use crate::expectation::Asking;
use crate::log::Log;
use crate::values::Lookup;
use crate::world::World;

/// What came of one test.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// How much it expects.
    pub expectations: usize,
    /// What is not as expected, in the order of the source; empty if it passes.
    pub findings: Vec<Finding>,
}

/// Something that is not as expected.
pub type Finding = Diagnostic;

/// Runs the tests whose names are wanted, in the order of the source.
pub fn run(world: &World<'_>, tests: &Tests, is_wanted: &dyn Fn(&str) -> bool) -> Vec<Report> {
    let (callees, lookup) = (Callees::new(world), Lookup::new(world, tests));
    let wanted = tests.tests.iter().filter(|test| is_wanted(&test.name));
    wanted.map(|test| report(world, &callees, &lookup, test)).collect()
}

fn report(world: &World<'_>, callees: &Callees, lookup: &Lookup<'_>, test: &Test) -> Report {
    let Test { origin, name, fail, calls, assertions } = test;
    let mut failures = Failures::default();
    for fault in fail {
        add(world.model, fault.value, &mut failures);
    }
    let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
    let asking = Asking { world, callees, survivors, log: Log::NONE };
    let mut findings: Vec<Finding> = calls.iter().flat_map(|call| asking.call(call)).collect();
    findings.extend(assertions.iter().filter_map(|assertion| asserted(lookup, assertion)));
    Report {
        name: name.clone(),
        span: origin.span,
        expectations: calls.iter().map(|call| call.expected.len()).sum::<usize>() + assertions.len(),
        findings,
    }
}

/// Adds to what has failed.
pub(crate) fn add(model: &Model, fault: Fault, failures: &mut Failures) {
    match fault {
        Fault::Service(service, Some(cluster)) => {
            failures.services.insert((service, cluster), Failure::Gone);
        }
        Fault::Service(service, None) => {
            let presences = model.services.at(service).clusters.iter();
            failures.services.extend(presences.map(|it| ((service, it.cluster), Failure::Gone)));
        }
        Fault::Cluster(cluster) => {
            failures.clusters.insert(cluster);
        }
        Fault::Gateway(gateway) => {
            failures.gateways.insert(gateway);
        }
        Fault::Network(network) => {
            let inside = model.clusters.iter().filter(|(_, cluster)| cluster.network == network);
            failures.clusters.extend(inside.map(|(cluster, _)| cluster));
        }
        Fault::Link(one, other) => failures.cut(one, other),
    }
}

/// What is wrong with an assertion, if it does not hold: the value of each part of its condition, and where it is written.
pub(crate) fn asserted(lookup: &Lookup<'_>, assertion: &Assertion) -> Option<Finding> {
    let mut evaluation = Evaluation { lookup, parts: Vec::new(), ways: Vec::new() };
    match evaluation.truth(&assertion.condition) {
        Ok(true) => None,
        Err(wrong) => Some(*wrong),
        Ok(false) => {
            let message = assertion.message.clone().unwrap_or_else(|| String::from("this is not true"));
            let mut diagnostic = Diagnostic::error(codes::UNMET_ASSERTION, assertion.condition.span, message)
                .label("not true");
            for part in &evaluation.parts {
                diagnostic = diagnostic.also(part.span, format!("is `{}`", part.value));
            }
            for part in &evaluation.parts {
                if let Some(place) = part.place {
                    diagnostic = diagnostic.also(place, format!("`{}` is from here", part.value));
                }
            }
            const FEW: usize = 4;
            let ways: Vec<String> = evaluation.ways.iter().take(FEW).map(|way| format!("`{way}`")).collect();
            Some(if ways.is_empty() {
                diagnostic
            } else {
                diagnostic.help(format!("through others: {}", ways.join(", ")))
            })
        }
    }
}

/// What is wrong with the conditions of tests, whether or not they are true.
pub(crate) fn mistakes(world: &World<'_>, tests: &Tests) -> Vec<Diagnostic> {
    let lookup = Lookup::new(world, tests);
    let assertions = tests.tests.iter().flat_map(|test| &test.assertions);
    let wrong = |assertion: &Assertion| {
        Evaluation { lookup: &lookup, parts: Vec::new(), ways: Vec::new() }.truth(&assertion.condition).err()
    };
    assertions.filter_map(wrong).map(|wrong| *wrong).collect()
}
