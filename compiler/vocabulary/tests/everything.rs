//! The schema and its conversions agree: what may be written is read, and the order of declarations means nothing.
//!
//! All of it is shown on `tests/golden/model/no-mistake-everything`, which writes every attribute with a value that is
//! not its default.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test reads its mesh from the disk and stops where it is not what it expects"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use lang_diagnostics::{Sink, SourceMap};
use lang_evaluate::schema::{Kind, Part, Rule, Type};
use lang_expand::{StandardLibrary, expand_text};
use lang_syntax::ast::{File, Item};
use meshc_vocabulary::SCHEMA;

fn everything() -> File {
    let case = "../../tests/golden/model/no-mistake-everything/mesh.mesh";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(case);
    let text = std::fs::read_to_string(path).expect("the case is there");
    let mut sources = SourceMap::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let tree = lang_syntax::parse(id, &text, &mut Sink::default());
    // `assert` stands for a block.
    let mut trees = expand_text(tree, SCHEMA, StandardLibrary(&[]), &mut sources, &mut Sink::default());
    assert_eq!(trees.len(), 1, "it uses no other file");
    Arc::unwrap_or_clone(trees.remove(0))
}

/// The model of a tree as text, places included; nothing if there is none.
fn model(file: &File) -> Option<String> {
    let mut sources = SourceMap::default();
    sources.add("mesh.mesh", "");
    let files = std::slice::from_ref(file);
    let declared = meshc_vocabulary::declare(files, &mut sources, &mut Sink::default());
    let (model, tests) = meshc_vocabulary::model(&declared, &mut Sink::default())?;
    Some(format!("{model:?} {:?}", tests.map(|tests| tests.tests)))
}

/// The ways to all items of a tree that satisfy a condition, and the words on each way.
fn ways(items: &[Item], take: fn(&Item) -> bool) -> Vec<(Vec<usize>, Vec<String>)> {
    let mut found = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let word = match item {
            Item::Block(block) => block.kind.value.clone(),
            Item::Attribute(attribute) => attribute.name.value.clone(),
            Item::Form(_) => String::from("a form"),
        };
        if take(item) {
            found.push((vec![index], vec![word.clone()]));
        }
        if let Item::Block(block) = item {
            for (way, words) in ways(&block.body, take) {
                found.push((
                    [&[index], way.as_slice()].concat(),
                    [std::slice::from_ref(&word), words.as_slice()].concat(),
                ));
            }
        }
    }
    found
}

fn remove(items: &mut Vec<Item>, way: &[usize]) {
    match way {
        [] => {}
        [last] => {
            items.remove(*last);
        }
        [first, rest @ ..] => {
            if let Item::Block(block) = &mut items[*first] {
                remove(&mut block.body, rest);
            }
        }
    }
}

/// `word › attribute` of everything that the schema knows, with all words on the way.
fn known(kind: &Kind, around: &[String], found: &mut BTreeSet<Vec<String>>) {
    for attribute in kind.attributes {
        found.insert([around, &[attribute.name.to_owned()]].concat());
    }
    for nested in kind.blocks {
        known(nested.kind, &[around, &[nested.kind.word.to_owned()]].concat(), found);
    }
}

fn is_attribute(item: &Item) -> bool {
    matches!(item, Item::Attribute(_))
}

#[test]
fn the_case_writes_every_attribute_of_the_schema() {
    let written: BTreeSet<(String, String)> =
        ways(&everything().items, is_attribute).into_iter().map(|(_, words)| ends(&words)).collect();
    let mut all = BTreeSet::new();
    known(SCHEMA.file, &[], &mut all);
    let missing: Vec<_> =
        all.iter().map(|words| ends(words)).filter(|ends| !written.contains(ends)).collect();
    assert_eq!(missing, []);
}

/// The block's word and the attribute's name; the same kind in several places needs to be written once.
fn ends(words: &[String]) -> (String, String) {
    let block = words.len().checked_sub(2).map(|index| words[index].clone());
    (block.unwrap_or_default(), words[words.len() - 1].clone())
}

/// An attribute that no conversion reads could be removed without any difference.
#[test]
fn every_written_item_makes_a_difference() {
    let file = everything();
    let whole = model(&file).expect("the case has no mistake");
    let mut idle = Vec::new();
    for (way, words) in ways(&file.items, |_| true) {
        let mut less = file.clone();
        remove(&mut less.items, &way);
        // Removing what is required leaves no model, which is a difference as well.
        if model(&less).is_some_and(|model| model == whole) {
            idle.push(words.join(" › "));
        }
    }
    // It names the only `trust` that there may be, so that a reader sees it and a wrong name is found.
    assert_eq!(idle, ["mesh › trust"]);
}

