//! What several checks look at, worked out once.

use lang_diagnostics::Origin;
use meshc_resolve::Resolved;
use meshc_topology::{Export, Topology};
use meshc_vocabulary::model::{Cluster, Gateway, Id, Model};

/// The mesh and what follows from it.
pub(crate) struct Context<'a> {
    pub(crate) model: &'a Model,
    pub(crate) resolved: &'a Resolved<'a>,
    pub(crate) topology: &'a Topology,
}

impl<'a> Context<'a> {
    pub(crate) fn new(resolved: &'a Resolved<'a>, topology: &'a Topology) -> Self {
        Self { model: resolved.model, resolved, topology }
    }

    pub(crate) fn exports(&self, gateway: Id<Gateway>) -> &[Export] {
        self.topology.exports.get(&gateway).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn cluster_name(&self, cluster: Id<Cluster>) -> &str {
        &self.model.clusters.at(cluster).name
    }
}

/// Entities in the order of their declarations, for checks that call one of two the first.
pub(crate) fn in_source_order<'t, T>(
    entities: impl Iterator<Item = (Id<T>, &'t T)>,
    origin: impl Fn(&T) -> &Origin,
) -> Vec<(Id<T>, &'t T)> {
    let mut entities: Vec<_> = entities.collect();
    entities.sort_by_key(|(_, entity)| origin(entity).span);
    entities
}

/// `` `a`, `b` and 2 more ``: names for a message, which stays short however many there are.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<_> = names.into_iter().collect();
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (names.len().checked_sub(SHOWN), shown.split_last()) {
        (Some(more), _) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        (_, Some((last, before))) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => shown.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn lists_stay_short() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b"]), "`a` and `b`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(listed(["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }
}
