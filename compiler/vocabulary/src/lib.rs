//! The kinds and attributes of the language, and the typed model they evaluate to.
//!
//! One schema ([`SCHEMA`]) feeds checking, completion, hover, the printer's order and the reference; `model` is what
//! the rest of the compiler works on: every name resolved, every default filled in, every node with its origin.
//!
//! Invariants: the model is valid on its own (each reference points at an entity of the right kind, each number is in
//! its range); whether the mesh makes sense as a whole is for `topology` and `check` to say. Knows no data plane.

mod build;
pub mod capability;
pub mod codes;
mod counting;
mod expressions;
mod forms;
mod forwarded;
pub mod gateway_codes;
mod kind;
mod machines;
pub mod model;
mod names;
mod policy;
pub mod sidecar;
mod standard;
mod symbols;
pub mod testing;
mod words;

use std::borrow::Borrow;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Sink, SourceMap};
use lang_evaluate::{Declarations, Evaluation, Memory};
use lang_syntax::ast;

pub use counting::{RATE_LIMIT_GRPC_PORT, RATE_LIMIT_SERVICE};
pub use forwarded::{APPLICATIONS_HEADERS, METHODS, PROXIES_HEADER_PREFIXES, PROXIES_HEADERS};
pub use kind::SCHEMA;
pub use kind::gateway::EAST_WEST_PORT;
pub use model::Model;
pub use standard::written as default_of;
pub use testing::Tests;

/// What the files of a mesh declare, as far as it could be read.
#[derive(Debug)]
pub struct Declared {
    /// The declarations.
    pub declarations: Arc<Declarations>,
    /// The standard library's table of defaults.
    standard: Option<Arc<Declarations>>,
    /// Relations between parts of blocks that do not hold.
    broken: Vec<Diagnostic>,
    /// Whether there was no error.
    sound: bool,
}

/// Evaluates the files of a mesh. The standard library's files are added to `sources`, so that whatever comes from
/// them has a place like everything else. Returns the model if there was no error.
pub fn evaluate<F: Borrow<ast::File>>(
    files: &[F],
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Option<Model> {
    model(&declare(files, sources, sink), sink).map(|(model, _)| model)
}

/// Reads what the files of a mesh declare: the first half of [`evaluate`].
pub fn declare<F: Borrow<ast::File>>(files: &[F], sources: &mut SourceMap, sink: &mut Sink) -> Declared {
    let standard = standard::declarations(sources, sink).map(Arc::new);
    let Evaluation { declarations, broken, sound } = lang_evaluate::evaluate(files, SCHEMA, sources, sink);
    Declared { declarations: Arc::new(declarations), standard, broken, sound }
}

/// As [`declare`], with what blocks came to the last time where it is the same.
pub fn declare_again(
    files: &[Arc<ast::File>],
    sources: &mut SourceMap,
    sink: &mut Sink,
    memory: &mut Memory,
) -> Declared {
    let standard = standard::declarations(sources, sink).map(Arc::new);
    let evaluation = lang_evaluate::evaluate_again(files, SCHEMA, sources, sink, memory);
    let Evaluation { declarations, broken, sound } = evaluation;
    Declared { declarations: Arc::new(declarations), standard, broken, sound }
}

/// The model of declarations without errors: the second half of [`evaluate`]. With the tests of the mesh if it has any.
pub fn model(declared: &Declared, sink: &mut Sink) -> Option<(Model, Option<Tests>)> {
    let Declared { declarations, standard, broken, sound } = declared;
    let standard = standard.as_ref().filter(|_| *sound)?;
    let mut found = Sink::default();
    broken.iter().for_each(|diagnostic| found.push(diagnostic.clone()));
    let built = build::build(declarations, standard::defaults(standard)?, &mut found);
    let mut tests = Vec::new();
    if let Some((model, ids)) = &built {
        names::check(model, &mut found);
        machines::check(model, &mut found);
        tests = build::tests(declarations, model, ids, &mut found);
    }
    let sound = !found.has_errors();
    for diagnostic in found.into_sorted() {
        sink.push(diagnostic);
    }
    let (model, _) = built.filter(|_| sound)?;
    let tests = (!tests.is_empty()).then(|| Tests {
        tests,
        declarations: Arc::clone(declarations),
        defaults: Arc::clone(standard),
    });
    Some((model, tests))
}
