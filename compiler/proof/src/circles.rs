//! Circles of calls: what arrives on one on which requests are sent again, and behind it, has no bound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use meshc_vocabulary::model::Callee;

use crate::chains::{Edge, Sender};

/// What arrives without bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circles {
    /// The edges of each circle, in their order.
    pub(crate) circles: Vec<Vec<usize>>,
    /// For whatever is on a circle or behind it, which one, and the edge that leads there if it is behind.
    pub(crate) by: BTreeMap<Callee, (usize, Option<usize>)>,
}

/// Callees that call each other in circles, together; callers before what they call. Without recursion: chains may be long.
pub(crate) fn components(edges: &[Edge]) -> Vec<BTreeSet<Callee>> {
    let mut callers: BTreeMap<Callee, Vec<Callee>> = BTreeMap::new();
    let mut called: BTreeMap<Callee, Vec<Callee>> = BTreeMap::new();
    for edge in edges {
        let own = callers.entry(edge.to).or_default();
        match edge.from {
            Sender::Callee(caller) => {
                own.push(caller);
                called.entry(caller).or_default().push(edge.to);
            }
            Sender::Gateway(_) => {}
        }
    }
    // Whatever nobody calls is on no circle, and no callee.
    for all in callers.values_mut().chain(called.values_mut()) {
        all.sort();
        all.dedup();
    }
    let nodes: BTreeSet<Callee> = callers.keys().copied().collect();
    let mut known = BTreeSet::new();
    let mut finished = Vec::new();
    for start in &nodes {
        finished.extend(finishing(*start, &callers, &nodes, &mut known));
    }
    let mut known = BTreeSet::new();
    let mut found: Vec<BTreeSet<Callee>> = Vec::new();
    for start in finished.into_iter().rev() {
        let component: BTreeSet<Callee> = finishing(start, &called, &nodes, &mut known).into_iter().collect();
        if !component.is_empty() {
            found.push(component);
        }
    }
    // What comes last on the way against the calls is found first.
    found.reverse();
    found
}

/// What is reached from somewhere and not known yet, each after what is reached from it.
fn finishing(
    start: Callee,
    next: &BTreeMap<Callee, Vec<Callee>>,
    nodes: &BTreeSet<Callee>,
    known: &mut BTreeSet<Callee>,
) -> Vec<Callee> {
    let mut finished = Vec::new();
    let mut stack = vec![(start, false)];
    while let Some((callee, is_done)) = stack.pop() {
        if is_done {
            finished.push(callee);
        } else if known.insert(callee) {
            stack.push((callee, true));
            let own = next.get(&callee).into_iter().flatten().filter(|callee| nodes.contains(callee));
            stack.extend(own.map(|callee| (*callee, false)));
        }
    }
    finished
}

impl Circles {
    /// Finds a circle in each component in which something is sent again, and everything behind.
    pub(crate) fn of(edges: &[Edge], components: &[BTreeSet<Callee>]) -> Self {
        let mut found = Self::default();
        let mut open = VecDeque::new();
        let mut outgoing: BTreeMap<Callee, Vec<usize>> = BTreeMap::new();
        for (place, edge) in edges.iter().enumerate() {
            match edge.from {
                Sender::Callee(caller) => outgoing.entry(caller).or_default().push(place),
                Sender::Gateway(_) => {}
            }
        }
        let sent = |callee: &Callee| outgoing.get(callee).into_iter().flatten().copied();
        for component in components {
            let inside = |place: &usize| edges.get(*place).is_some_and(|edge| component.contains(&edge.to));
            let own: Vec<usize> = component.iter().flat_map(sent).filter(inside).collect();
            let tries = |place: &usize| edges.get(*place).map_or(1, |edge| edge.hop.tries);
            let worst = own.iter().copied().filter(|place| tries(place) > 1);
            // The first of those with the most tries.
            let Some(worst) = worst.min_by_key(|place| (u64::MAX - tries(place), *place)) else { continue };
            let circle = closed(edges, &own, worst);
            for edge in circle.iter().filter_map(|place| edges.get(*place)) {
                found.by.insert(edge.to, (found.circles.len(), None));
                open.push_back(edge.to);
            }
            found.circles.push(circle);
        }
        while let Some(callee) = open.pop_front() {
            let Some((circle, _)) = found.by.get(&callee).copied() else { continue };
            for place in sent(&callee) {
                let Some(edge) = edges.get(place) else { continue };
                if let std::collections::btree_map::Entry::Vacant(entry) = found.by.entry(edge.to) {
                    entry.insert((circle, Some(place)));
                    open.push_back(edge.to);
                }
            }
        }
        found
    }
}

/// An edge, and the shortest way from its end back to where it begins.
fn closed(edges: &[Edge], own: &[usize], first: usize) -> Vec<usize> {
    let Some(edge) = edges.get(first) else { return Vec::new() };
    let via = spread(edges, own, edge.to);
    let (mut back, mut at) = (Vec::new(), edge.from);
    while let Sender::Callee(callee) = at
        && callee != edge.to
        && let Some(place) = via.get(&callee)
        && let Some(edge) = edges.get(*place)
    {
        back.push(*place);
        at = edge.from;
    }
    back.push(first);
    back.reverse();
    back
}

/// For all that is reached from a callee by some edges, the edge of the shortest way that leads there.
pub(crate) fn spread(edges: &[Edge], own: &[usize], from: Callee) -> BTreeMap<Callee, usize> {
    let mut via = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(callee) = open.pop_front() {
        for place in own {
            let Some(edge) = edges.get(*place) else { continue };
            if edge.from == Sender::Callee(callee) && edge.to != from && !via.contains_key(&edge.to) {
                via.insert(edge.to, *place);
                open.push_back(edge.to);
            }
        }
    }
    via
}
