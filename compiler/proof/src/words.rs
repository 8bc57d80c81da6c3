//! What is said of a flow: its name, the way on which it breaks, and what would mend it.

use lang_diagnostics::Span;
use meshc_plan::{Ejection, PodFailures};
use meshc_topology::{Answer, BrokenHop, ProxyKey, Survivors, Via};
use meshc_vocabulary::model::{Callee, Cluster, Id, Model};

use crate::engine::{Engine, Fate, Taken, groups, manner, planned};
use crate::flow::{Flow, Share};
use crate::loss::{Conduct, Loss};
use crate::noticed::Manner;

impl<'m> Engine<'_, 'm> {
    /// Who sends and what is called: `shop.web in west`, `shop.catalog`; of several ports with the port.
    pub(crate) fn ends(&self, flow: &Flow<'m>) -> (String, String) {
        let model = self.world.model;
        let named = |callee: Callee, port: usize| {
            let ports = model.ports(callee);
            let port = ports.get(port).filter(|_| ports.len() > 1);
            let name = model.callee_name(callee);
            port.map_or_else(|| name.clone(), |port| format!("{name}.{}", port.name))
        };
        let to = match flow.called {
            Some((callee, port)) => named(callee, port),
            None => {
                let mut names: Vec<String> =
                    flow.to.iter().map(|share| named(share.reach.callee, share.reach.port)).collect();
                names.dedup();
                names.join(" or ")
            }
        };
        (self.world.name(flow.from), to)
    }

    /// The rule that a flow is of: `rule 2 of route web`; `None` for what a call alone says.
    pub(crate) fn rule_name(&self, flow: &Flow<'m>) -> Option<String> {
        let wanted = flow.rule?.origin.span;
        self.world.model.routes.iter().find_map(|(_, route)| {
            let place = route.rules.iter().position(|rule| rule.origin.span == wanted)?;
            Some(match route.rules.len() {
                1 => format!("route {}", route.name),
                _ => format!("rule {} of route {}", place + 1, route.name),
            })
        })
    }

    /// Where a flow is written: the rule, or the call.
    pub(crate) fn place(&self, flow: &Flow<'m>) -> Span {
        let (Some((callee, port)), None, ProxyKey::Sidecar { cluster: _, service }) =
            (flow.called, flow.rule, flow.from)
        else {
            return flow.by.span;
        };
        let model = self.world.model;
        let name = model.ports(callee).get(port).map(|port| &port.name);
        let calls = model.services.at(model.whole(service)).calls.iter();
        let mut own = calls.filter(|call| {
            call.callee == callee && call.port.as_ref().is_none_or(|port| Some(&port.value) == name)
        });
        own.next().map_or(flow.by.span, |call| call.origin.span)
    }

    /// Where the first callee of a flow is declared.
    pub(crate) fn callee_place(&self, flow: &Flow<'m>) -> Span {
        let model = self.world.model;
        flow.to.first().map_or(flow.by.span, |share| match share.reach.callee {
            Callee::Service(service) => model.services.at(service).origin.span,
            Callee::External(external) => model.externals.at(external).origin.span,
        })
    }

    /// `shop.catalog in west`, or the name of a host outside.
    pub(crate) fn pods(&self, callee: Callee, cluster: Id<Cluster>) -> String {
        let model = self.world.model;
        match callee {
            Callee::Service(service) => {
                format!("{} in {}", model.service_name(service), model.clusters.at(cluster).name)
            }
            Callee::External(_) => model.callee_name(callee),
        }
    }

    /// The ways that are tried in vain, in order, each with the hop at which it ends.
    pub(crate) fn broken_ways(&self, flow: &Flow<'m>, fate: &Fate<'m>, loss: &Loss) -> Vec<String> {
        let survivors = self.survivors(&loss.failures);
        let mut ways = Vec::new();
        for (share, (taken, answers)) in flow.to.iter().zip(&fate.shares) {
            let tried = match taken {
                Taken::By { group, cluster: _ } => *group,
                Taken::Stuck { group } => *group + 1,
                Taken::Nobody => usize::MAX,
            };
            for (place, answer) in groups(share, answers).into_iter().filter(|(place, _)| *place < tried) {
                ways.extend(self.broken_way(&survivors, flow, share, (place, answer), loss));
            }
        }
        ways.dedup();
        if fate.refused.is_some() {
            let (from, to) = self.ends(flow);
            ways.push(format!("{from} -> {to} (refused: its limit cannot be counted)"));
        }
        ways
    }

    fn broken_way(
        &self,
        survivors: &Survivors<'_>,
        flow: &Flow<'m>,
        share: &Share<'m>,
        (place, answer): (usize, Answer),
        loss: &Loss,
    ) -> Option<String> {
        let model = self.world.model;
        let group = share.reach.groups.get(place)?;
        let from = self.world.name(flow.from);
        let callee = share.reach.callee;
        let fault = match manner(answer, loss) {
            Manner::Pods(Conduct::Status(status)) => format!("answers {status}"),
            Manner::Pods(Conduct::Silent) => String::from("hangs"),
            Manner::Pods(Conduct::Resets) => String::from("closes connections"),
            Manner::Closed | Manner::Silent => String::from("lost"),
        };
        let gateways = match (&group.via, callee) {
            (Via::Gateways { gateways, from: _, hops: _ }, _) => gateways.to_vec(),
            (Via::Pods | Via::External, Callee::External(id)) => {
                model.externals.at(id).through.iter().map(|gateway| gateway.value).collect()
            }
            (Via::Pods | Via::External, Callee::Service(_)) => Vec::new(),
        };
        let end = self.pods(callee, group.cluster);
        if gateways.is_empty() {
            return Some(format!("{from} -> {end} ({fault})"));
        }
        let names =
            gateways.iter().map(|gateway| model.gateway_name(*gateway)).collect::<Vec<_>>().join(" or ");
        let entered = gateways.iter().any(|gateway| survivors.connects(flow.cluster, *gateway));
        if entered {
            return Some(format!("{from} -> {names} -> {end} ({fault})"));
        }
        let cut = gateways.iter().all(|gateway| {
            let there = model.gateways.at(*gateway).cluster;
            !loss.failures.gateways.contains(gateway) && !loss.failures.clusters.contains(&there)
        });
        let why = if cut { "cannot be reached" } else { "lost" };
        Some(format!("{from} -> {names} ({why}) -> {end}"))
    }

    /// What would mend a flow that is not served.
    pub(crate) fn mend(&self, flow: &Flow<'m>, fate: &Fate<'m>, loss: &Loss) -> Option<String> {
        if fate.refused.is_some() {
            return Some(String::from(
                "let requests pass that cannot be counted: `rate_limit { on_error = allow }`",
            ));
        }
        let dead =
            flow.to.iter().zip(&fate.shares).find(|(_, (taken, _))| !matches!(taken, Taken::By { .. }));
        let (share, (taken, answers)) = dead?;
        let others = fate.shares.iter().any(|(taken, _)| matches!(taken, Taken::By { .. }));
        match taken {
            Taken::By { .. } => None,
            Taken::Stuck { group } => {
                let answer = answers.get(*group).copied().unwrap_or(Answer::Closed);
                let name = self.world.model.callee_name(share.reach.callee);
                let notice = unnoticed(&name, share, *group, manner(answer, loss));
                let is_taken_over = (others && flow.hands_on())
                    || answers.iter().any(|answer| matches!(answer, Answer::Healthy(_)));
                Some(if is_taken_over {
                    notice
                } else {
                    format!("{}, and {notice}", self.second(flow, share, loss))
                })
            }
            Taken::Nobody if others => {
                Some(String::from("let its other destinations take over: `failover = destinations`"))
            }
            Taken::Nobody => Some(self.second(flow, share, loss)),
        }
    }

    /// Where else a callee could be.
    fn second(&self, flow: &Flow<'m>, share: &Share<'m>, loss: &Loss) -> String {
        let model = self.world.model;
        let Callee::Service(service) = share.reach.callee else {
            return match share.reach.callee {
                Callee::External(id) if model.externals.at(id).through.is_some() => String::from(
                    "reach the host without a gateway: leave `through` out; or call it from the gateway's cluster as well",
                ),
                Callee::External(_) | Callee::Service(_) => String::from("give the host a `fallback`"),
            };
        };
        let name = model.service_name(service);
        let lost = |cluster: Id<Cluster>| {
            loss.failures.clusters.contains(&cluster)
                || loss.failures.services.contains_key(&(service, cluster))
                || loss.failures.services.contains_key(&(model.whole(service), cluster))
        };
        let entry = model.services.at(service);
        let left = entry.clusters.iter().map(|presence| presence.cluster).find(|cluster| !lost(*cluster));
        if share.only.is_some() {
            return self.own_share(flow, share, loss);
        }
        let Some(left) = left else { return elsewhere(model, flow, share, loss) };
        if !self.world.resolved.callee(share.reach.callee).failover.value.enabled {
            return format!(
                "let the pods in `{}` take over: `failover {{ enabled = true }}`",
                model.clusters.at(left).name
            );
        }
        let unreachable = self.world.topology.unreachable.iter();
        let mut unreachable =
            unreachable.filter(|it| it.caller == flow.from && it.callee == service && it.cluster == left);
        let place = &model.clusters.at(left).name;
        match unreachable.next().map(|it| it.reason) {
            Some(BrokenHop::NoGateway(cluster)) => {
                format!(
                    "`{name}` runs in `{place}` too: declare an east-west gateway in `{}`",
                    model.clusters.at(cluster).name
                )
            }
            Some(BrokenHop::NoAddress(gateway)) => {
                format!("`{name}` runs in `{place}` too: give `{}` an `address`", model.gateway_name(gateway))
            }
            Some(BrokenHop::NoLink(from, to)) => format!(
                "`{name}` runs in `{place}` too: declare `link {} -> {}`",
                model.networks.at(from).name,
                model.networks.at(to).name
            ),
            Some(BrokenHop::NoTransit(network)) => format!(
                "`{name}` runs in `{place}` too: declare an east-west gateway in network `{}`",
                model.networks.at(network).name
            ),
            Some(BrokenHop::OtherFamily(..) | BrokenHop::NotActive(_) | BrokenHop::Hidden { .. }) | None => {
                let group = share.reach.groups.iter().find(|group| group.cluster == left);
                let entered = group.and_then(|group| match &group.via {
                    Via::Gateways { gateways, from: _, hops: _ } => gateways.first(),
                    Via::Pods | Via::External => None,
                });
                match entered {
                    Some(gateway) if !loss.failures.gateways.is_empty() => format!(
                        "declare a second east-west gateway in `{}`",
                        model.clusters.at(model.gateways.at(*gateway).cluster).name
                    ),
                    Some(_) | None => elsewhere(model, flow, share, loss),
                }
            }
        }
    }
}

