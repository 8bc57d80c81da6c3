//! All flows under all losses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::Span;
use meshc_answers::{Callees, Truth, World};
use meshc_topology::{Answer, Failures, ProxyKey};
use meshc_vocabulary::model::{Cluster, Id};

use crate::engine::{Engine, Fate, NONE, Taken, Verdict, groups, manner, planned};
use crate::flow::{Flow, flows};
use crate::loss::{Kind, Loss, losses};
use crate::noticed::{Manner, Meanwhile, at_another, meanwhile, noticed};

/// Which losses are looked at.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What may fail.
    pub kinds: BTreeSet<Kind>,
    /// Whether two things may fail at once.
    pub double: bool,
    /// Whether only critical calls and routes are proved.
    pub critical: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What may fail.
    pub losses: Vec<Loss>,
    /// Each call and each rule of a gateway's route, at each proxy.
    pub flows: Vec<Proved>,
}

/// A call or a rule at one proxy.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The proxy: `shop.web in west`.
    pub from: String,
    /// What is called: `shop.catalog`.
    pub to: String,
    /// The rule of a route that takes it: `rule 2 of route web`.
    pub rule: Option<String>,
    /// Where it is written.
    pub place: Span,
    /// Where the first callee is declared.
    pub callee: Span,
    /// Where it is said that it is critical.
    pub critical: Option<Span>,
    /// The pods that answer when nothing fails.
    pub everyday: Vec<String>,
    /// Whether they do.
    pub verdict: Verdict,
    /// What rules of access make of it: all requests are admitted, none, or that depends on more than a call says.
    pub admitted: Truth,
    /// What changes when something fails. After what is not listed, all is as when nothing fails.
    pub cases: Vec<Case>,
}

/// What becomes of a flow when something fails.
#[derive(Clone, Debug)]
pub struct Case {
    /// What fails: positions among the losses.
    pub losses: Vec<usize>,
    /// Whether requests are answered.
    pub verdict: Verdict,
    /// The pods that answer; other gateways, where the flow's own is lost.
    pub by: Vec<String>,
    /// The ways that end before, in the order in which they are tried.
    pub ways: Vec<String>,
    /// What becomes of requests until it is noticed, if anything is left to notice.
    pub meanwhile: Option<Meanwhile>,
    /// When it is noticed at most; `None` if never for certain.
    pub noticed: Option<Duration>,
    /// The same where nothing comes back from what is lost, not even a refusal.
    pub silent: Option<Duration>,
    /// The weight of the destinations whose share is not answered, not by others either, and of all.
    pub unanswered: (u32, u32),
    /// Replicas of the callees that are left, and all; gateways, where the flow's own is lost.
    pub replicas: (u32, u32),
    /// What would mend it.
    pub mend: Option<String>,
}

/// Proves what becomes of every flow.
#[must_use]
pub fn prove(world: &World<'_>, asked: &Asked) -> Proof {
    let losses = losses(world.model, world.plan, &asked.kinds);
    let callees = Callees::new(world);
    let flows = flows(world, &callees);
    let engine = Engine::new(world, &callees, &losses);
    let mut siblings: BTreeMap<Span, Vec<usize>> = BTreeMap::new();
    for (place, flow) in flows.iter().enumerate() {
        match flow.from {
            ProxyKey::Gateway(_) => siblings.entry(flow.by.span).or_default().push(place),
            ProxyKey::Sidecar { .. } => {}
        }
    }
    let wanted = flows.iter().filter(|flow| !asked.critical || flow.critical.is_some());
    let proved: Vec<Proved> = wanted
        .map(|flow| {
            let others = match flow.from {
                ProxyKey::Gateway(_) => siblings.get(&flow.by.span).map_or(&[][..], Vec::as_slice),
                ProxyKey::Sidecar { .. } => &[],
            };
            let others = others.iter().filter_map(|place| flows.get(*place));
            let others = others.filter(|other| other.from != flow.from).collect();
            Prover { engine: &engine, flow, others }.proved(asked.double)
        })
        .collect();
    Proof { flows: proved, losses: losses.clone() }
}

/// Proves one flow.
struct Prover<'e, 'w, 'm> {
    engine: &'e Engine<'w, 'm>,
    flow: &'e Flow<'m>,
    /// The same rule at other gateways.
    others: Vec<&'e Flow<'m>>,
}

