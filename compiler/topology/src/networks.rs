//! Networks and the links between them: the shortest way from each network to each other one.

use meshc_vocabulary::model::policy::{Failover, FailoverBy};
use meshc_vocabulary::model::{Id, Link, Model, Network};
use petgraph::algo::dijkstra;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};

/// What makes a way short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// The number of links.
    Hops,
    /// The sum of declared latencies.
    Latency,
    /// The sum of declared costs.
    Cost,
}

impl Metric {
    /// What chooses the path under a failover policy: the first of its criteria that speaks of links.
    pub(crate) fn of(failover: &Failover) -> Self {
        failover.by.iter().find_map(|by| Self::named(*by)).unwrap_or(Self::Hops)
    }

    /// The metric that a criterion orders by, if it speaks of links.
    pub(crate) fn named(by: FailoverBy) -> Option<Self> {
        match by {
            FailoverBy::Zone | FailoverBy::Region => None,
            FailoverBy::Latency => Some(Self::Latency),
            FailoverBy::Cost => Some(Self::Cost),
        }
    }

    fn length_of(self, link: &Link) -> Length {
        let value = match self {
            Self::Hops => Some(0),
            Self::Latency => link.latency.map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX)),
            Self::Cost => link.cost,
        };
        Length { unknown: u32::from(value.is_none()), sum: value.unwrap_or(0), hops: 1 }
    }
}

/// The length of a way. A link without a declared latency or cost is longer than any declared one; with all else
/// equal the fewer links the better. `hops` makes every link count, so a way is strictly longer than its tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Length {
    unknown: u32,
    sum: u64,
    hops: u32,
}

impl std::ops::Add for Length {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            unknown: self.unknown.saturating_add(other.unknown),
            sum: self.sum.saturating_add(other.sum),
            hops: self.hops.saturating_add(other.hops),
        }
    }
}

/// The first step of a way, and how long the whole way is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    pub(crate) next: Id<Network>,
    pub(crate) length: Length,
}

/// The shortest ways between all networks under one metric. The tail of a shortest way is the shortest way of the
/// network where it begins, so gateways on the way need to agree on nothing.
pub(crate) struct Networks {
    count: usize,
    /// At `to * count + from`.
    legs: Vec<Option<Leg>>,
}

impl Networks {
    /// Measures all ways. Only networks that `passable` admits may lie in the middle of one.
    pub(crate) fn measure(model: &Model, metric: Metric, passable: impl Fn(Id<Network>) -> bool) -> Self {
        let count = model.networks.len();
        if model.links.is_empty() {
            return Self { count, legs: every_pair(model) };
        }
        let graph = graph_of(model, metric);
        let mut legs = Vec::with_capacity(count * count);
        for to in model.networks.ids() {
            // Dijkstra runs from the destination outwards; every link goes both ways, so lengths are the same.
            let goal = NodeIndex::new(to.index());
            let open = EdgeFiltered::from_fn(&graph, |edge| {
                edge.source() == goal || graph.node_weight(edge.source()).is_some_and(|it| passable(*it))
            });
            let lengths = dijkstra(&open, goal, None, |edge| *edge.weight());
            for from in model.networks.ids() {
                let steps = graph.edges(NodeIndex::new(from.index())).filter_map(|edge| {
                    let next = *graph.node_weight(edge.target())?;
                    let rest = *lengths.get(&edge.target())?;
                    let length = *edge.weight() + rest;
                    (next == to || passable(next)).then_some(Leg { next, length })
                });
                legs.push(steps.min_by_key(|leg| (leg.length, leg.next)).filter(|_| from != to));
            }
        }
        Self { count, legs }
    }

    /// The first step from one network to another one; `None` if there is no way.
    pub(crate) fn leg(&self, from: Id<Network>, to: Id<Network>) -> Option<Leg> {
        self.legs.get(to.index() * self.count + from.index()).copied().flatten()
    }
}

/// Without declared links every network reaches the gateways of every other one.
fn every_pair(model: &Model) -> Vec<Option<Leg>> {
    let length = Length { unknown: 1, sum: 0, hops: 1 };
    let pairs = model.networks.ids().flat_map(|to| model.networks.ids().map(move |from| (from, to)));
    pairs.map(|(from, to)| (from != to).then_some(Leg { next: to, length })).collect()
}

fn graph_of(model: &Model, metric: Metric) -> DiGraph<Id<Network>, Length> {
    let mut graph = DiGraph::with_capacity(model.networks.len(), model.links.len() * 2);
    for network in model.networks.ids() {
        graph.add_node(network);
    }
    for link in &model.links {
        let (from, to) = (NodeIndex::new(link.from.index()), NodeIndex::new(link.to.index()));
        graph.add_edge(from, to, metric.length_of(link));
        graph.add_edge(to, from, metric.length_of(link));
    }
    graph
}
