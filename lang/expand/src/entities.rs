//! What is declared, for loops over kinds such as `clusters`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use lang_evaluate::schema::{Kind, Schema};
use lang_syntax::ast::{self, Block, Item, Value};

/// Something that is declared.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// The word of its kind.
    pub(crate) kind: &'static str,
    /// The names that lead to it from anywhere.
    pub(crate) path: Vec<String>,
    /// What is written in it.
    pub(crate) attributes: BTreeMap<String, Value>,
}

/// What is declared of each kind, ordered by name.
pub(crate) type Entities = BTreeMap<&'static str, Vec<Rc<Declared>>>;

/// The kinds of things that have names, with the word for all of them: `clusters`, `cluster`.
pub(crate) fn plurals(schema: Schema) -> Vec<(String, &'static str)> {
    let mut kinds = Vec::new();
    collect(schema.file, &mut kinds);
    kinds
}

fn collect(kind: &'static Kind, kinds: &mut Vec<(String, &'static str)>) {
    for nested in kind.blocks {
        let word = nested.kind.word;
        if nested.kind.space.is_some() && kinds.iter().all(|(_, known)| *known != word) {
            kinds.push((plural(word), word));
            collect(nested.kind, kinds);
        }
    }
}

fn plural(word: &str) -> String {
    let vowel = |stem: &&str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match word.strip_suffix('y').filter(|stem| !vowel(stem)) {
        Some(stem) => format!("{stem}ies"),
        None if word.ends_with("sh") || word.ends_with('s') => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// The kind that a plural is the word for.
pub(crate) fn plural_of(schema: Schema, word: &str) -> Option<&'static str> {
    plurals(schema).into_iter().find(|(plural, _)| plural == word).map(|(_, kind)| kind)
}

/// What files declare.
pub(crate) fn declared(files: &[Arc<ast::File>], schema: Schema) -> Entities {
    let mut entities: BTreeMap<&'static str, BTreeMap<Vec<String>, BTreeMap<String, Value>>> =
        BTreeMap::new();
    for file in files {
        walk(&file.items, schema.file, &[], &mut entities);
    }
    let list = |kind, found: BTreeMap<Vec<String>, BTreeMap<String, Value>>| {
        found.into_iter().map(|(path, attributes)| Rc::new(Declared { kind, path, attributes })).collect()
    };
    entities.into_iter().map(|(kind, found)| (kind, list(kind, found))).collect()
}

fn walk(
    items: &[Item],
    kind: &'static Kind,
    around: &[String],
    entities: &mut BTreeMap<&'static str, BTreeMap<Vec<String>, BTreeMap<String, Value>>>,
) {
    for block in items.iter().filter_map(as_block) {
        let Some(nested) = kind.block(&block.kind.value) else { continue };
        let Some(label) = block.label.as_ref().filter(|_| nested.kind.space.is_some()) else { continue };
        let path = [around, std::slice::from_ref(&label.value)].concat();
        let attributes = block.body.iter().filter_map(|item| match item {
            Item::Attribute(attribute) => Some((attribute.name.value.clone(), attribute.value.clone())),
            Item::Block(_) | Item::Form(_) => None,
        });
        let of_kind = entities.entry(nested.kind.word).or_default();
        of_kind.entry(path.clone()).or_default().extend(attributes);
        walk(&block.body, nested.kind, &path, entities);
    }
}

fn as_block(item: &Item) -> Option<&Block> {
    match item {
        Item::Block(block) => Some(block),
        Item::Attribute(_) | Item::Form(_) => None,
    }
}