impl<'m> Prover<'_, '_, 'm> {
    fn proved(&self, double: bool) -> Proved {
        let (engine, flow) = (self.engine, self.flow);
        let admitted = engine.admits(flow);
        let (from, to) = engine.ends(flow);
        let proved = Proved {
            from,
            to,
            rule: engine.rule_name(flow),
            place: engine.place(flow),
            callee: engine.callee_place(flow),
            critical: flow.critical,
            everyday: Vec::new(),
            verdict: Verdict::Broken,
            admitted,
            cases: Vec::new(),
        };
        if admitted == Truth::No {
            return proved;
        }
        let nothing = nothing();
        let everyday = engine.fate(flow, (NONE, NONE), &nothing);
        let mut relevant: BTreeSet<usize> = engine.relevant(flow);
        match flow.from {
            ProxyKey::Gateway(_) => relevant.extend(engine.of_caller(flow)),
            ProxyKey::Sidecar { .. } => {}
        }
        let mut cases = Vec::new();
        let mut verdicts = BTreeMap::new();
        for place in &relevant {
            let Some(loss) = engine.losses.get(*place) else { continue };
            if let Some(case) = self.case(&everyday, vec![*place], (*place, NONE), loss) {
                verdicts.insert(*place, case.verdict);
                cases.push(case);
            }
        }
        if double {
            for other in &self.others {
                relevant.extend(engine.relevant(other));
                relevant.extend(engine.of_caller(other));
            }
            cases.extend(self.pairs(&everyday, &relevant, &verdicts));
        }
        let mut answered: Vec<String> = self.answered_by(&everyday);
        answered.dedup();
        Proved { everyday: answered, verdict: everyday.verdict, cases, ..proved }
    }

    /// Pairs that are worse than either of them alone.
    fn pairs(
        &self,
        everyday: &Fate<'m>,
        relevant: &BTreeSet<usize>,
        alone: &BTreeMap<usize, Verdict>,
    ) -> Vec<Case> {
        let whole = |place: &&usize| {
            self.engine.losses.get(**place).is_some_and(|loss| Kind::LOSSES.contains(&loss.kind))
        };
        let places: Vec<usize> = relevant.iter().filter(whole).copied().collect();
        let verdict = |place: &usize| alone.get(place).copied().unwrap_or(everyday.verdict);
        let mut cases = Vec::new();
        for (at, one) in places.iter().enumerate() {
            if verdict(one) == Verdict::Broken {
                continue;
            }
            for other in places.get(at + 1..).unwrap_or_default() {
                let worst = verdict(one).max(verdict(other));
                let losses = self.engine.losses.get(*one).zip(self.engine.losses.get(*other));
                let Some((first, second)) = losses.filter(|_| worst != Verdict::Broken) else { continue };
                let both = first.and(second);
                if both.is_total(self.engine.world.model) {
                    continue;
                }
                let case = self.case(everyday, vec![*one, *other], (*one, *other), &both);
                cases.extend(case.filter(|case| case.verdict > worst));
            }
        }
        cases
    }

    /// What changes with a loss; `None` if nothing does, or if nobody is left who sends.
    fn case(
        &self,
        everyday: &Fate<'m>,
        losses: Vec<usize>,
        places: (usize, usize),
        loss: &Loss,
    ) -> Option<Case> {
        let (engine, flow) = (self.engine, self.flow);
        if engine.survivors(&loss.failures).caller_failed(flow.from) {
            return match flow.from {
                ProxyKey::Gateway(_) => Some(self.entrance(losses, places, loss)),
                ProxyKey::Sidecar { .. } => None,
            };
        }
        let fate = engine.fate(flow, places, loss);
        let pod = self.pod(everyday, loss);
        let same = fate.verdict == everyday.verdict
            && fate.refused.is_none()
            && fate.shares.iter().zip(&everyday.shares).all(|((now, _), (before, _))| now == before);
        if same && !pod {
            return None;
        }
        let (left, all) = self.replicas(&fate);
        let is_served = fate.verdict == Verdict::Served;
        Some(Case {
            losses,
            verdict: fate.verdict,
            by: self.answered_by(&fate),
            ways: engine.broken_ways(flow, &fate, loss),
            meanwhile: if pod { self.beside(everyday, loss) } else { self.meanwhile(&fate, loss) }
                .filter(|_| fate.verdict != Verdict::Broken),
            noticed: self.noticed(everyday, &fate, loss, if pod { Some(Manner::Closed) } else { None }),
            silent: match loss.kind.conduct() {
                Some(_) => self.noticed(everyday, &fate, loss, None),
                None => self.noticed(everyday, &fate, loss, Some(Manner::Silent)),
            },
            unanswered: unanswered(flow, &fate),
            replicas: (left.saturating_sub(u32::from(pod)), all),
            mend: if is_served { None } else { engine.mend(flow, &fate, loss) },
        })
    }

