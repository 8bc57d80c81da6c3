//! From single differences to effects: what comes to the same is one effect, whatever number of proxies it is in.

use std::collections::BTreeMap;

use crate::changes::Change;
use crate::effect::{Effect, Risk};
use crate::side::Side;
use crate::witness;

/// For how many of the changes of one effect a request is looked for.
const FEW: usize = 8;

type Key = (Risk, String, Option<String>, Option<String>);

pub(crate) fn effects(changes: Vec<Change>, old: &Side<'_, '_>, new: &Side<'_, '_>) -> Vec<Effect> {
    let mut groups: BTreeMap<Key, Vec<Change>> = BTreeMap::new();
    for change in changes {
        let key = (change.risk, change.aspect.clone(), change.before.clone(), change.after.clone());
        groups.entry(key).or_default().push(change);
    }
    let mut effects: Vec<Effect> = Vec::new();
    for ((risk, aspect, before, after), group) in groups {
        let witness = group.iter().take(FEW).find_map(|change| witness::of(change, old, new));
        let mut subjects: Vec<String> = group.into_iter().map(subject).collect();
        subjects.sort();
        subjects.dedup();
        effects.push(Effect { risk, aspect, subjects, before, after, witness });
    }
    effects.sort_by(|one, other| {
        (one.risk, &one.aspect, &one.subjects).cmp(&(other.risk, &other.aspect, &other.subjects))
    });
    effects
}

fn subject(change: Change) -> String {
    if change.place.is_empty() { change.subject } else { format!("{} ({})", change.subject, change.place) }
}
