//! What one request becomes along chains of calls: how often it may arrive at each service, and how much time is left there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::Span;
use meshc_answers::{Callees, World};
use meshc_plan::RetryReason;
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Gateway, Id, Model};

use crate::circles::{Circles, components, spread};
use crate::engine::Engine;
use crate::flow::{Flow, flows};

/// Whoever sends requests on: an application, or a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Callee(Callee),
    Gateway(Id<Gateway>),
}

/// One hop of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Who sends: `shop.web`, `west.ingress`.
    pub from: String,
    /// What is called.
    pub to: String,
    /// The rule of a route that takes it.
    pub rule: Option<String>,
    /// How often each request is sent at most, so that an application sees it.
    pub tries: u64,
    /// How long one may take, all attempts together; `None`: as long as it likes.
    pub timeout: Option<Duration>,
    /// Where the call, or the rule, is written.
    pub place: Span,
}

/// What may arrive at a callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The service, or the host outside.
    pub name: String,
    /// How often one request may arrive there: the product along the worst chain; `None`: without bound.
    pub times: Option<u64>,
    /// The circle on which requests are sent again, if it is on one or behind one.
    pub circle: Vec<Hop>,
    /// The worst chain, from where it begins; of what is behind a circle, from there.
    pub chain: Vec<Hop>,
    /// The bound that is declared, and where.
    pub bound: Option<(u64, Span)>,
    /// The least time that anybody waits for it, however indirectly; `None`: nobody has a bound.
    pub left: Option<Duration>,
    /// The hop that says so.
    pub by: Option<Hop>,
}

impl Arrival {
    /// Whether it arrives more often than declared.
    #[must_use]
    pub fn is_too_often(&self) -> bool {
        self.bound.is_some_and(|(most, _)| self.times.is_none_or(|times| times > most))
    }
}

/// A call whose own time exceeds what is left to its caller, or has no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// The call.
    pub hop: Hop,
    /// What is left to the caller.
    pub left: Duration,
    /// The hop that leaves it no more.
    pub by: Hop,
}

/// How long a call may take; the order is that of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Takes {
    /// Connections stay open.
    Connection,
    /// A request, all attempts together.
    AtMost(Duration),
    /// A request, as long as it likes.
    AnyTime,
}

/// An edge of the graph of calls, of all proxies that have it.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: Sender,
    pub(crate) to: Callee,
    /// With the most tries, and the least time.
    pub(crate) hop: Hop,
    /// The one that takes longest.
    slowest: (Takes, Hop),
}

/// All chains of a mesh.
struct Chains {
    edges: Vec<Edge>,
    incoming: BTreeMap<Callee, Vec<usize>>,
}

