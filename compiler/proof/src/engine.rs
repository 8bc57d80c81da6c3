//! What becomes of a flow when something fails. What callers in one cluster see of a callee is found out once for all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use meshc_answers::{Callees, Truth, World, admits, counted_at, counts};
use meshc_plan::{GlobalLimit, RATE_LIMIT_UPSTREAM};
use meshc_topology::{Answer, Failures, ProxyKey, Reach, Survivors};
use meshc_vocabulary::model::policy::OnError;
use meshc_vocabulary::model::{Callee, Cluster, DeadShare, Id, Service};

use crate::flow::{Flow, Share};
use crate::loss::Loss;
use crate::noticed::{Budget, Manner, Meanwhile, budget, meanwhile, noticed};
use crate::touched::Touched;

/// Whether requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All of them.
    Served,
    /// Some of them, by their share or by what they are.
    Partly,
    /// None.
    Broken,
}

/// What becomes of one share of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Pods in this cluster answer it, as this group.
    By { group: usize, cluster: Id<Cluster> },
    /// It goes on to this group, which fails in a way that the proxy does not notice.
    Stuck { group: usize },
    /// No pod is left.
    Nobody,
}

/// What becomes of a flow.
#[derive(Clone, Debug)]
pub(crate) struct Fate<'m> {
    pub(crate) verdict: Verdict,
    /// One for each destination, with what is at the end of each of its groups.
    pub(crate) shares: Vec<(Taken, Rc<[Answer]>)>,
    /// The limit because of which requests are refused.
    pub(crate) refused: Option<&'m GlobalLimit>,
}

/// What was found out before.
type Known<K, V> = RefCell<BTreeMap<K, Rc<[V]>>>;
/// A callee's port, for callers in a cluster.
type Seen = (Id<Cluster>, Callee, usize);

/// Asks what becomes of flows.
pub(crate) struct Engine<'w, 'm> {
    pub(crate) world: &'w World<'m>,
    pub(crate) callees: &'w Callees,
    pub(crate) losses: &'w [Loss],
    by_cluster: BTreeMap<Id<Cluster>, Vec<usize>>,
    by_gateway: BTreeMap<Id<meshc_vocabulary::model::Gateway>, Vec<usize>>,
    by_link:
        BTreeMap<(Id<meshc_vocabulary::model::Network>, Id<meshc_vocabulary::model::Network>), Vec<usize>>,
    by_service: BTreeMap<(Id<Service>, Id<Cluster>), Vec<usize>>,
    relevant: RefCell<BTreeMap<Seen, Rc<BTreeSet<usize>>>>,
    answers: Known<(Seen, usize, usize), Answer>,
    limits: Known<(ProxyKey, usize), &'m GlobalLimit>,
    has_limits: bool,
}

/// No loss, among positions of losses.
pub(crate) const NONE: usize = usize::MAX;

impl<'w, 'm> Engine<'w, 'm> {
    pub(crate) fn new(world: &'w World<'m>, callees: &'w Callees, losses: &'w [Loss]) -> Self {
        let mut engine = Self {
            world,
            callees,
            losses,
            by_cluster: BTreeMap::new(),
            by_gateway: BTreeMap::new(),
            by_link: BTreeMap::new(),
            by_service: BTreeMap::new(),
            relevant: RefCell::default(),
            answers: RefCell::default(),
            limits: RefCell::default(),
            has_limits: !world.plan.rate_limits.is_empty() || world.model.limiter.is_some(),
        };
        for (place, loss) in losses.iter().enumerate() {
            let Failures { services, clusters, gateways, links } = &loss.failures;
            for cluster in clusters.iter().chain(&loss.limiters) {
                engine.by_cluster.entry(*cluster).or_default().push(place);
            }
            for gateway in gateways {
                engine.by_gateway.entry(*gateway).or_default().push(place);
            }
            for link in links {
                engine.by_link.entry(*link).or_default().push(place);
            }
            for key in services.keys().chain(loss.pod.as_ref()) {
                engine.by_service.entry(*key).or_default().push(place);
            }
        }
        engine
    }

