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
mod reference;
pub mod sidecar;
mod standard;
mod symbols;
mod words;

use lang_diagnostics::{Sink, SourceMap};
use lang_evaluate::{Declarations, Evaluation};
use lang_syntax::ast;

pub use counting::{RATE_LIMIT_GRPC_PORT, RATE_LIMIT_SERVICE};
pub use forwarded::{APPLICATIONS_HEADERS, METHODS, PROXIES_HEADER_PREFIXES, PROXIES_HEADERS};
pub use kind::SCHEMA;
pub use kind::gateway::EAST_WEST_PORT;
pub use model::Model;
use model::policy::Defaults;
pub use reference::reference;

/// What the files of a mesh declare, as far as it could be read.
#[derive(Debug)]
pub struct Declared {
    /// The declarations.
    pub declarations: Declarations,
    /// The standard library's defaults.
    defaults: Option<Defaults>,
    /// Whether there was no error.
    sound: bool,
}

/// Evaluates the files of a mesh. The standard library's files are added to `sources`, so that whatever comes from
/// them has a place like everything else. Returns the model if there was no error.
pub fn evaluate(files: &[ast::File], sources: &mut SourceMap, sink: &mut Sink) -> Option<Model> {
    model(&declare(files, sources, sink), sink)
}

/// Reads what the files of a mesh declare: the first half of [`evaluate`].
pub fn declare(files: &[ast::File], sources: &mut SourceMap, sink: &mut Sink) -> Declared {
    let defaults = standard::defaults(sources, sink);
    let Evaluation { declarations, sound } = lang_evaluate::evaluate(files, SCHEMA, sources, sink);
    Declared { declarations, defaults, sound }
}

/// The model of declarations without errors: the second half of [`evaluate`].
pub fn model(declared: &Declared, sink: &mut Sink) -> Option<Model> {
    let defaults = declared.defaults.clone().filter(|_| declared.sound)?;
    let mut found = Sink::default();
    let model = build::build(&declared.declarations, defaults, &mut found);
    if let Some(model) = &model {
        names::check(model, &mut found);
        machines::check(model, &mut found);
    }
    let sound = !found.has_errors();
    for diagnostic in found.into_sorted() {
        sink.push(diagnostic);
    }
    model.filter(|_| sound)
}
