//! The words of the language, from the schema, and which of them a text uses.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{FileId, Sink};
use lang_evaluate::schema::{Attribute, Kind, Tag, Type};
use lang_syntax::ast::{self, Item, ValueKind};
use meshc_vocabulary::SCHEMA;

/// Every kind with the words on the way to it. One that belongs in several places has the first one.
pub(crate) struct Schema {
    kinds: Vec<&'static Kind>,
    paths: BTreeMap<usize, String>,
}

fn key(kind: &'static Kind) -> usize {
    std::ptr::from_ref(kind).addr()
}

impl Schema {
    pub(crate) fn new() -> Self {
        let mut schema = Self { kinds: vec![SCHEMA.file], paths: BTreeMap::new() };
        schema.paths.insert(key(SCHEMA.file), String::new());
        // Tests change nothing that a proxy does; `lang/TESTING.md` shows each of their words.
        for nested in SCHEMA.file.blocks.iter().filter(|nested| nested.kind.word != "test") {
            schema.add(nested.kind, "");
        }
        schema
    }

    fn add(&mut self, kind: &'static Kind, around: &str) {
        let path = format!("{around}{}", kind.word);
        if self.paths.contains_key(&key(kind)) {
            return;
        }
        self.paths.insert(key(kind), path.clone());
        self.kinds.push(kind);
        for nested in kind.blocks {
            self.add(nested.kind, &format!("{path}."));
        }
    }

    fn path(&self, kind: &'static Kind) -> &str {
        self.paths.get(&key(kind)).map_or("", String::as_str)
    }

    /// Every block as `namespace.service`, every attribute as `namespace.service clusters`, and every attribute behind a word
    /// of one as `trust issuer.files.directory`.
    pub(crate) fn words(&self) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        for kind in self.kinds.iter().filter(|kind| !kind.word.is_empty()) {
            let path = self.path(kind);
            words.insert(path.to_owned());
            attributes(path, ' ', kind.attributes, &mut words);
        }
        words
    }

    /// Those of them that a text uses. A part of a mesh counts with what it is in every kind of block that accepts it.
    pub(crate) fn shown(&self, text: &str) -> BTreeSet<String> {
        let file = lang_syntax::parse(FileId(0), text, &mut Sink::default());
        let fitting: Vec<_> =
            self.kinds.iter().filter_map(|kind| Used::new(self).in_block(kind, &file.items)).collect();
        fitting.into_iter().reduce(|one, other| &one & &other).unwrap_or_default()
    }
}

fn attributes(path: &str, sign: char, listed: &[Attribute], words: &mut BTreeSet<String>) {
    for attribute in listed {
        let path = format!("{path}{sign}{}", attribute.name);
        values(&path, &attribute.ty, words);
        words.insert(path);
    }
}

fn values(path: &str, ty: &Type, words: &mut BTreeSet<String>) {
    for ty in flat(ty) {
        if let Type::Record(listed) = ty {
            attributes(path, '.', listed, words);
        }
        if let Type::Tagged(tags) = ty {
            for Tag { word, attributes: listed, .. } in *tags {
                attributes(&format!("{path}.{word}"), '.', listed, words);
            }
        }
    }
}

/// A type, or those that it is made of.
fn flat(ty: &Type) -> Vec<&Type> {
    let mut found = Vec::new();
    for part in ty.parts() {
        if let Type::Map { of, .. } = part {
            found.extend(flat(of));
        } else {
            found.push(part);
        }
    }
    found
}

/// What is used so far.
struct Used<'s> {
    schema: &'s Schema,
    words: BTreeSet<String>,
}

impl<'s> Used<'s> {
    const fn new(schema: &'s Schema) -> Self {
        Self { schema, words: BTreeSet::new() }
    }

    /// What these items use as the content of a block, or `None` if it does not accept one of them.
    fn in_block(mut self, kind: &'static Kind, items: &[Item]) -> Option<BTreeSet<String>> {
        (!items.is_empty() && self.accepts(kind, items)).then_some(self.words)
    }

    fn accepts(&mut self, kind: &'static Kind, items: &[Item]) -> bool {
        let path = self.schema.path(kind).to_owned();
        items.iter().all(|item| match item {
            Item::Block(block) => kind.block(&block.kind.value).is_some_and(|nested| {
                self.words.insert(self.schema.path(nested.kind).to_owned());
                match block.body.as_slice() {
                    [Item::Attribute(ast::Attribute { value, .. })] if block.short => {
                        self.principal(nested.kind, value)
                    }
                    body => self.accepts(nested.kind, body),
                }
            }),
            Item::Attribute(ast::Attribute { name, value, .. }) => match kind.attribute(&name.value) {
                Some(attribute) => {
                    let path = format!("{path} {}", attribute.name);
                    self.value(&path, &attribute.ty, value);
                    self.words.insert(path);
                    true
                }
                // A block that is written by its value.
                None => kind.block(&name.value).is_some_and(|nested| {
                    self.words.insert(self.schema.path(nested.kind).to_owned());
                    self.principal(nested.kind, value)
                }),
            },
            // What it stands for is elsewhere.
            Item::Form(_) => true,
        })
    }

    /// The value of the attribute that a block is about. Says whether its kind has one.
    fn principal(&mut self, kind: &'static Kind, value: &ast::Value) -> bool {
        let Some(attribute) = kind.principal_attribute() else { return false };
        let path = format!("{} {}", self.schema.path(kind), attribute.name);
        self.value(&path, &attribute.ty, value);
        self.words.insert(path);
        true
    }

    fn value(&mut self, path: &str, ty: &'static Type, value: &ast::Value) {
        match &value.kind {
            ValueKind::List(values) => values.iter().for_each(|value| self.value(path, ty, value)),
            ValueKind::Record(fields) => {
                for field in fields {
                    // A record with free names has values of one type, which `flat` has found already.
                    self.value(path, ty, &field.value);
                    let own = flat(ty).into_iter().find_map(|ty| {
                        if let Type::Record(listed) = ty {
                            listed.iter().find(|one| one.name == field.name.value)
                        } else {
                            None
                        }
                    });
                    if let Some(attribute) = own {
                        self.field(path, attribute, &field.value);
                    }
                }
            }
            ValueKind::Tagged(word, fields) => {
                let tag = flat(ty).into_iter().find_map(|ty| {
                    if let Type::Tagged(tags) = ty {
                        tags.iter().find(|tag| tag.word == word.value)
                    } else {
                        None
                    }
                });
                for field in fields {
                    let attributes = tag.map(|tag| tag.attributes).unwrap_or_default();
                    if let Some(attribute) = attributes.iter().find(|one| one.name == field.name.value) {
                        self.field(&format!("{path}.{}", word.value), attribute, &field.value);
                    }
                }
            }
            ValueKind::Path(_)
            | ValueKind::Boolean(_)
            | ValueKind::String(_)
            | ValueKind::Literal(_)
            | ValueKind::Group(_)
            | ValueKind::If(_)
            | ValueKind::Logic(..)
            | ValueKind::Not(_)
            | ValueKind::Compare(..)
            | ValueKind::Spread(_)
            | ValueKind::In(..)
            | ValueKind::Arrow(..)
            | ValueKind::Invalid => {}
        }
    }

    fn field(&mut self, path: &str, attribute: &'static Attribute, value: &ast::Value) {
        let path = format!("{path}.{}", attribute.name);
        self.value(&path, &attribute.ty, value);
        self.words.insert(path);
    }
}
