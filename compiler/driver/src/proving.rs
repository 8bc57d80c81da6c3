//! `meshc prove`: what becomes of calls when something fails, with places as they are shown.

use std::time::Duration;

use meshc_answers::{Truth, World};
use meshc_proof::{
    Arrival, Asked, Case, Hop, Kind, Loss, Meanwhile, Overrun, Proof, Proved, Verdict, arrivals, overruns,
    prove,
};
use meshc_resolve::resolve;

use crate::Compilation;

/// What was found, as it is shown.
#[derive(Clone, Debug)]
pub struct ToldProof {
    /// What may fail: its kind and its name.
    pub losses: Vec<(Kind, String)>,
    /// Each call and each rule of a gateway's route, at each proxy.
    pub flows: Vec<ToldFlow>,
}

/// A call or a rule at one proxy, as it is shown.
#[derive(Clone, Debug)]
pub struct ToldFlow {
    /// The proxy.
    pub from: String,
    /// What is called.
    pub to: String,
    /// The rule of a route that takes it.
    pub rule: Option<String>,
    /// `file:line`.
    pub place: String,
    /// Whether it is critical.
    pub critical: bool,
    /// The pods that answer when nothing fails.
    pub everyday: Vec<String>,
    /// Whether they do.
    pub verdict: Verdict,
    /// What rules of access make of it: all requests are admitted, none, or that depends on more than a call says.
    pub admitted: Truth,
    /// What changes when something fails.
    pub cases: Vec<Case>,
}

/// Proves a mesh without errors but those of proofs; `None` if it has others.
#[must_use]
pub fn prove_failover(compilation: &Compilation, asked: &Asked) -> Option<ToldProof> {
    let (model, topology, plan) = compilation.but_for_proofs()?;
    let resolved = resolve(model);
    let Proof { losses, flows } = prove(&World::new(&resolved, topology, plan), asked);
    let told = |flow: Proved| {
        let Proved { from, to, rule, place, callee: _, critical, everyday, verdict, admitted, cases } = flow;
        let place = compilation.sources.place(place);
        ToldFlow { from, to, rule, place, critical: critical.is_some(), everyday, verdict, admitted, cases }
    };
    let losses = losses.into_iter().map(|loss| named(&loss)).collect();
    Some(ToldProof { losses, flows: flows.into_iter().map(told).collect() })
}

fn named(loss: &Loss) -> (Kind, String) {
    (loss.kind, loss.name.clone())
}

/// A hop of a chain, with its place as it is shown.
#[derive(Clone, Debug)]
pub struct ToldHop {
    /// The hop.
    pub hop: Hop,
    /// `file:line`.
    pub place: String,
}

/// What may arrive at a callee, and how much time is left there.
#[derive(Clone, Debug)]
pub struct ToldArrival {
    /// What was found.
    pub arrival: Arrival,
    /// The circle because of which it arrives without bound.
    pub circle: Vec<ToldHop>,
    /// The chain on which it arrives most often.
    pub chain: Vec<ToldHop>,
    /// The hop that leaves the least time.
    pub by: Option<ToldHop>,
}

/// A call whose own time exceeds what is left to its caller, or has no bound.
#[derive(Clone, Debug)]
pub struct ToldOverrun {
    /// The call.
    pub hop: ToldHop,
    /// What is left to the caller.
    pub left: Duration,
    /// The hop that leaves it no more.
    pub by: ToldHop,
}

/// What becomes of requests along chains of calls; `None` if the mesh has errors but those of proofs.
#[must_use]
pub fn prove_chains(compilation: &Compilation) -> Option<(Vec<ToldArrival>, Vec<ToldOverrun>)> {
    let (model, topology, plan) = compilation.but_for_proofs()?;
    let resolved = resolve(model);
    let world = World::new(&resolved, topology, plan);
    let told = |hop: Hop| ToldHop { place: compilation.sources.place(hop.place), hop };
    let arrival = |arrival: Arrival| ToldArrival {
        circle: arrival.circle.iter().cloned().map(told).collect(),
        chain: arrival.chain.iter().cloned().map(told).collect(),
        by: arrival.by.clone().map(told),
        arrival,
    };
    let overrun = |Overrun { hop, left, by }: Overrun| ToldOverrun { hop: told(hop), left, by: told(by) };
    let overruns = overruns(&world).into_iter().map(overrun).collect();
    Some((arrivals(&world).into_iter().map(arrival).collect(), overruns))
}

/// How long requests wait at most until it is noticed, and of which methods; `None` where they fail.
#[must_use]
pub fn waiting(meanwhile: &Meanwhile) -> Option<(Duration, &[String])> {
    match meanwhile {
        Meanwhile::Retried(wait) => Some((*wait, &[])),
        Meanwhile::Some(methods, wait) => Some((*wait, methods)),
        Meanwhile::Lost => None,
    }
}