impl<'m> Engine<'_, 'm> {
    /// Where clusters have shares: one that is left and has none, or a further one.
    fn own_share(&self, flow: &Flow<'m>, share: &Share<'m>, loss: &Loss) -> String {
        let model = self.world.model;
        let weighs = |cluster: Id<Cluster>| {
            flow.to.iter().any(|own| own.reach.callee == share.reach.callee && own.only == Some(cluster))
        };
        let survivors = self.survivors(&loss.failures);
        let mut idle = share.reach.groups.iter().filter(|group| !weighs(group.cluster));
        let left = idle.find(|group| match survivors.behind(flow.from, share.reach, group) {
            Answer::Healthy(_) => true,
            Answer::Failing(_) | Answer::Closed => false,
        });
        match left {
            Some(group) => format!(
                "give `{}` a share: `failover {{ locality = {{ {} = 1, … }} }}`",
                model.clusters.at(group.cluster).name,
                model.clusters.at(group.cluster).name
            ),
            None => format!(
                "{}, with a share in `failover {{ locality = {{ … }} }}`",
                elsewhere(model, flow, share, loss)
            ),
        }
    }
}

/// A cluster that is left, in which the callee does not run yet: the caller's own if possible.
fn elsewhere(model: &Model, flow: &Flow<'_>, share: &Share<'_>, loss: &Loss) -> String {
    let name = model.callee_name(share.reach.callee);
    let Callee::Service(service) = share.reach.callee else { return format!("give `{name}` a `fallback`") };
    let entry = model.services.at(service);
    let is_free = |cluster: &Id<Cluster>| {
        entry.presence(*cluster).is_none() && !loss.failures.clusters.contains(cluster)
    };
    let own = Some(flow.cluster).filter(is_free);
    match own.or_else(|| model.clusters.ids().find(is_free)) {
        Some(cluster) => format!("run `{name}` in `{}` too", model.clusters.at(cluster).name),
        None => format!("run `{name}` in a further cluster"),
    }
}

