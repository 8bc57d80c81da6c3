//! `failover`: which groups of endpoints may take over. Their order is the topology's.

use meshc_topology::Group;
use meshc_vocabulary::model::policy::Failover;

/// All groups, or only the nearest one.
pub(in crate::lower) fn groups<'a>(failover: &Failover, groups: &'a [Group]) -> &'a [Group] {
    if failover.enabled { groups } else { groups.get(..1).unwrap_or(groups) }
}
