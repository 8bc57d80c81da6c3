//! Which endpoint gets the next request: groups in order, ejected endpoints only when there is no other. Who is next
//! within a group is decided by its members.

use crate::choice;
use crate::members::Among;
use crate::metrics::Metrics;
use crate::outlier::Report;
use crate::random;
use crate::upstream::{Endpoint, Group, Upstream};
use meshd_config::{Balance, Spill};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What was tried for one request or connection so far.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// The last one; most requests have no other.
    last: Option<Once>,
    before: Vec<Once>,
    /// What decides where endpoints are chosen by hash.
    key: Option<u64>,
}

impl Tried {
    /// Nothing yet, for a request with this hash.
    pub(crate) fn of(key: Option<u64>) -> Self {
        Tried { key, ..Tried::default() }
    }

    fn add(&mut self, once: Once) {
        self.before.extend(self.last.replace(once));
    }

    fn all(&self) -> impl Iterator<Item = &Once> {
        self.before.iter().chain(&self.last)
    }
}

/// An endpoint that was tried.
#[derive(Debug)]
struct Once {
    endpoint: u64,
    address: SocketAddr,
    /// The position of its group.
    group: usize,
}

/// What the next attempt prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefer {
    /// Another endpoint of the same group, as long as the group has a usable one.
    SameGroup,
    /// Another endpoint, wherever it is.
    AnotherEndpoint,
    /// Another group.
    AnotherGroup,
}

/// A chosen endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    /// The upstream that it belongs to.
    pub(crate) upstream: Arc<Upstream>,
    /// The position of its group.
    pub(crate) position: usize,
    /// The endpoint.
    pub(crate) endpoint: Arc<Endpoint>,
}

impl Picked {
    /// Its group; present as long as the upstream is, whose groups never change.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.upstream.groups.get(self.position)
    }

    /// Takes into account how an attempt at the endpoint went.
    pub(crate) fn report(&self, report: Report, metrics: &Metrics) {
        if let Some(group) = self.group() {
            self.upstream.report(group, &self.endpoint, report, metrics);
        }
    }

    /// Whether the hash of a request decides who gets it there.
    pub(crate) fn is_by_hash(&self) -> bool {
        self.group().is_some_and(|group| group.config.balance == Balance::Hash)
    }

    /// The name of its group.
    pub(crate) fn group_name(&self) -> &str {
        self.group().map_or("", |group| group.config.name.as_str())
    }
}

/// Whether an endpoint is left: known, and not ejected.
pub(crate) fn lives(upstream: &Upstream) -> bool {
    let now = Instant::now();
    upstream.groups.iter().any(|group| group.members.any(Among::Usable(group.config.outlier.as_ref(), now)))
}

/// The endpoint for the next attempt; `None` if no endpoint is known.
///
/// When every endpoint of every group is ejected, all are tried, and each pick begins with another group: who was
/// ejected may have healed, and a request that is tried has a chance.
pub(crate) fn pick(upstream: &Arc<Upstream>, tried: &mut Tried, prefer: Prefer) -> Option<Picked> {
    let (now, key) = (Instant::now(), tried.key);
    let groups = || upstream.groups.iter().enumerate();
    let usable = |group: &Group, admits: &dyn Fn(&Endpoint) -> bool| {
        group.members.next(Among::Usable(group.config.outlier.as_ref(), now), key, admits)
    };
    let all = |group: &Group, admits: &dyn Fn(&Endpoint) -> bool| group.members.next(Among::All, key, admits);
    let found = match upstream.config.spill {
        Spill::WhenEmpty => choose(groups, usable, tried, prefer),
        // The drawn one comes first, the others follow in their order.
        Spill::ByShare => {
            let first = drawn(upstream, now);
            let rest = || groups().filter(move |(position, _)| *position != first);
            choose(|| groups().skip(first).take(1).chain(rest()), usable, tried, prefer)
        }
    };
    let (position, endpoint) = found.or_else(|| {
        let first = upstream.desperate.fetch_add(1, Ordering::Relaxed) % upstream.groups.len().max(1);
        choose(|| groups().cycle().skip(first).take(upstream.groups.len()), all, tried, prefer)
    })?;
    tried.add(Once { endpoint: endpoint.id, address: endpoint.address, group: position });
    Some(Picked { upstream: Arc::clone(upstream), position, endpoint })
}

