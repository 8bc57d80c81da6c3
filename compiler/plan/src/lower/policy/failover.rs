//! `failover`: which groups of endpoints may take over. Their order is the topology's.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_topology::Group;
use meshc_vocabulary::model::policy::Failover;

use crate::Spill;
use crate::lower::context::Context;

/// All groups, or only the nearest one.
pub(in crate::lower) fn groups<'a>(failover: &Failover, groups: &'a [Group]) -> &'a [Group] {
    // The topology has put them in order.
    let Failover { origin: _, enabled, spill: _, by: _, locality: _ } = failover;
    if *enabled { groups } else { groups.get(..1).unwrap_or(groups) }
}

/// When a group hands on requests.
pub(in crate::lower) const fn spill(failover: &Failover) -> Spill {
    if failover.spill { Spill::ByShare } else { Spill::WhenEmpty }
}

/// The shares of those groups that have one, by the name of their cluster.
pub(in crate::lower) fn shares<'m>(
    context: &Context<'_>,
    failover: &'m Failover,
    groups: &[Group],
) -> Vec<(&'m str, u32)> {
    let is_there =
        |name: &str| groups.iter().any(|group| context.model.clusters.at(group.cluster).name == name);
    let shares = failover.locality.iter().map(|(name, share)| (name.value.as_str(), *share));
    shares.filter(|(name, share)| *share > 0 && is_there(name)).collect()
}
