//! What differs between two meshes: the effects of a change, which pods restart, and which cluster is applied first.
//!
//! Both sides are compared where proxies are told what to do, in their plans: what is written elsewhere, in another order or
//! with other local names comes to the same plan and is no change. Proxies are compared by digest first, and looked into only
//! where these differ. What is about requests has one that is decided differently, asked of both meshes before it is shown.
//!
//! Invariants: pure; weighs no rule itself; each effect is listed once, whatever number of proxies it is in.

mod access;
mod cases;
mod changes;
mod effect;
mod facts;
mod grouping;
mod labels;
mod order;
mod rollout;
mod side;
mod units;
mod witness;

pub use effect::{Comparison, Effect, Order, Probe, Risk, Rollout, Step, Witness};

use meshc_answers::World;

use labels::Labels;
use side::Side;
use units::Units;

/// Compares two meshes without errors.
#[must_use]
pub fn compare(old: &World<'_>, new: &World<'_>) -> Comparison {
    let labels = Labels::new(old.model, new.model);
    let (old, new) = (Side::new(old, &labels), Side::new(new, &labels));
    let units = Units::new(&old, &new);
    let mut changes = facts::mesh::compare(&old, &new);
    let mut access = access::Changes::default();
    for unit in units.changed() {
        changes.extend(facts::compare(&old, &new, unit));
        access.add(&old, &new, unit);
    }
    access.add_named(&old, &new, units.unchanged());
    changes.extend(access.into_changes(&old, &new));
    let order = order::of(&old, &new, &units);
    let rollout = rollout::of(&old, &new, &units);
    let effects = grouping::effects(changes, &old, &new);
    Comparison { effects, rollout, order }
}