/// What may arrive at each callee, in order of name.
#[must_use]
pub fn arrivals(world: &World<'_>) -> Vec<Arrival> {
    let chains = Chains::of(world);
    let model = world.model;
    let components = components(&chains.edges);
    let circles = Circles::of(&chains.edges, &components);
    let worst = chains.worst(&components, &circles);
    let left = chains.left();
    let hops = |places: &[usize]| -> Vec<Hop> {
        places.iter().filter_map(|place| chains.edges.get(*place)).map(|edge| edge.hop.clone()).collect()
    };
    let arrival = |callee: &Callee| {
        let (left, by) = left
            .get(callee)
            .and_then(|place| chains.edges.get(*place))
            .map_or((None, None), |edge| (edge.hop.timeout, Some(edge.hop.clone())));
        let circle = circles.by.get(callee).and_then(|(circle, _)| circles.circles.get(*circle));
        Arrival {
            name: model.callee_name(*callee),
            times: worst.get(callee).map(|(times, _)| *times),
            circle: circle.map(|places| hops(places)).unwrap_or_default(),
            chain: chains.back(*callee, |callee| match circles.by.get(&callee) {
                Some((_, via)) => *via,
                None => worst.get(&callee).and_then(|(_, via)| *via),
            }),
            bound: bound(model, *callee),
            left,
            by,
        }
    };
    let mut all: Vec<Arrival> = components.iter().flatten().map(arrival).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// Calls of requests whose own time exceeds what is left to their callers, or has no bound.
#[must_use]
pub fn overruns(world: &World<'_>) -> Vec<Overrun> {
    let chains = Chains::of(world);
    let left = chains.left();
    let overrun = |edge: &Edge| {
        let Sender::Callee(caller) = edge.from else { return None };
        let by = &chains.edges.get(*left.get(&caller)?)?.hop;
        let left = by.timeout?;
        let (takes, hop) = &edge.slowest;
        (*takes > Takes::AtMost(left)).then(|| Overrun { hop: hop.clone(), left, by: by.clone() })
    };
    chains.edges.iter().filter_map(overrun).collect()
}

/// How often a request may arrive at most, as it is declared: of the service, else of the mesh.
fn bound(model: &Model, callee: Callee) -> Option<(u64, Span)> {
    let own = match callee {
        Callee::Service(service) => model.services.at(service).max_amplification.as_ref(),
        Callee::External(_) => None,
    };
    own.or(model.mesh.max_amplification.as_ref()).map(|most| (u64::from(most.value), most.span))
}

impl Chains {
    fn of(world: &World<'_>) -> Self {
        let callees = Callees::new(world);
        let engine = Engine::new(world, &callees, &[]);
        let mut found: BTreeMap<(Sender, Callee), Edge> = BTreeMap::new();
        for flow in flows(world, &callees) {
            for edge in of_flow(world.model, &engine, &flow) {
                match found.get_mut(&(edge.from, edge.to)) {
                    None => {
                        found.insert((edge.from, edge.to), edge);
                    }
                    Some(known) => {
                        let timeout = [known.hop.timeout, edge.hop.timeout].into_iter().flatten().min();
                        if edge.hop.tries > known.hop.tries {
                            known.hop = edge.hop;
                        }
                        known.hop.timeout = timeout;
                        if edge.slowest.0 > known.slowest.0 {
                            known.slowest = edge.slowest;
                        }
                    }
                }
            }
        }
        let edges: Vec<Edge> = found.into_values().collect();
        let mut incoming: BTreeMap<Callee, Vec<usize>> = BTreeMap::new();
        for (place, edge) in edges.iter().enumerate() {
            incoming.entry(edge.to).or_default().push(place);
        }
        Self { edges, incoming }
    }

    /// How often a request may arrive at each callee that no circle multiplies, and by which edge.
    fn worst(
        &self,
        components: &[BTreeSet<Callee>],
        circles: &Circles,
    ) -> BTreeMap<Callee, (u64, Option<usize>)> {
        let mut worst: BTreeMap<Callee, (u64, Option<usize>)> = BTreeMap::new();
        for component in components {
            if component.iter().any(|callee| circles.by.contains_key(callee)) {
                continue;
            }
            let (mut times, mut entry, mut own) = (1, None, Vec::new());
            for callee in component {
                for place in self.incoming.get(callee).into_iter().flatten() {
                    let Some(edge) = self.edges.get(*place) else { continue };
                    let before = match edge.from {
                        Sender::Callee(caller) if component.contains(&caller) => {
                            own.push(*place);
                            continue;
                        }
                        Sender::Callee(caller) => worst.get(&caller).map_or(1, |(times, _)| *times),
                        Sender::Gateway(_) => 1,
                    };
                    let found = edge.hop.tries.saturating_mul(before);
                    if found > times || entry.is_none() {
                        (times, entry) = (found, Some((*callee, *place)));
                    }
                }
            }
            // On a circle on which nothing is sent again, each gets what one of them gets.
            let first = entry.map(|(callee, _)| callee).or_else(|| component.first().copied());
            let via = first.map(|first| spread(&self.edges, &own, first)).unwrap_or_default();
            for callee in component {
                let place = match entry {
                    Some((first, place)) if first == *callee => Some(place),
                    Some(_) | None => via.get(callee).copied(),
                };
                worst.insert(*callee, (times, place));
            }
        }
        worst
    }

    /// The chain that ends at a callee, from where it begins.
    fn back(&self, end: Callee, via: impl Fn(Callee) -> Option<usize>) -> Vec<Hop> {
        let (mut chain, mut at, mut known) = (Vec::new(), end, BTreeSet::new());
        while known.insert(at)
            && let Some(edge) = via(at).and_then(|place| self.edges.get(place))
        {
            chain.push(edge.hop.clone());
            match edge.from {
                Sender::Callee(caller) => at = caller,
                Sender::Gateway(_) => break,
            }
        }
        chain.reverse();
        chain
    }

    /// For each callee the edge with the least time of all that lead there, however indirectly.
    fn left(&self) -> BTreeMap<Callee, usize> {
        let time = |place: usize| self.edges.get(place).and_then(|edge| edge.hop.timeout);
        let mut places: Vec<usize> = (0..self.edges.len()).filter(|place| time(*place).is_some()).collect();
        places.sort_by_key(|place| (time(*place), *place));
        let mut outgoing: BTreeMap<Callee, Vec<Callee>> = BTreeMap::new();
        for edge in &self.edges {
            match edge.from {
                Sender::Callee(caller) => outgoing.entry(caller).or_default().push(edge.to),
                Sender::Gateway(_) => {}
            }
        }
        let mut left = BTreeMap::new();
        // The least first: whoever has one already has one that is as small.
        for place in places {
            let mut open: Vec<Callee> = self.edges.get(place).map(|edge| edge.to).into_iter().collect();
            while let Some(callee) = open.pop() {
                if let std::collections::btree_map::Entry::Vacant(entry) = left.entry(callee) {
                    entry.insert(place);
                    open.extend(outgoing.get(&callee).into_iter().flatten().copied());
                }
            }
        }
        left
    }
}

/// The edges of a flow: one for each destination.
fn of_flow<'m>(model: &Model, engine: &Engine<'_, 'm>, flow: &Flow<'m>) -> Vec<Edge> {
    let whole = |callee: Callee| match callee {
        Callee::Service(service) => Callee::Service(model.whole(service)),
        external @ Callee::External(_) => external,
    };
    let (from, name) = match flow.from {
        ProxyKey::Gateway(gateway) => (Sender::Gateway(gateway), model.gateway_name(gateway)),
        ProxyKey::Sidecar { cluster: _, service } => {
            let service = model.whole(service);
            (Sender::Callee(Callee::Service(service)), model.service_name(service))
        }
    };
    let (rule, place) = (engine.rule_name(flow), engine.place(flow));
    let edge = |share: &crate::flow::Share<'m>| {
        let to = whole(share.reach.callee);
        let hop = Hop {
            from: name.clone(),
            to: model.callee_name(to),
            rule: rule.clone(),
            tries: tries(flow),
            timeout: flow.timeout,
            place,
        };
        let takes = match (flow.retry, flow.timeout) {
            (_, Some(timeout)) => Takes::AtMost(timeout),
            (Some(_), None) => Takes::AnyTime,
            (None, None) => Takes::Connection,
        };
        Edge { from, to, slowest: (takes, hop.clone()), hop }
    };
    flow.to.iter().map(edge).collect()
}

/// How often a request is sent at most, so that an application sees it: one that found no connection was seen by nobody.
fn tries(flow: &Flow<'_>) -> u64 {
    let Some(retry) = flow.retry else { return 1 };
    let is_seen = |reason: &RetryReason| match reason {
        RetryReason::ServerError | RetryReason::Statuses(_) | RetryReason::Grpc(_) | RetryReason::Reset => {
            true
        }
        RetryReason::ConnectFailure => false,
    };
    if retry.hedge || retry.when.iter().any(is_seen) {
        u64::from(retry.attempts).saturating_add(1)
    } else {
        1
    }
}
