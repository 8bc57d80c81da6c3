//! Names, types and values: syntax trees and a schema become checked declarations.
//!
//! Two passes. `collect` finds out which blocks there are, what kinds they have and which entities they make;
//! `evaluator` then turns every attribute into a typed value, with every name resolved against all entities, so that
//! the order of declarations does not matter.
//!
//! Invariants: this crate knows no kind of block: what a mesh consists of is in the [`schema::Schema`] that it is given.
//! One mistake is one diagnostic: a value that was reported is absent from its block, and whatever would need it
//! stays silent.

mod alone;
pub mod codes;
mod collect;
mod composed;
mod consequence;
mod declarations;
mod describe;
mod elsewhere;
mod evaluator;
mod fixes;
mod interpolate;
mod memory;
mod mismatch;
mod names;
mod relations;
mod resolve;
mod scalar;
pub mod schema;
mod suggestion;
mod typing;
mod value;

use std::borrow::Borrow;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Severity, Sink, SourceMap, Span};
use lang_syntax::ast;

pub use alone::misfit;
pub use declarations::{Block, Declarations, Entity, EntityId, Mention};
pub use describe::literal;
pub use memory::Memory;
pub use value::{FromValue, Piece, Target, Value};

use collect::{Collected, Collector};
use evaluator::{Evaluated, Evaluator, Place};
use names::Names;
use schema::Schema;

/// How many blocks at the top level are worth a second thread.
const MANY: usize = 16;

/// What could be read.
#[derive(Debug)]
pub struct Evaluation {
    /// Everything that is declared, as far as it could be read: what was reported is absent.
    pub declarations: Declarations,
    /// Relations between the parts of a block that do not hold. What is missing may be in what could not be read, so these are
    /// reported together with what the next stage finds, once everything is sound.
    pub broken: Vec<Diagnostic>,
    /// Whether neither this nor the parser had an error to report: only then each required attribute is there and each
    /// reference leads somewhere.
    pub sound: bool,
}

/// Checks files against a schema. `sink` has what the parser reported about the files, and `sources` their text.
pub fn evaluate<F: Borrow<ast::File>>(
    files: &[F],
    schema: Schema,
    sources: &SourceMap,
    sink: &mut Sink,
) -> Evaluation {
    whole(files, schema, sources, sink, &Memory::default()).0
}

/// As [`evaluate`], with what blocks came to the last time where it is the same.
pub fn evaluate_again(
    files: &[Arc<ast::File>],
    schema: Schema,
    sources: &SourceMap,
    sink: &mut Sink,
    memory: &mut Memory,
) -> Evaluation {
    let (evaluation, known) = whole(files, schema, sources, sink, memory);
    memory.remember(files, &evaluation.declarations.names, known.into_iter());
    evaluation
}

/// What a block of a tree came to.
type KnownBlock<'a> = (&'a ast::Block, Arc<Evaluated>);

fn whole<'a, F: Borrow<ast::File>>(
    files: &'a [F],
    schema: Schema,
    sources: &SourceMap,
    sink: &mut Sink,
    memory: &Memory,
) -> (Evaluation, Vec<KnownBlock<'a>>) {
    let mut found = Sink::default();
    // All files together are one place: what may stand once may stand in one of them only.
    let items: Vec<&ast::Item> = files.iter().flat_map(|file| &file.borrow().items).collect();
    let start =
        files.first().map(Borrow::borrow).map(|file: &ast::File| Span { end: file.span.start, ..file.span });
    let (declarations, broken, known) = passes(&items, schema, start, sources, &mut found, memory);
    let mistakes: Vec<_> =
        sink.diagnostics().iter().filter(|it| it.severity == Severity::Error).cloned().collect();
    let sound = mistakes.is_empty() && !found.has_errors();
    for diagnostic in consequence::independent(found.into_sorted(), &mistakes, schema, sources) {
        sink.push(diagnostic);
    }
    (Evaluation { declarations, broken, sound }, known)
}

/// Both passes over the items of all files; `start` is where something that is missing as a whole is reported.
fn passes<'a>(
    items: &[&'a ast::Item],
    schema: Schema,
    start: Option<Span>,
    texts: &SourceMap,
    found: &mut Sink,
    memory: &Memory,
) -> (Declarations, Vec<Diagnostic>, Vec<KnownBlock<'a>>) {
    let mut collector =
        Collector { names: Names::default(), sources: Vec::new(), sink: found, file: schema.file };
    let collected = collector.items(schema.file, items, None);
    let Collector { names, mut sources, sink, file } = collector;
    // Only what is opened several times is not in order yet.
    sources.sort_by_key(|(entity, _)| *entity);
    let mut evaluator = Evaluator::new(&names, &sources, sink, file, texts);
    let each = apart(&collected, &evaluator, memory);
    // A large mesh names much, and a list that doubles would for a while be three times as large.
    evaluator.mentions.reserve_exact(each.iter().flatten().map(|apart| apart.mentions.len()).sum());
    let mut blocks = Vec::with_capacity(collected.len());
    let mut known = Vec::with_capacity(collected.len());
    for (block, apart) in collected.iter().zip(each) {
        blocks.push(match &apart {
            Some(apart) => evaluator.take(apart),
            None => evaluator.block(block),
        });
        known.extend(apart.map(|apart| (block.block, apart)));
    }
    if let Some(span) = start {
        let place = Place { kind: schema.file, label: None, span };
        evaluator.attributes(place, items, None);
        evaluator.complete(place, &mut blocks, items);
    }
    for unknown in std::mem::take(&mut evaluator.unknown).into_values() {
        evaluator.sink.push(unknown.diagnostic);
    }
    let (mentions, broken) = (evaluator.mentions, evaluator.broken);
    (Declarations::new(blocks, names, mentions), broken, known)
}

/// What blocks come to by themselves, on all cores; nothing for one that has a mistake or puts a value of another one into a
/// string: what is said of these may depend on what was said before.
fn apart(
    collected: &[Collected<'_>],
    all: &Evaluator<'_, '_>,
    memory: &Memory,
) -> Vec<Option<Arc<Evaluated>>> {
    let same = memory.knows(all.names);
    lang_parallel::map(collected, MANY, |block| {
        if let Some(known) = memory.block(block.block).filter(|_| same) {
            return Some(known);
        }
        let mut found = Sink::default();
        let mut evaluator = Evaluator::new(all.names, all.sources, &mut found, all.file, all.texts);
        let block = evaluator.block(block);
        let alone =
            evaluator.sink.diagnostics().is_empty() && evaluator.unknown.is_empty() && !evaluator.looked;
        let evaluated = Evaluated { block, mentions: evaluator.mentions, broken: evaluator.broken };
        alone.then(|| Arc::new(evaluated))
    })
}
