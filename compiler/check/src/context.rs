//! What several checks look at, worked out once.

use std::collections::BTreeMap;

use lang_diagnostics::Origin;
use meshc_topology::{Export, Topology};
use meshc_vocabulary::model::policy::{
    Attached, AuthorizationRule, Failover, Outlier, RateLimit, Retry, Timeout,
};
use meshc_vocabulary::model::{Cluster, Gateway, Id, Model, Route, Service};

use crate::calls::{Edge, edges};

/// The mesh and what follows from it.
pub(crate) struct Context<'a> {
    pub(crate) model: &'a Model,
    pub(crate) topology: &'a Topology,
    /// Every declared call and every destination of a route, in order of caller.
    pub(crate) edges: Vec<Edge<'a>>,
    holds: Vec<Holds<'a>>,
    attached: Attached<'a>,
    incoming: BTreeMap<Id<Service>, Vec<usize>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(model: &'a Model, topology: &'a Topology) -> Self {
        let edges = edges(model);
        let mut incoming: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, edge) in edges.iter().enumerate() {
            incoming.entry(edge.callee).or_default().push(place);
        }
        let attached = Attached::new(model);
        let holds = model.services.ids().map(|service| Holds::at(model, &attached, service)).collect();
        Self { model, topology, edges, holds, attached, incoming }
    }

    /// What holds at a service after all policies were weighed.
    #[expect(clippy::indexing_slicing, reason = "one entry was made for each service of the model")]
    pub(crate) fn holds(&self, service: Id<Service>) -> &Holds<'a> {
        &self.holds[service.index()]
    }

    /// The retries that a policy sets for a route.
    pub(crate) fn route_retry(&self, route: Id<Route>) -> Option<&'a Retry> {
        self.attached.on_route(route, |set| set.retry.as_ref()).map(|(_, retry)| retry)
    }

    /// The timeouts that a policy sets for a route.
    pub(crate) fn route_timeout(&self, route: Id<Route>) -> Option<&'a Timeout> {
        self.attached.on_route(route, |set| set.timeout.as_ref()).map(|(_, timeout)| timeout)
    }

    /// The calls and routes that lead to a service.
    pub(crate) fn incoming(&self, service: Id<Service>) -> impl Iterator<Item = &Edge<'a>> {
        let places = self.incoming.get(&service).into_iter().flatten();
        places.filter_map(|place| self.edges.get(*place))
    }

    pub(crate) fn exports(&self, gateway: Id<Gateway>) -> &[Export] {
        self.topology.exports.get(&gateway).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn cluster_name(&self, cluster: Id<Cluster>) -> &str {
        &self.model.clusters.at(cluster).name
    }
}

/// What holds at a service after all policies were weighed.
pub(crate) struct Holds<'a> {
    pub(crate) failover: &'a Failover,
    pub(crate) outlier: &'a Outlier,
    pub(crate) retry: Option<&'a Retry>,
    pub(crate) timeout: &'a Timeout,
    pub(crate) allow: &'a [AuthorizationRule],
    pub(crate) deny: &'a [AuthorizationRule],
    pub(crate) rate_limits: &'a [RateLimit],
}

impl<'a> Holds<'a> {
    fn at(model: &'a Model, attached: &Attached<'a>, service: Id<Service>) -> Self {
        let failover = attached.nearest(service, |set| set.failover.as_ref());
        let outlier = attached.nearest(service, |set| set.outlier.as_ref());
        let retry = attached.nearest(service, |set| set.retry.as_ref());
        let timeout = attached.nearest(service, |set| set.timeout.as_ref());
        let allow = attached.nearest(service, |set| said(&set.allow));
        let deny = attached.nearest(service, |set| said(&set.deny));
        let rate_limits = attached.nearest(service, |set| said(&set.rate_limits));
        Self {
            failover: failover.map_or(&model.defaults.failover, |(_, failover)| failover),
            outlier: outlier.map_or(&model.defaults.outlier, |(_, outlier)| outlier),
            retry: retry.map(|(_, retry)| retry),
            timeout: timeout.map_or(&model.defaults.timeout, |(_, timeout)| timeout),
            allow: allow.map_or(&[], |(_, rules)| rules),
            deny: deny.map_or(&[], |(_, rules)| rules),
            rate_limits: rate_limits.map_or(&[], |(_, limits)| limits),
        }
    }
}

fn said<T>(settings: &[T]) -> Option<&[T]> {
    (!settings.is_empty()).then_some(settings)
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
