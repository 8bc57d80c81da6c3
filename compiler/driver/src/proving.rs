//! `meshc prove`: what becomes of calls when something fails, with places as they are shown.

use std::time::Duration;

use meshc_answers::World;
use meshc_proof::{Asked, Case, Kind, Loss, Meanwhile, Proof, Proved, Verdict, prove};
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
        let Proved { from, to, rule, place, callee: _, critical, everyday, verdict, cases } = flow;
        let place = compilation.sources.place(place);
        ToldFlow { from, to, rule, place, critical: critical.is_some(), everyday, verdict, cases }
    };
    let losses = losses.into_iter().map(|loss| named(&loss)).collect();
    Some(ToldProof { losses, flows: flows.into_iter().map(told).collect() })
}

fn named(loss: &Loss) -> (Kind, String) {
    (loss.kind, loss.name.clone())
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
