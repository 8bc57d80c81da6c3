//! The standard library's defaults, read by the same schema as every other policy.

use lang_diagnostics::{Sink, SourceMap};
use lang_evaluate::Declarations;
use lang_syntax::ast::{Block, Item};

use crate::kind::STANDARD_LIBRARY;
use crate::model::policy::Defaults;
use crate::policy;

/// What messages call the file.
const NAME: &str = "std/defaults.mesh";

/// The table of defaults. It is part of the compiler, so that a test and not the user learns of a mistake in it.
pub(crate) fn declarations(sources: &mut SourceMap, sink: &mut Sink) -> Option<Declarations> {
    let id = sources.add(NAME, meshc_stdlib::DEFAULTS);
    // A sink of its own: mistakes in the user's files explain nothing here.
    let mut found = Sink::default();
    let file = lang_syntax::parse(id, meshc_stdlib::DEFAULTS, &mut found);
    let evaluation = lang_evaluate::evaluate(&[file], STANDARD_LIBRARY, sources, &mut found);
    found.into_sorted().into_iter().for_each(|diagnostic| sink.push(diagnostic));
    evaluation.sound.then_some(evaluation.declarations)
}

/// The settings of the table.
pub(crate) fn defaults(declarations: &Declarations) -> Option<Defaults> {
    policy::defaults(declarations.blocks.first()?)
}

/// The default of an attribute of a setting of policies, as `defaults.mesh` of the standard library has it.
#[must_use]
pub fn written(setting: &str, attribute: &str) -> Option<String> {
    let mut sources = SourceMap::default();
    let id = sources.add(NAME, meshc_stdlib::DEFAULTS);
    let file = lang_syntax::parse(id, meshc_stdlib::DEFAULTS, &mut Sink::default());
    let policy = file.items.iter().find_map(as_block)?;
    let block = policy.body.iter().filter_map(as_block).find(|block| block.kind.value == setting)?;
    let value = block.body.iter().find_map(|item| match item {
        Item::Attribute(written) if written.name.value == attribute => Some(&written.value),
        Item::Attribute(_) | Item::Block(_) | Item::Form(_) => None,
    })?;
    sources.text(value.span).map(str::to_owned)
}

fn as_block(item: &Item) -> Option<&Block> {
    match item {
        Item::Block(block) => Some(block),
        Item::Attribute(_) | Item::Form(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use lang_evaluate::schema::Presence;

    use super::*;

    #[test]
    fn the_table_of_defaults_is_complete() {
        let mut sink = Sink::default();
        let declared = declarations(&mut SourceMap::default(), &mut sink);
        assert_eq!(sink.diagnostics(), []);
        assert!(declared.is_some_and(|declared| defaults(&declared).is_some()));
    }

    #[test]
    fn every_inherited_attribute_is_in_the_table() {
        for nested in policy::SETTINGS {
            for attribute in nested.kind.attributes {
                if matches!(attribute.presence, Presence::Inherited) {
                    let said = written(nested.kind.word, attribute.name);
                    assert!(said.is_some(), "{} in {}", attribute.name, nested.kind.word);
                }
            }
        }
    }
}