    /// What a loss, or two, leave.
    pub(crate) fn survivors<'s>(&'s self, failures: &'s Failures) -> Survivors<'s> {
        Survivors { model: self.world.model, topology: self.world.topology, failures }
    }

    /// What rules of access make of a flow's requests, whoever answers them: all are admitted, none, or that depends.
    pub(crate) fn admits(&self, flow: &Flow<'m>) -> Truth {
        let mut found = Vec::new();
        let sender = self.world.proxy(flow.from);
        for share in &flow.to {
            let port = self.world.model.ports(share.reach.callee).get(share.reach.port);
            let (Callee::Service(callee), Some((sender, port))) = (share.reach.callee, sender.zip(port))
            else {
                found.push(Truth::Yes);
                continue;
            };
            for (key, sidecar) in self.world.sidecars(callee, share.only) {
                let service = match key {
                    ProxyKey::Sidecar { cluster: _, service } => service,
                    ProxyKey::Gateway(_) => callee,
                };
                found.push(admits(self.world, sender, (sidecar, sidecar.cluster), service, port));
            }
        }
        let some = Truth::any(found.iter().copied());
        let all = Truth::all(found);
        flow.enters.and(if some == all { all } else { Truth::Depends })
    }

    /// The losses that may change something for a flow, but those of the caller itself.
    pub(crate) fn relevant(&self, flow: &Flow<'m>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for share in &flow.to {
            all.extend(self.of_reach(flow.cluster, share.reach).iter().copied());
        }
        if self.has_limits {
            let limiters = flow.limits.iter().filter_map(|limit| self.limiter(flow.from, limit));
            for reach in limiters {
                all.extend(self.of_reach(flow.cluster, reach).iter().copied());
            }
            all.extend(self.by_cluster.get(&flow.cluster).into_iter().flatten().copied());
            for share in &flow.to {
                for (sidecar, cluster) in self.sidecars(share) {
                    all.extend(self.by_cluster.get(&cluster).into_iter().flatten().copied());
                    let limits = self.limits_at(sidecar, share);
                    for reach in limits.iter().filter_map(|limit| self.limiter(sidecar, limit)) {
                        all.extend(self.of_reach(cluster, reach).iter().copied());
                    }
                }
            }
        }
        all
    }

    /// The losses of a gateway itself, and of the cluster around it.
    pub(crate) fn of_caller(&self, flow: &Flow<'m>) -> BTreeSet<usize> {
        let own = match flow.from {
            ProxyKey::Gateway(gateway) => self.by_gateway.get(&gateway),
            ProxyKey::Sidecar { cluster, service } => self.by_service.get(&(service, cluster)),
        };
        let around = self.by_cluster.get(&flow.cluster);
        own.into_iter().chain(around).flatten().copied().collect()
    }

    fn of_reach(&self, from: Id<Cluster>, reach: &Reach) -> Rc<BTreeSet<usize>> {
        let key = (from, reach.callee, reach.port);
        if let Some(known) = self.relevant.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut touched = Touched::default();
        touched.add(self.world.model, self.world.topology, from, reach);
        let Touched { clusters, gateways, links, services } = touched;
        let found = clusters.iter().filter_map(|it| self.by_cluster.get(it));
        let found = found.chain(gateways.iter().filter_map(|it| self.by_gateway.get(it)));
        let found = found.chain(links.iter().filter_map(|it| self.by_link.get(it)));
        let found = found.chain(services.iter().filter_map(|it| self.by_service.get(it)));
        let found: Rc<BTreeSet<usize>> = Rc::new(found.flatten().copied().collect());
        self.relevant.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// What is at the end of each group of a callee, for callers in a cluster.
    fn answers(
        &self,
        flow: &Flow<'m>,
        reach: &Reach,
        losses: (usize, usize),
        failures: &Failures,
    ) -> Rc<[Answer]> {
        let own = self.of_reach(flow.cluster, reach);
        let only_relevant = |place: usize| if own.contains(&place) { place } else { NONE };
        let (one, other) = (only_relevant(losses.0), only_relevant(losses.1));
        let key = ((flow.cluster, reach.callee, reach.port), one.min(other), one.max(other));
        if let Some(known) = self.answers.borrow().get(&key) {
            return Rc::clone(known);
        }
        let survivors = self.survivors(failures);
        let found: Rc<[Answer]> =
            reach.groups.iter().map(|group| survivors.behind(flow.from, reach, group)).collect();
        self.answers.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// What becomes of a flow whose proxy is left.
    pub(crate) fn fate(&self, flow: &Flow<'m>, losses: (usize, usize), loss: &Loss) -> Fate<'m> {
        let shares: Vec<(Taken, Rc<[Answer]>)> = flow
            .to
            .iter()
            .map(|share| {
                let answers = self.answers(flow, share.reach, losses, &loss.failures);
                (taken(flow, share, &answers, loss), answers)
            })
            .collect();
        let by = shares.iter().filter(|(taken, _)| matches!(taken, Taken::By { .. })).count();
        let stuck = shares.iter().any(|(taken, _)| matches!(taken, Taken::Stuck { .. }));
        let whole = match flow.dead_share {
            DeadShare::Kept => by == shares.len(),
            // What goes on to a destination that fails unnoticed is not handed on.
            DeadShare::ToOthers => !stuck,
        };
        let verdict = match (by, whole) {
            (0, _) => Verdict::Broken,
            (_, true) => Verdict::Served,
            (_, false) => Verdict::Partly,
        };
        let refused = self.refused(flow, &shares, loss);
        let verdict = match refused {
            Some((Truth::Yes, _)) => Verdict::Broken,
            Some((Truth::Depends | Truth::No, _)) => verdict.max(Verdict::Partly),
            None => verdict,
        };
        Fate { verdict, shares, refused: refused.map(|(_, limit)| limit) }
    }

    /// A limit that refuses requests because who counts them is gone, and whether it does all.
    fn refused(
        &self,
        flow: &Flow<'m>,
        shares: &[(Taken, Rc<[Answer]>)],
        loss: &Loss,
    ) -> Option<(Truth, &'m GlobalLimit)> {
        if !self.has_limits {
            return None;
        }
        let refuses = |proxy: ProxyKey, limit: &&'m GlobalLimit| {
            limit.on_error == OnError::Deny
                && counts(limit) != Truth::No
                && !self.counts_still(proxy, limit, loss)
        };
        if let Some(limit) = flow.limits.iter().copied().find(|limit| refuses(flow.from, limit)) {
            return Some((counts(limit), limit));
        }
        let mut all: Vec<Option<&'m GlobalLimit>> = Vec::new();
        for (share, (taken, _)) in flow.to.iter().zip(shares) {
            let Taken::By { group: _, cluster } = taken else { continue };
            let own = self.sidecars(share).into_iter().filter(|(_, at)| at == cluster);
            for (sidecar, _) in own {
                all.push(
                    self.limits_at(sidecar, share).iter().copied().find(|limit| refuses(sidecar, limit)),
                );
            }
        }
        let first = all.iter().flatten().next().copied()?;
        let every = all.iter().all(|limit| limit.is_some_and(|limit| counts(limit) == Truth::Yes));
        Some((if every { Truth::Yes } else { Truth::Depends }, first))
    }

    /// Whether whoever counts a limit for a proxy is still there.
    fn counts_still(&self, proxy: ProxyKey, limit: &GlobalLimit, loss: &Loss) -> bool {
        let cluster = self.cluster(proxy);
        if limit.upstream == RATE_LIMIT_UPSTREAM {
            return !loss.limiters.contains(&cluster);
        }
        let Some(reach) = self.limiter(proxy, limit) else { return true };
        let survivors = self.survivors(&loss.failures);
        reach.groups.iter().any(|group| survivors.answers_in(proxy, reach, group).is_some())
    }

    /// The way of a proxy to the service that counts a limit for the whole mesh.
    fn limiter(&self, proxy: ProxyKey, limit: &GlobalLimit) -> Option<&'m Reach> {
        if limit.upstream == RATE_LIMIT_UPSTREAM {
            return None;
        }
        let called = self.callees.called(self.world, &limit.upstream)?;
        let reaches = self.world.topology.reaches.get(&proxy)?;
        reaches.iter().find(|reach| (reach.callee, reach.port) == (called.callee, called.port))
    }

    fn cluster(&self, proxy: ProxyKey) -> Id<Cluster> {
        match proxy {
            ProxyKey::Sidecar { cluster, service: _ } => cluster,
            ProxyKey::Gateway(gateway) => self.world.model.gateways.at(gateway).cluster,
        }
    }

    /// The sidecars that a share may get to.
    fn sidecars(&self, share: &Share<'m>) -> Vec<(ProxyKey, Id<Cluster>)> {
        let Callee::Service(service) = share.reach.callee else { return Vec::new() };
        let sidecars = self.world.sidecars(service, share.only);
        sidecars.into_iter().map(|(key, proxy)| (key, proxy.cluster)).collect()
    }

    /// The limits of a port at one of its sidecars.
    fn limits_at(&self, sidecar: ProxyKey, share: &Share<'m>) -> Rc<[&'m GlobalLimit]> {
        let key = (sidecar, share.reach.port);
        if let Some(known) = self.limits.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found =
            self.world.proxy(sidecar).zip(self.world.model.ports(share.reach.callee).get(share.reach.port));
        let found: Rc<[&'m GlobalLimit]> = match (found, share.reach.callee) {
            (Some((proxy, port)), Callee::Service(service)) => {
                counted_at(self.world, proxy, service, port).into()
            }
            (None, _) | (Some(_), Callee::External(_)) => Rc::new([]),
        };
        self.limits.borrow_mut().insert(key, Rc::clone(&found));
        found
    }
}

