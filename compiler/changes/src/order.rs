//! In which order clusters are applied: whoever is called newly is told first, and whoever calls no longer.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::{Group, ProxyPlan, Serves};

use crate::effect::{Order, Step};
use crate::side::Side;
use crate::units::{Pair, Units};

/// What a proxy connects to in other clusters: the callee and the cluster.
fn ways(side: &Side<'_, '_>, proxy: &ProxyPlan) -> BTreeSet<(String, String)> {
    let mut ways = BTreeSet::new();
    for upstream in &proxy.upstreams {
        let Some(callee) = side.upstream(&upstream.name) else { continue };
        for group in &upstream.groups {
            for cluster in clusters(group).filter(|cluster| *cluster != proxy.name.cluster) {
                ways.insert((callee.clone(), cluster.to_owned()));
            }
        }
    }
    ways
}

/// Where the pods of a group run, and the gateways on the way.
fn clusters(group: &Group) -> impl Iterator<Item = &str> {
    let through = group.endpoints.iter().filter_map(|endpoint| match &endpoint.serves {
        Serves::Proxy { proxy, listener: _ } => Some(proxy.cluster.as_str()),
        Serves::App | Serves::RateLimit | Serves::External { .. } => None,
    });
    // Hosts outside are in no cluster.
    let is_ours = group.endpoints.iter().any(|endpoint| matches!(endpoint.serves, Serves::Proxy { .. }));
    is_ours.then_some(group.name.as_str()).into_iter().chain(through)
}

pub(crate) fn of(old: &Side<'_, '_>, new: &Side<'_, '_>, units: &Units<'_>) -> Order {
    let mut touched: BTreeSet<String> = BTreeSet::new();
    // Which cluster comes before which other one, and why.
    let mut before: BTreeMap<(String, String), String> = BTreeMap::new();
    for pair in &units.pairs {
        let (was, is, proxy, side) = match pair {
            Pair::Same => continue,
            Pair::Gone(proxy) => (ways(old, proxy), BTreeSet::new(), *proxy, old),
            Pair::Added(proxy) => (BTreeSet::new(), ways(new, proxy), *proxy, new),
            Pair::Differs(one, other) => (ways(old, one), ways(new, other), *other, new),
        };
        let here = &proxy.name.cluster;
        touched.insert(here.clone());
        let who = side.owner(proxy);
        for (callee, cluster) in is.difference(&was) {
            let why = format!("{who} in {here} newly reaches {callee} there");
            before.entry((cluster.clone(), here.clone())).or_insert(why);
        }
        for (callee, cluster) in was.difference(&is) {
            let why = format!("{who} no longer reaches {callee} in {cluster}");
            before.entry((here.clone(), cluster.clone())).or_insert(why);
        }
    }
    before.retain(|(first, then), _| touched.contains(first) && touched.contains(then));
    if before.is_empty() {
        return Order::Any;
    }
    let mut steps = Vec::new();
    while !touched.is_empty() {
        let waits = |cluster: &String| {
            before.keys().any(|(first, then)| then == cluster && first != cluster && touched.contains(first))
        };
        let Some(next) = touched.iter().find(|cluster| !waits(cluster)).cloned() else {
            let left =
                before.iter().filter(|((first, then), _)| touched.contains(first) && touched.contains(then));
            return Order::Circle(
                left.map(|((first, then), why)| format!("{first} before {then}: {why}")).collect(),
            );
        };
        touched.remove(&next);
        let why = before.iter().find(|((first, then), _)| *first == next && touched.contains(then));
        steps.push(Step { why: why.map(|(_, why)| why.clone()), cluster: next });
    }
    Order::Steps(steps)
}
