//! Shares of several upstreams, and what becomes of the share of one that is dead.
//!
//! Weighted clusters draw one of them, dead or alive. Where others take the place of a dead one, what is drawn is an order
//! of all of them: an aggregate of their clusters, in which the first that lives answers. If each order is as likely as
//! drawing its upstreams one after the other by their weights, then whatever is dead, each of the others gets of all
//! requests as much as it weighs among the living.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeMap;

use meshc_plan::{HttpAction, ListenerKind, ProxyPlan, WeightedUpstream};
use meshc_vocabulary::model::DeadShare;

/// The sum of the weights of more than two orders: a billionth of the requests is the least that is told apart.
const TOTAL: u128 = 1_000_000_000;

/// Upstreams in the order in which they are tried.
type Order<'p> = Vec<&'p str>;

/// The clusters that one is drawn of, with their weights.
pub(crate) fn clusters(to: &[WeightedUpstream], dead_share: DeadShare) -> Vec<(String, u32)> {
    let drawn = |one: &WeightedUpstream| {
        let WeightedUpstream { upstream, weight } = one;
        (upstream.clone(), *weight)
    };
    match dead_share {
        DeadShare::Kept => to.iter().map(drawn).collect(),
        DeadShare::ToOthers => orders(to).into_iter().map(|(order, weight)| (name(&order), weight)).collect(),
    }
}

/// The cluster of an order.
pub(crate) fn name(order: &[&str]) -> String {
    order.join(" or ")
}

/// Every order of more than one upstream that something of a proxy's plan draws, by the cluster's name.
pub(crate) fn of_proxy(plan: &ProxyPlan) -> BTreeMap<String, Order<'_>> {
    let shares = plan.listeners.iter().flat_map(|listener| match &listener.kind {
        ListenerKind::Http(http) => {
            let routes = http.virtual_hosts.iter().flat_map(|host| &host.routes);
            let shares = routes.filter_map(|route| match &route.action {
                HttpAction::Forward {
                    to,
                    dead_share,
                    hash: _,
                    timeout: _,
                    idle_timeout: _,
                    retry: _,
                    upgrades: _,
                    deadlines: _,
                } => Some((to.as_slice(), *dead_share)),
                HttpAction::Redirect(_) | HttpAction::Respond(_) => None,
            });
            shares.collect()
        }
        ListenerKind::Tcp(tcp) => vec![(tcp.to.as_slice(), tcp.dead_share)],
        ListenerKind::PassThrough(passed) => {
            passed.chains.iter().map(|chain| (chain.to.as_slice(), chain.dead_share)).collect()
        }
        ListenerKind::Inbound(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => Vec::new(),
    });
    let drawn = shares.flat_map(|(to, dead_share)| match dead_share {
        DeadShare::Kept => Vec::new(),
        DeadShare::ToOthers => orders(to),
    });
    let several = drawn.map(|(order, _)| order).filter(|order| order.len() > 1);
    several.map(|order| (name(&order), order)).collect()
}

/// The orders of upstreams with a weight, each with its own.
fn orders(to: &[WeightedUpstream]) -> Vec<(Order<'_>, u32)> {
    let weighed: Vec<_> = to.iter().filter(|one| one.weight > 0).collect();
    if let [first, second] = weighed.as_slice() {
        let names = [first, second].map(|one| one.upstream.as_str());
        let [one, other] = names;
        return vec![(vec![one, other], first.weight), (vec![other, one], second.weight)];
    }
    let mut found = Vec::new();
    draw(&mut Vec::new(), &weighed, (1, 1), &mut found);
    found
}

/// Adds every order that begins so. `chance` is that of this beginning, as a fraction.
fn draw<'p>(
    begun: &mut Order<'p>,
    left: &[&'p WeightedUpstream],
    chance: (u128, u128),
    found: &mut Vec<(Order<'p>, u32)>,
) {
    let (part, whole) = chance;
    if left.is_empty() {
        let weight = u32::try_from(TOTAL * part / whole.max(1)).unwrap_or(u32::MAX);
        // What is drawn less often than once in a billion requests is not worth a cluster.
        if weight > 0 {
            found.push((begun.clone(), weight));
        }
        return;
    }
    let total: u128 = left.iter().map(|one| u128::from(one.weight)).sum();
    for (position, one) in left.iter().enumerate() {
        let others: Vec<_> =
            left.iter().enumerate().filter(|(other, _)| *other != position).map(|(_, one)| *one).collect();
        // The last one is certain, and nothing is gained by a larger fraction.
        let chance = if others.is_empty() { chance } else { (part * u128::from(one.weight), whole * total) };
        begun.push(&one.upstream);
        draw(begun, &others, chance, found);
        begun.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(weights: &[(&str, u32)]) -> Vec<WeightedUpstream> {
        let one = |(upstream, weight): &(&str, u32)| WeightedUpstream {
            upstream: (*upstream).to_owned(),
            weight: *weight,
        };
        weights.iter().map(one).collect()
    }

    /// How many of a million requests each upstream answers while some are dead.
    fn answered(to: &[WeightedUpstream], dead: &[&str]) -> BTreeMap<String, u64> {
        let mut answered = BTreeMap::new();
        let orders = orders(to);
        let total: u64 = orders.iter().map(|(_, weight)| u64::from(*weight)).sum();
        for (order, weight) in orders {
            let first = order.iter().find(|one| !dead.contains(one)).expect("one lives");
            *answered.entry((*first).to_owned()).or_insert(0) += u64::from(weight) * 1_000_000;
        }
        answered.into_iter().map(|(one, weight)| (one, (weight + total / 2) / total)).collect()
    }

    #[test]
    fn the_living_share_what_the_dead_had_by_their_weights() {
        let two = to(&[("a", 90), ("b", 10), ("idle", 0)]);
        assert_eq!(
            clusters(&two, DeadShare::ToOthers),
            [(String::from("a or b"), 90), (String::from("b or a"), 10)]
        );
        assert_eq!(clusters(&two, DeadShare::Kept).len(), 3);
        let three = to(&[("a", 60), ("b", 30), ("c", 10)]);
        let shares = |a: u64, b: u64, c: u64| {
            let all = [("a", a), ("b", b), ("c", c)].into_iter().filter(|(_, share)| *share > 0);
            all.map(|(one, share)| (one.to_owned(), share)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(answered(&three, &[]), shares(600_000, 300_000, 100_000));
        assert_eq!(answered(&three, &["a"]), shares(0, 750_000, 250_000));
        assert_eq!(answered(&three, &["b"]), shares(857_143, 0, 142_857));
        assert_eq!(answered(&three, &["a", "c"]), shares(0, 1_000_000, 0));
        let four = to(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        assert_eq!(orders(&four).len(), 24);
        assert_eq!(answered(&four, &["b", "d"]), shares(250_000, 0, 750_000));
        // The largest weights that a mesh may have.
        let large = to(&[("a", 1_000_000), ("b", 999_999), ("c", 1_000_000), ("d", 1)]);
        assert_eq!(answered(&large, &["a", "b", "c"]).len(), 1);
    }
}
