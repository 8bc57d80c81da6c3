//! What `meshc check` says about tests: the mistakes in them, and not whether they pass.

use lang_diagnostics::Sink;
use meshc_vocabulary::Tests;

use crate::tests::mistakes;
use crate::world::World;

/// Reports names in conditions that lead nowhere, and what cannot be compared.
pub fn check(world: &World<'_>, tests: &Tests, sink: &mut Sink) {
    for mistake in mistakes(world, tests) {
        sink.push(mistake);
    }
}