    /// Whether one of the pods that answer otherwise is gone.
    fn pod(&self, everyday: &Fate<'m>, loss: &Loss) -> bool {
        let Some((service, cluster)) = loss.pod else { return false };
        let model = self.engine.world.model;
        let mut shares = self.flow.to.iter().zip(&everyday.shares);
        shares.any(|(share, (taken, _))| match (share.reach.callee, taken) {
            (meshc_vocabulary::model::Callee::Service(callee), Taken::By { group: _, cluster: at }) => {
                *at == cluster
                    && (callee == service || model.whole(callee) == service || model.whole(service) == callee)
            }
            (
                meshc_vocabulary::model::Callee::Service(_) | meshc_vocabulary::model::Callee::External(_),
                Taken::By { .. } | Taken::Stuck { .. } | Taken::Nobody,
            ) => false,
        })
    }

    /// A gateway is lost: who else serves its route.
    fn entrance(&self, losses: Vec<usize>, places: (usize, usize), loss: &Loss) -> Case {
        let engine = self.engine;
        let survivors = engine.survivors(&loss.failures);
        let left = self.others.iter().filter(|other| !survivors.caller_failed(other.from));
        let fates: Vec<(&Flow<'m>, Fate<'m>)> =
            left.map(|other| (*other, engine.fate(other, places, loss))).collect();
        let verdict = fates.iter().map(|(_, fate)| fate.verdict).min().unwrap_or(Verdict::Broken);
        let serving = fates.iter().filter(|(_, fate)| fate.verdict == verdict && verdict != Verdict::Broken);
        let by: Vec<String> = serving.map(|(other, _)| engine.world.name(other.from)).collect();
        let own = engine.world.name(self.flow.from);
        let mend = match (verdict, fates.first()) {
            (Verdict::Served, _) => None,
            (Verdict::Partly | Verdict::Broken, Some((other, fate))) => engine.mend(other, fate, loss),
            (Verdict::Partly | Verdict::Broken, None) => {
                Some(String::from("serve the route at a gateway of another cluster, too"))
            }
        };
        Case {
            losses,
            verdict,
            by,
            ways: vec![format!("clients -> {own} (lost)")],
            meanwhile: None,
            noticed: None,
            silent: None,
            unanswered: match fates.iter().find(|(_, fate)| fate.verdict == verdict) {
                Some((other, fate)) => unanswered(other, fate),
                None => (1, 1),
            },
            replicas: (
                u32::try_from(fates.len()).unwrap_or(u32::MAX),
                u32::try_from(self.others.len() + 1).unwrap_or(u32::MAX),
            ),
            mend,
        }
    }