/// How the endpoints of a group fail.
pub(crate) fn manner(answer: Answer, loss: &Loss) -> Manner {
    match (answer, loss.kind.conduct()) {
        (Answer::Failing(_), Some(conduct)) => Manner::Pods(conduct),
        (Answer::Failing(_) | Answer::Healthy(_) | Answer::Closed, _) => Manner::Closed,
    }
}

/// The group of an upstream that a group of the topology is.
pub(crate) fn planned<'m>(share: &Share<'m>, group: usize) -> Option<&'m meshc_plan::Group> {
    let place = if share.only.is_some() { 0 } else { group };
    share.upstream.groups.get(place)
}

/// The groups of a share, with what is at their ends.
pub(crate) fn groups(share: &Share<'_>, answers: &[Answer]) -> Vec<(usize, Answer)> {
    let meant = share.reach.groups.iter().zip(answers).enumerate();
    let meant = meant.filter(|(_, (group, _))| share.only.is_none_or(|only| only == group.cluster));
    meant.map(|(place, (_, answer))| (place, *answer)).collect()
}

fn taken(flow: &Flow<'_>, share: &Share<'_>, answers: &[Answer], loss: &Loss) -> Taken {
    let groups = groups(share, answers);
    let healthy = groups.iter().enumerate().find_map(|(ahead, (place, answer))| match answer {
        Answer::Healthy(cluster) => Some((ahead, *place, *cluster)),
        Answer::Failing(_) | Answer::Closed => None,
    });
    let ahead = healthy.map_or(groups.len(), |(ahead, _, _)| ahead);
    for (place, answer) in groups.iter().take(ahead) {
        let manner = manner(*answer, loss);
        let is_left = planned(share, *place)
            .is_some_and(|group| noticed(flow, share.upstream, group, manner).is_some())
            // Each request of all, for ever: no request that was sent to one destination is sent to another.
            || (healthy.is_some()
                && budget(flow, share.upstream) == Budget::All
                && matches!(meanwhile(flow, share.upstream, ahead, manner), Meanwhile::Retried(_)));
        let goes_on = healthy.is_some() || flow.hands_on();
        match answer {
            Answer::Failing(_) if !is_left => return Taken::Stuck { group: *place },
            Answer::Closed if !is_left && goes_on => return Taken::Stuck { group: *place },
            Answer::Failing(_) | Answer::Closed | Answer::Healthy(_) => {}
        }
    }
    match healthy {
        Some((_, group, cluster)) => Taken::By { group, cluster },
        None => Taken::Nobody,
    }
}
