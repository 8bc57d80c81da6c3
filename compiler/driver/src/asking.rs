//! `meshc ask`: questions about calls, with the places of what decides them.

use std::cell::OnceCell;
use std::time::Duration;

use lang_diagnostics::{Diagnostic, SourceMap, settled};
use meshc_answers::ask::{self, Fact, Line, Matrix, Place, Radius, Stolen, View};
use meshc_answers::{Step, Truth, World};
use meshc_resolve::resolve;

use crate::query::Standard;
use crate::{CheckedMesh, Compilation};

/// An answer, as it is shown.
#[derive(Clone, Debug)]
pub struct Told {
    /// Yes, no, or that it depends.
    pub verdict: Truth,
    /// Its parts.
    pub lines: Vec<ToldLine>,
    /// What was tried; empty unless it was asked for.
    pub steps: Vec<ToldStep>,
}

/// One part of an answer.
#[derive(Clone, Debug)]
pub struct ToldLine {
    /// Whether it is so here.
    pub verdict: Truth,
    /// Whom it is about.
    pub who: String,
    /// What becomes of it.
    pub text: String,
    /// The pods that answer.
    pub answered_by: Vec<String>,
    /// What decides it.
    pub reasons: Vec<Reason>,
}

/// Something that decides an answer.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What it is.
    pub text: String,
    /// `file:line`; empty if nowhere.
    pub place: String,
    /// Whether it is only for those who ask why.
    pub further: bool,
}

/// Something that was tried.
#[derive(Clone, Debug)]
pub struct ToldStep {
    /// How far inside of others it is.
    pub depth: usize,
    /// What.
    pub text: String,
    /// What came of it; `None` for a heading.
    pub truth: Option<Truth>,
    /// `file:line`; empty if nowhere.
    pub place: String,
}

/// Answers each question about a mesh without errors; what is wrong with one is reported in its own text, which becomes a source.
pub fn ask(compilation: &mut Compilation, questions: &[String]) -> Vec<Result<Told, Vec<Diagnostic>>> {
    let Compilation { sources, mesh: Some(mesh), .. } = compilation else { return Vec::new() };
    let CheckedMesh { model, topology, plan, tests: _ } = mesh;
    let resolved = resolve(model);
    let world = World::new(&resolved, topology, plan);
    let standard = OnceCell::new();
    let one = |text: &String| {
        let file = sources.add("question", text.as_str());
        match ask::ask(&world, file, text) {
            Ok(reply) => Ok(Told {
                verdict: reply.verdict,
                lines: reply.lines.into_iter().map(|line| told(line, sources, &standard)).collect(),
                steps: reply.steps.into_iter().map(|step| tried(step, sources)).collect(),
            }),
            Err(wrong) => Err(settled(vec![*wrong], sources)),
        }
    };
    questions.iter().map(one).collect()
}

fn told(line: Line, sources: &SourceMap, standard: &OnceCell<Standard>) -> ToldLine {
    let Line { verdict, who, text, answered_by, facts } = line;
    let reason = |fact: Fact| {
        let Fact { text, place, further } = fact;
        let place = match place {
            Place::Nowhere => String::new(),
            Place::At(span) => sources.place(span),
            Place::Standard(name) => standard.get_or_init(Standard::new).place(name),
        };
        Reason { text, place, further }
    };
    ToldLine { verdict, who, text, answered_by, reasons: facts.into_iter().map(reason).collect() }
}

fn tried(step: Step, sources: &SourceMap) -> ToldStep {
    let Step { depth, text, truth, place } = step;
    ToldStep { depth, text, truth, place: place.map(|span| sources.place(span)).unwrap_or_default() }
}

/// Who may call whom in a mesh without errors; `None` if it has some.
#[must_use]
pub fn matrix(compilation: &Compilation, view: View) -> Option<Matrix> {
    let CheckedMesh { model, topology, plan, tests: _ } = compilation.mesh.as_ref()?;
    let resolved = resolve(model);
    Some(ask::matrix(&World::new(&resolved, topology, plan), view))
}

/// What a stolen key opens, as it is shown.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The identities that its holder can take on.
    pub identities: Vec<String>,
    /// What is called with them, passed on, or who can be deceived.
    pub lines: Vec<ToldLine>,
    /// How long a certificate with the key is taken, where the mesh says so.
    pub lasts: Option<Duration>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// What a stolen key opens in a mesh without errors; what is wrong with the name is reported in a text that becomes a source.
///
/// # Errors
/// If there is no such thing.
pub fn radius(compilation: &mut Compilation, stolen: Stolen, name: &str) -> Result<Opened, Vec<Diagnostic>> {
    let Compilation { sources, mesh: Some(mesh), .. } = compilation else { return Err(Vec::new()) };
    let CheckedMesh { model, topology, plan, tests: _ } = mesh;
    let resolved = resolve(model);
    let world = World::new(&resolved, topology, plan);
    let file = sources.add("question", format!("{} {name}", stolen.word()));
    match ask::radius(&world, file, stolen, name) {
        Ok(Radius { identities, lines, lasts, notes }) => {
            let standard = OnceCell::new();
            let lines = lines.into_iter().map(|line| told(line, sources, &standard)).collect();
            Ok(Opened { identities, lines, lasts, notes })
        }
        Err(wrong) => Err(settled(vec![*wrong], sources)),
    }
}

/// The Secrets that gateways read.
#[must_use]
pub fn secret_names(mesh: &CheckedMesh) -> Vec<String> {
    ask::secrets(&mesh.model).into_iter().map(|(name, ())| name).collect()
}

/// The names that a question may have: whoever calls, and whatever is called.
#[must_use]
pub fn names_to_ask(mesh: &CheckedMesh) -> (Vec<String>, Vec<String>) {
    let callers = ask::callers(&mesh.model).into_iter().map(|(name, _)| name).collect();
    let callees = ask::callees(&mesh.model).into_iter().map(|(name, _)| name).collect();
    (callers, callees)
}
