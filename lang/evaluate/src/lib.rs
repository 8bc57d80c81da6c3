//! Names, types and values: syntax trees and a schema become checked declarations.
//!
//! Two passes. `collect` finds out which blocks there are, what kinds they have and which entities they make;
//! `evaluator` then turns every attribute into a typed value, with every name resolved against all entities, so that
//! the order of declarations does not matter.
//!
//! Invariants: this crate knows no kind of block: what a mesh consists of is in the [`schema::Schema`] that it is given.
//! One mistake is one diagnostic: a value that was reported is absent from its block, and whatever would need it
//! stays silent.

pub mod codes;
mod collect;
mod declarations;
mod describe;
mod evaluator;
mod fixes;
mod interpolate;
mod mismatch;
mod names;
mod resolve;
mod scalar;
pub mod schema;
mod suggestion;
mod typing;
mod value;

use std::collections::{HashMap, HashSet};

use lang_diagnostics::{Sink, Span};
use lang_syntax::ast;

pub use declarations::{Block, Declarations, Entity, EntityId};
pub use value::{FromValue, Target, Value};

use collect::Collector;
use evaluator::{Evaluator, Place};
use names::Names;
use schema::Schema;

/// Checks files against a schema. Returns the declarations if there was nothing to report, because only then each
/// required attribute is there and each reference leads somewhere.
pub fn evaluate(files: &[ast::File], schema: Schema, sink: &mut Sink) -> Option<Declarations> {
    let mut found = Sink::default();
    let mut collector = Collector { names: Names::default(), sources: HashMap::new(), sink: &mut found };
    // All files together are one place: what may stand once may stand in one of them only.
    let items: Vec<&ast::Item> = files.iter().flat_map(|file| &file.items).collect();
    let collected = collector.items(schema.file, &items, None);
    let Collector { names, sources, .. } = collector;
    let mut evaluator =
        Evaluator { names, sources, sink: &mut found, interpolating: Vec::new(), cycles: HashSet::new() };
    let mut blocks: Vec<_> = collected.into_iter().map(|block| evaluator.block(block)).collect();
    if let Some(file) = files.first() {
        let start = Span { end: file.span.start, ..file.span };
        let place = Place { kind: schema.file, label: None, span: start };
        evaluator.attributes(place, &items, None);
        evaluator.complete(place, &mut blocks, &items);
    }
    let entities = evaluator.names.entities;
    let sound = !found.has_errors();
    for diagnostic in found.into_sorted() {
        sink.push(diagnostic);
    }
    sound.then(|| Declarations::new(blocks, entities))
}
