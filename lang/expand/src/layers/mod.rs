//! What is weaker and stronger than plain declarations: defaults fill in what a block does not say, overrides change it.

mod copy;
mod defaults;
mod overrides;
mod unused;

use lang_diagnostics::{Sink, SourceMap};
use lang_evaluate::schema::Schema;
use lang_syntax::ast::{self, Block, Item};

/// Works defaults and overrides into what files declare.
pub(crate) fn apply(
    mut files: Vec<ast::File>,
    schema: Schema,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Vec<ast::File> {
    defaults::apply(&mut files, schema, sources, sink);
    overrides::apply(&mut files, sink);
    files
}

/// The kind and the label of a block: what two declarations of one thing have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    kind: String,
    label: Option<String>,
}

impl Name {
    fn of(block: &Block) -> Self {
        Self { kind: block.kind.value.clone(), label: block.label.as_ref().map(|label| label.value.clone()) }
    }

    /// What a message calls it.
    fn shown(&self) -> String {
        match &self.label {
            Some(label) => format!("{} `{label}`", self.kind),
            None => format!("`{}`", self.kind),
        }
    }
}

fn as_block(item: &Item) -> Option<&Block> {
    match item {
        Item::Block(block) => Some(block),
        Item::Attribute(_) | Item::Form(_) => None,
    }
}

fn as_block_mut(item: &mut Item) -> Option<&mut Block> {
    match item {
        Item::Block(block) => Some(block),
        Item::Attribute(_) | Item::Form(_) => None,
    }
}

fn has_attribute(items: &[Item], name: &str) -> bool {
    items.iter().any(|item| match item {
        Item::Attribute(attribute) => attribute.name.value == name,
        Item::Block(_) | Item::Form(_) => false,
    })
}
