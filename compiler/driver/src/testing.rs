//! `meshc test`: runs the tests of a mesh.

use meshc_answers::live::{self, LiveTest};
use meshc_answers::{Report, World};
use meshc_resolve::resolve;

use crate::{Analysis, CheckedMesh};

/// Runs the tests whose names are wanted, in the order of the source.
#[must_use]
pub fn run_tests(mesh: &CheckedMesh, is_wanted: &dyn Fn(&str) -> bool) -> Vec<Report> {
    let Some(tests) = &mesh.tests else { return Vec::new() };
    let resolved = resolve(&mesh.model);
    let world = World::new(&resolved, &mesh.topology, &mesh.plan);
    meshc_answers::run(&world, tests, is_wanted)
}

/// The same of a mesh that is looked at between its stages; nothing where there is no plan, since something is wrong with it.
#[must_use]
pub fn run_tests_in(analysis: &Analysis, is_wanted: &dyn Fn(&str) -> bool) -> Option<Vec<Report>> {
    let (model, topology, plan) =
        (analysis.model.as_ref()?, analysis.topology.as_ref()?, analysis.plan.as_ref()?);
    let Some(tests) = &analysis.tests else { return Some(Vec::new()) };
    let resolved = resolve(model);
    Some(meshc_answers::run(&World::new(&resolved, topology, plan), tests, is_wanted))
}

/// How the tests whose names are wanted are asked of a running mesh, in the order of the source.
#[must_use]
pub fn live_tests(mesh: &CheckedMesh, is_wanted: &dyn Fn(&str) -> bool) -> Vec<LiveTest> {
    let Some(tests) = &mesh.tests else { return Vec::new() };
    let resolved = resolve(&mesh.model);
    let world = World::new(&resolved, &mesh.topology, &mesh.plan);
    live::live(&world, tests, is_wanted)
}
