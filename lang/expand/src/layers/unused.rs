//! Defaults that no block took over are checked by their types too: one that is wrong is an error where it is written, and not
//! only once a block takes it.

use std::collections::BTreeSet;

use lang_diagnostics::{Sink, SourceMap, Span};
use lang_evaluate::misfit;
use lang_evaluate::schema::{Kind, Schema, Type};
use lang_syntax::ast::{Block, Item};

use super::as_block;
use crate::principal::below;

/// Names of attributes of defaults that a block took over; evaluation checks their values there.
pub(super) type Taken = BTreeSet<Span>;

/// Notes that a block took over all that a default block contains.
pub(super) fn take_all(block: &Block, taken: &mut Taken) {
    for item in &block.body {
        match item {
            Item::Attribute(attribute) => {
                taken.insert(attribute.name.span);
            }
            Item::Block(inner) => take_all(inner, taken),
            Item::Form(_) => {}
        }
    }
}

/// Reports values of the defaults of one level that no kind takes and that nobody took over. `kind` is what has the level.
pub(super) fn check(
    items: &[Item],
    kind: &'static Kind,
    taken: &Taken,
    schema: Schema,
    sources: &SourceMap,
    sink: &mut Sink,
) {
    let check = Check { taken, schema, sources };
    for block in items.iter().filter_map(as_block) {
        let mut kinds = Vec::new();
        below(kind, &block.kind.value, &mut kinds);
        check.block(block, &kinds, sink);
    }
}

struct Check<'a> {
    taken: &'a Taken,
    schema: Schema,
    sources: &'a SourceMap,
}

impl Check<'_> {
    /// `kinds` are those that the block may be about.
    fn block(&self, block: &Block, kinds: &[&'static Kind], sink: &mut Sink) {
        for item in &block.body {
            match item {
                Item::Attribute(attribute) if !self.taken.contains(&attribute.name.span) => {
                    let name = &attribute.name.value;
                    let types: Vec<&Type> = kinds
                        .iter()
                        .filter_map(|kind| kind.attribute(name))
                        .map(|schema| &schema.ty)
                        .collect();
                    let wrong = misfit(&attribute.value, &types, self.schema, self.sources);
                    wrong.into_iter().for_each(|diagnostic| sink.push(diagnostic));
                }
                Item::Attribute(_) | Item::Form(_) => {}
                Item::Block(inner) => {
                    let nested = kinds.iter().filter_map(|kind| kind.block(&inner.kind.value));
                    self.block(inner, &nested.map(|nested| nested.kind).collect::<Vec<_>>(), sink);
                }
            }
        }
    }
}