#[test]
fn the_order_of_declarations_means_nothing() {
    let file = everything();
    let whole = model(&file).expect("the case has no mistake");
    let mut reversed = file.clone();
    reversed.items.reverse();
    for item in &mut reversed.items {
        let Item::Block(block) = item else { continue };
        block.body.reverse();
        for item in &mut block.body {
            let Item::Block(inner) = item else { continue };
            // Attributes have no order anywhere; ports and rules keep theirs.
            let (attributes, blocks): (Vec<_>, Vec<_>) = inner.body.drain(..).partition(is_attribute);
            inner.body = blocks.into_iter().chain(attributes.into_iter().rev()).collect();
        }
    }
    assert_ne!(file, reversed);
    assert_eq!(model(&reversed).as_deref(), Some(whole.as_str()));
}

/// Every kind.
fn kinds() -> Vec<&'static Kind> {
    let mut found: Vec<&'static Kind> = vec![SCHEMA.file];
    let mut at = 0;
    while let Some(kind) = found.get(at) {
        for nested in kind.blocks {
            if !found.iter().any(|known| std::ptr::eq(*known, nested.kind)) {
                found.push(nested.kind);
            }
        }
        at += 1;
    }
    found
}

#[test]
fn what_a_kind_is_about_is_one_of_its_attributes_and_no_other_is_taken_for_the_block() {
    let mut principals = 0;
    for kind in kinds() {
        if let Some(principal) = kind.principal {
            principals += 1;
            let attribute = kind.attribute(principal.text());
            let attribute = attribute.unwrap_or_else(|| panic!("`{}` has no `{principal}`", kind.word));
            // Braces are those of the block.
            let record = matches!(attribute.ty, Type::Record(_) | Type::Map { .. });
            assert!(!record, "`{}` takes a record as `{principal}`", kind.word);
        }
        for nested in kind.blocks {
            // `redirect = https` is an attribute of a rule, and `redirect { … }` a block in it.
            let both = kind.attribute(nested.kind.word).is_some();
            assert!(
                !both || nested.kind.principal.is_none(),
                "`{} = …` may mean two things",
                nested.kind.word
            );
        }
    }
    assert!(principals > 20, "{principals}");
}

/// A relation that names what its kind does not have would hold always, and nobody would notice.
#[test]
fn relations_are_about_what_their_kinds_have() {
    let (mut open, mut seen, mut wrong, mut count) = (vec![SCHEMA.file], Vec::new(), Vec::new(), 0);
    while let Some(kind) = open.pop() {
        if seen.iter().any(|other| std::ptr::eq(*other, kind)) {
            continue;
        }
        seen.push(kind);
        open.extend(kind.blocks.iter().map(|nested| nested.kind));
        for relation in kind.relations {
            count += 1;
            let parts: Vec<Part> = match &relation.rule {
                Rule::Requires(part, others) | Rule::Excludes(part, others) => [&[*part], *others].concat(),
                Rule::AtLeastOne(parts) | Rule::AtMostOne(parts) | Rule::ExactlyOne(parts) => parts.to_vec(),
                Rule::NotGreater { least, otherwise: _, most } => {
                    [*least, *most].map(Part::Attribute).to_vec()
                }
            };
            let known = parts.len() > 1 && parts.iter().all(|part| has(kind, *part));
            if !known {
                wrong.push(format!("{}: {}", kind.word, relation.rule.describe()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count > 60, "{count} relations");
}

fn has(kind: &Kind, part: Part) -> bool {
    match part {
        Part::Attribute(name) => kind.attribute(name.text()).is_some(),
        Part::Block(word) => kind.block(word).is_some(),
        Part::Is(name, word) => kind.attribute(name.text()).is_some_and(|attribute| {
            attribute.ty.alternatives().into_iter().any(|ty| {
                if let Type::Symbol(symbols) = ty {
                    symbols.iter().any(|symbol| symbol.word == word)
                } else if let Type::Tagged(tags) = ty {
                    tags.iter().any(|tag| tag.word == word)
                } else {
                    false
                }
            })
        }),
        Part::Flag(name, _) => {
            kind.attribute(name.text()).is_some_and(|attribute| matches!(attribute.ty, Type::Boolean))
        }
    }
}