    fn answered_by(&self, fate: &Fate<'m>) -> Vec<String> {
        let mut all = Vec::new();
        for (share, (taken, _)) in self.flow.to.iter().zip(&fate.shares) {
            match taken {
                Taken::By { group: _, cluster } => all.push(self.engine.pods(share.reach.callee, *cluster)),
                Taken::Stuck { group: _ } | Taken::Nobody => {}
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// Replicas that answer, of those of all groups.
    fn replicas(&self, fate: &Fate<'m>) -> (u32, u32) {
        let (mut left, mut all) = (0_u32, 0_u32);
        for (share, (_, answers)) in self.flow.to.iter().zip(&fate.shares) {
            for (place, answer) in groups(share, answers) {
                let weight = share.reach.groups.get(place).map_or(0, |group| group.weight);
                all = all.saturating_add(weight);
                match answer {
                    Answer::Healthy(_) => left = left.saturating_add(weight),
                    Answer::Failing(_) | Answer::Closed => {}
                }
            }
        }
        (left, all)
    }

    /// What becomes of requests that one pod of several does not take.
    fn beside(&self, everyday: &Fate<'m>, loss: &Loss) -> Option<Meanwhile> {
        let mut shares = self.flow.to.iter().zip(&everyday.shares);
        let own = shares.find(|(_, (taken, _))| match taken {
            Taken::By { group: _, cluster } => loss.pod.is_some_and(|(_, at)| at == *cluster),
            Taken::Stuck { .. } | Taken::Nobody => false,
        });
        own.map(|(share, _)| at_another(self.flow, share.upstream))
    }

    /// The worst of what becomes of requests of any share.
    fn meanwhile(&self, fate: &Fate<'m>, loss: &Loss) -> Option<Meanwhile> {
        let mut worst: Option<Meanwhile> = None;
        for (share, (taken, answers)) in self.flow.to.iter().zip(&fate.shares) {
            let group = match taken {
                Taken::By { group, cluster: _ } => *group,
                // What was sent to one destination is not sent again to another.
                Taken::Nobody if self.flow.hands_on() => return Some(Meanwhile::Lost),
                Taken::Nobody | Taken::Stuck { group: _ } => continue,
            };
            let before: Vec<_> =
                groups(share, answers).into_iter().filter(|(place, _)| *place < group).collect();
            for (_, answer) in &before {
                let own = meanwhile(self.flow, share.upstream, before.len(), manner(*answer, loss));
                worst = Some(match (worst, own) {
                    (Some(Meanwhile::Lost), _) | (_, Meanwhile::Lost) => Meanwhile::Lost,
                    (Some(Meanwhile::Some(methods, wait)), _) | (_, Meanwhile::Some(methods, wait)) => {
                        Meanwhile::Some(methods, wait)
                    }
                    (Some(Meanwhile::Retried(one)), Meanwhile::Retried(other)) => {
                        Meanwhile::Retried(one.max(other))
                    }
                    (None, own) => own,
                });
            }
        }
        worst
    }

    /// When all shares that are taken over are where they stay: the sum over the groups before the one that answers.
    fn noticed(
        &self,
        everyday: &Fate<'m>,
        fate: &Fate<'m>,
        loss: &Loss,
        as_if: Option<Manner>,
    ) -> Option<Duration> {
        let mut longest = Some(Duration::ZERO);
        let all = self.flow.to.iter().zip(&fate.shares).zip(&everyday.shares);
        for ((share, (taken, answers)), (before, _)) in all {
            // All groups of a destination whose share others take; of one pod, the proxy leaves that one alone.
            let is_ahead = |place: usize| match taken {
                Taken::By { group, cluster: _ } => place < *group || (loss.pod.is_some() && place == *group),
                Taken::Stuck { group: _ } | Taken::Nobody => true,
            };
            let ahead = groups(share, answers).into_iter().filter(|(place, _)| is_ahead(*place));
            let mut sum = Some(Duration::ZERO);
            for (place, answer) in ahead {
                let found = planned(share, place).and_then(|planned| {
                    noticed(self.flow, share.upstream, planned, as_if.unwrap_or(manner(answer, loss)))
                });
                sum = sum.zip(found).map(|(sum, found)| sum.saturating_add(found));
            }
            let own = match taken {
                Taken::By { group, cluster } => {
                    // A gateway further on sends to other pods than it did.
                    match before {
                        Taken::By { group: was, cluster: at } if was == group && at != cluster => {
                            sum.zip(self.behind(share, as_if)).map(|(sum, behind)| sum.saturating_add(behind))
                        }
                        Taken::By { .. } | Taken::Stuck { .. } | Taken::Nobody => sum,
                    }
                }
                Taken::Nobody if self.flow.hands_on() => sum,
                Taken::Stuck { group: _ } | Taken::Nobody => None,
            };
            longest = longest.zip(own).map(|(longest, own)| longest.max(own));
        }
        longest
    }

    /// When a gateway on the way leaves what it sent to: it sees connections only.
    fn behind(&self, share: &Share, as_if: Option<Manner>) -> Option<Duration> {
        match as_if {
            // What it passes on has no bound of its own.
            Some(_) => None,
            None => {
                let outlier = &self.engine.world.resolved.callee(share.reach.callee).outlier;
                outlier.value.enabled.then(|| {
                    outlier
                        .value
                        .interval
                        .saturating_mul(2)
                        .saturating_add(share.upstream.pool.connect_timeout)
                })
            }
        }
    }
}

/// The weight of the destinations whose share nobody answers, and of all.
fn unanswered(flow: &Flow<'_>, fate: &Fate<'_>) -> (u32, u32) {
    let (mut dead, mut all) = (0_u32, 0_u32);
    let others = fate.shares.iter().any(|(taken, _)| matches!(taken, Taken::By { .. }));
    for (share, (taken, _)) in flow.to.iter().zip(&fate.shares) {
        all = all.saturating_add(share.weight);
        match taken {
            Taken::By { .. } => {}
            Taken::Nobody if others && flow.hands_on() => {}
            Taken::Stuck { .. } | Taken::Nobody => dead = dead.saturating_add(share.weight),
        }
    }
    (dead, all)
}

type Share<'m> = crate::flow::Share<'m>;

/// No loss.
fn nothing() -> Loss {
    Loss {
        kind: Kind::Cluster,
        name: String::new(),
        failures: Failures::default(),
        limiters: BTreeSet::<Id<Cluster>>::new(),
        pod: None,
    }
}