/// The group that gets the next request where groups hand on a part of theirs.
fn drawn(upstream: &Upstream, now: Instant) -> usize {
    let among = |group: &Group| group.members.count(Among::Usable(group.config.outlier.as_ref(), now));
    let usable: Vec<(usize, usize)> = upstream.groups.iter().map(among).collect();
    choice::group(&usable, random::number()).unwrap_or(0)
}

/// The group and endpoint that the preference leads to, in this order of groups.
fn choose<'a, G: Iterator<Item = (usize, &'a Group)>>(
    groups: impl Fn() -> G,
    next: impl Fn(&Group, &dyn Fn(&Endpoint) -> bool) -> Option<Arc<Endpoint>>,
    tried: &Tried,
    prefer: Prefer,
) -> Option<(usize, Arc<Endpoint>)> {
    let untried = |endpoint: &Endpoint| tried.all().all(|once| once.endpoint != endpoint.id);
    // All copies of an endpoint fail together when nobody listens there.
    let elsewhere = |endpoint: &Endpoint| tried.all().all(|once| once.address != endpoint.address);
    let any = |_: &Endpoint| true;
    let in_any = |admits: &dyn Fn(&Endpoint) -> bool| {
        groups().find_map(|(position, group)| Some((position, next(group, admits)?)))
    };
    match prefer {
        Prefer::SameGroup => groups().find_map(|(position, group)| {
            let endpoint = next(group, &elsewhere).or_else(|| next(group, &untried));
            Some((position, endpoint.or_else(|| next(group, &any))?))
        }),
        Prefer::AnotherEndpoint => in_any(&elsewhere).or_else(|| in_any(&untried)).or_else(|| in_any(&any)),
        Prefer::AnotherGroup => {
            let mut order: Vec<(usize, &Group)> = groups().collect();
            // Those that were tried least come first; the sort keeps the order of preference among equals.
            order.sort_by_key(|(position, _)| tried.all().filter(|once| once.group == *position).count());
            order.into_iter().find_map(|(position, group)| {
                let endpoint = next(group, &elsewhere).or_else(|| next(group, &any));
                Some((position, endpoint?))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An upstream whose groups have endpoints of these weights, ejected after one failure for an hour.
    fn upstream(groups: &[&[u32]]) -> Arc<Upstream> {
        let groups: Vec<String> = groups
            .iter()
            .enumerate()
            .map(|(g, weights)| {
                let endpoints: Vec<String> = weights
                    .iter()
                    .enumerate()
                    .map(|(e, weight)| format!(r#"{{"host":"127.0.{g}.{e}","port":80,"weight":{weight}}}"#))
                    .collect();
                format!(
                    r#"{{"name":"g{g}","endpoints":[{}],"outlier":{{"failing_answers":"5xx","consecutive_answers":1,
                       "interval":"1s","ejection":"1h"}}}}"#,
                    endpoints.join(",")
                )
            })
            .collect();
        let text = format!(
            r#"{{"version":1,"node":{{"name":"n","cluster":"c"}},"listeners":[],"upstreams":{{"u":{{"connect_timeout":"1s",
               "pool":{{"max_connections":1,"max_pending":1,"max_requests":1}},"groups":[{}]}}}}}}"#,
            groups.join(",")
        );
        Upstream::new("u", &meshd_config::Config::read(&text).unwrap().upstreams["u"])
    }

    fn first(upstream: &Arc<Upstream>) -> Option<Picked> {
        pick(upstream, &mut Tried::default(), Prefer::SameGroup)
    }

    fn eject(picked: &Picked) {
        let group = picked.group().unwrap();
        picked.upstream.report(group, &picked.endpoint, Report::Answer(500), &Metrics::default());
    }

    #[test]
    fn requests_go_around() {
        let upstream = upstream(&[&[1, 1, 1]]);
        let order: Vec<String> =
            (0..6).map(|_| first(&upstream).unwrap().endpoint.address.ip().to_string()).collect();
        assert_eq!(order[..3], order[3..]);
        assert_eq!(order[..3], ["127.0.0.0", "127.0.0.1", "127.0.0.2"]);
    }

    #[test]
    fn the_next_group_takes_over_only_when_the_first_has_nobody_left() {
        let upstream = upstream(&[&[1, 1], &[1]]);
        for expected in ["g0", "g0", "g1"] {
            let picked = first(&upstream).unwrap();
            assert_eq!(picked.group_name(), expected);
            eject(&picked);
        }
    }

    #[test]
    fn when_everything_is_ejected_everything_is_tried() {
        let upstream = upstream(&[&[1, 1], &[1]]);
        for _ in 0..3 {
            eject(&first(&upstream).unwrap());
        }
        let mut tried: Vec<String> =
            (0..6).map(|_| first(&upstream).unwrap().endpoint.address.ip().to_string()).collect();
        tried.sort_unstable();
        tried.dedup();
        assert_eq!(tried, ["127.0.0.0", "127.0.0.1", "127.0.1.0"], "in every group");
        let mut tried = Tried::default();
        let groups: Vec<usize> =
            (0..2).map(|_| pick(&upstream, &mut tried, Prefer::AnotherGroup).unwrap().position).collect();
        assert_ne!(groups[0], groups[1], "and a retry still goes elsewhere");
    }

    #[test]
    fn a_retry_avoids_what_failed_and_can_leave_the_group() {
        let upstream = upstream(&[&[1, 1], &[1]]);
        for (prefer, groups) in [
            (Prefer::SameGroup, ["g0", "g0", "g0", "g0"]),
            (Prefer::AnotherEndpoint, ["g0", "g0", "g1", "g0"]),
            (Prefer::AnotherGroup, ["g0", "g1", "g0", "g1"]),
        ] {
            let mut tried = Tried::default();
            let picked: Vec<Picked> = (0..4).map(|_| pick(&upstream, &mut tried, prefer).unwrap()).collect();
            let names: Vec<&str> = picked.iter().map(Picked::group_name).collect();
            assert_eq!(names, groups, "{prefer:?}");
            if prefer != Prefer::AnotherGroup {
                assert_ne!(picked[0].endpoint.id, picked[1].endpoint.id, "{prefer:?}");
            }
        }
    }

    #[test]
    fn a_retry_goes_to_another_address_and_not_to_another_copy() {
        let upstream = upstream(&[&[1, 1]]);
        let group = &upstream.groups[0];
        let addresses: Vec<_> = group.members.all().iter().map(|endpoint| endpoint.address).collect();
        let copies = |address: &SocketAddr| (0..8).map(|copy| (*address, copy, 1)).collect::<Vec<_>>();
        let wanted: Vec<_> = addresses.iter().flat_map(copies).collect();
        group.members.renew(&wanted, Endpoint::new);
        for _ in 0..16 {
            let mut tried = Tried::default();
            let [one, other, again] =
                [(); 3].map(|()| pick(&upstream, &mut tried, Prefer::SameGroup).unwrap().endpoint);
            assert_ne!(one.address, other.address);
            assert!(again.id != one.id && again.id != other.id, "then a copy that was not tried");
        }
    }

    #[test]
    fn a_renewed_group_keeps_its_ejections() {
        let upstream = upstream(&[&[1, 1]]);
        let ejected = first(&upstream).unwrap();
        eject(&ejected);
        let group = &upstream.groups[0];
        let same: Vec<_> = group.members.all().iter().map(|e| (e.address, e.copy, e.weight)).collect();
        group.members.renew(&same, |_, _, _| panic!("nobody is new"));
        assert!((0..4).all(|_| first(&upstream).unwrap().endpoint.id != ejected.endpoint.id));
    }

    proptest! {
        #[test]
        fn shares_follow_weights_exactly(weights in proptest::collection::vec(1u32..9, 1..6)) {
            let upstream = upstream(&[&weights]);
            let total: u32 = weights.iter().sum();
            let mut shares = vec![0; weights.len()];
            for _ in 0..total * 3 {
                let picked = first(&upstream).unwrap();
                let position = upstream.groups[0].members.all().iter().position(|e| e.id == picked.endpoint.id);
                shares[position.unwrap()] += 1;
            }
            let expected: Vec<u32> = weights.iter().map(|weight| weight * 3).collect();
            prop_assert_eq!(shares, expected);
        }
    }
}