/// What would let a proxy notice endpoints that fail.
fn unnoticed(name: &str, share: &Share<'_>, group: usize, manner: Manner) -> String {
    match (planned(share, group).map(|group| &group.ejection), manner) {
        (Some(Ejection::Never) | None, _) => {
            format!("leave pods of `{name}` out that fail: `outlier {{ enabled = true }}`")
        }
        (Some(Ejection::Pods { judged: PodFailures::Compared { .. }, most: _, timing: _ }), _) => {
            format!("add a `health` check for `{name}`: where all pods fail, none is worse than the others")
        }
        (Some(Ejection::Pods { judged: _, most, timing: _ }), _) if *most < 100 => {
            format!("`max_ejected = 100%` for `{name}`, or a `health` check")
        }
        (Some(Ejection::Connections { .. }), _) => {
            format!("add a `health` check that asks `{name}` itself")
        }
        (Some(_), Manner::Pods(Conduct::Status(status))) => format!(
            "count {status} as a failure of `{name}`, as with `outlier {{ consecutive_5xx = 5 }}`, or add a `health` check"
        ),
        (Some(_), Manner::Closed | Manner::Silent | Manner::Pods(Conduct::Silent | Conduct::Resets)) => {
            format!("bound how long a request to `{name}` may take with `timeout`, or add a `health` check")
        }
    }
}
