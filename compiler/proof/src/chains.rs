//! What one request becomes along chains of calls: how often it may arrive at each service, and how much time is left there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::Span;
use meshc_answers::{Callees, World};
use meshc_plan::RetryReason;
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Gateway, Id, Model};

use crate::engine::Engine;
use crate::flow::{Flow, flows};

/// Whoever sends requests on: an application, or a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
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
    /// How often one request may arrive there: the product along the worst chain.
    pub times: u64,
    /// That chain, from where it begins.
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
        self.bound.is_some_and(|(most, _)| self.times > most)
    }
}

/// A call whose own time exceeds what is left to its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// The call.
    pub hop: Hop,
    /// What is left to the caller.
    pub left: Duration,
    /// The hop that leaves it no more.
    pub by: Hop,
}

/// An edge of the graph of calls, of all proxies that have it: the most tries, and the least time.
#[derive(Clone, Debug)]
struct Edge {
    from: Sender,
    to: Callee,
    hop: Hop,
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
    let mut worst: BTreeMap<Callee, (u64, Option<usize>)> = BTreeMap::new();
    for callee in chains.order() {
        let mut own = (1, None);
        for place in chains.incoming.get(&callee).into_iter().flatten() {
            let Some(edge) = chains.edges.get(*place) else { continue };
            // A caller that comes later closes a circle, and its chain ends here.
            let before = match edge.from {
                Sender::Gateway(_) => Some(1),
                Sender::Callee(caller) if !chains.incoming.contains_key(&caller) => Some(1),
                Sender::Callee(caller) => worst.get(&caller).map(|(times, _)| *times),
            };
            let Some(before) = before else { continue };
            let times = edge.hop.tries.saturating_mul(before);
            if times > own.0 || own.1.is_none() {
                own = (times, Some(*place));
            }
        }
        worst.insert(callee, own);
    }
    let left = chains.left();
    let arrival = |(callee, (times, _)): (&Callee, &(u64, Option<usize>))| {
        let (left, by) = left
            .get(callee)
            .and_then(|place| chains.edges.get(*place))
            .map_or((None, None), |edge| (edge.hop.timeout, Some(edge.hop.clone())));
        Arrival {
            name: model.callee_name(*callee),
            times: *times,
            chain: chains.back(*callee, &worst),
            bound: bound(model, *callee),
            left,
            by,
        }
    };
    let mut all: Vec<Arrival> = worst.iter().map(arrival).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// Calls whose own time exceeds what is left to their callers.
#[must_use]
pub fn overruns(world: &World<'_>) -> Vec<Overrun> {
    let chains = Chains::of(world);
    let left = chains.left();
    let overrun = |edge: &Edge| {
        let Sender::Callee(caller) = edge.from else { return None };
        let by = &chains.edges.get(*left.get(&caller)?)?.hop;
        let (own, left) = (edge.hop.timeout?, by.timeout?);
        (own > left).then(|| Overrun { hop: edge.hop.clone(), left, by: by.clone() })
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

    /// All callees, each after those that call it, but for circles. Without recursion: chains may be long.
    fn order(&self) -> Vec<Callee> {
        let (mut order, mut known) = (Vec::new(), BTreeSet::new());
        for start in self.incoming.keys() {
            let mut stack = vec![(*start, false)];
            while let Some((callee, is_done)) = stack.pop() {
                if is_done {
                    order.push(callee);
                } else if known.insert(callee) {
                    stack.push((callee, true));
                    let own = self.incoming.get(&callee).into_iter().flatten();
                    for edge in own.filter_map(|place| self.edges.get(*place)) {
                        match edge.from {
                            Sender::Callee(caller) if self.incoming.contains_key(&caller) => {
                                stack.push((caller, false));
                            }
                            Sender::Callee(_) | Sender::Gateway(_) => {}
                        }
                    }
                }
            }
        }
        order
    }

    /// The chain that ends at a callee, from where it begins.
    fn back(&self, end: Callee, worst: &BTreeMap<Callee, (u64, Option<usize>)>) -> Vec<Hop> {
        let (mut chain, mut at, mut known) = (Vec::new(), end, BTreeSet::new());
        while known.insert(at)
            && let Some((_, Some(place))) = worst.get(&at)
            && let Some(edge) = self.edges.get(*place)
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
        Edge { from, to, hop }
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
