//! `defaults`: what the blocks below have that do not say so themselves. The nearest wins.

use std::collections::BTreeMap;

use lang_diagnostics::{Copied, CopyKind, Diagnostic, Sink, SourceMap, Span, suggest_word};
use lang_evaluate::schema::{Count, Kind, Label, Schema};
use lang_syntax::ast::{self, Block, Item};

use super::copy::Copier;
use super::unused::{self, Taken};
use super::{Name, as_block, as_block_mut, has_attribute};
use crate::codes;
use crate::items::DEFAULTS;
use crate::modules::list;
use crate::principal::below;

/// The defaults of the whole mesh, and of each block that has some.
#[derive(Default)]
struct Levels {
    mesh: Vec<Item>,
    of: BTreeMap<Name, Vec<Item>>,
}

/// Fills in what blocks do not say.
pub(super) fn apply(files: &mut [ast::File], schema: Schema, sources: &mut SourceMap, sink: &mut Sink) {
    let mut levels = Levels::default();
    for file in files.iter_mut() {
        take(&mut file.items, schema.file, None, &mut levels, sink);
    }
    let mut kept: Vec<(&mut Vec<Item>, &'static Kind)> = vec![(&mut levels.mesh, schema.file)];
    for (name, items) in &mut levels.of {
        if let Some(nested) = schema.file.block(&name.kind) {
            kept.push((items, nested.kind));
        }
    }
    for (items, kind) in kept {
        check(items, kind, sink);
        said_once(items, sink);
        specific_first(items);
    }
    let mut filler = Filler { levels: &levels, sources, around: Vec::new(), taken: Taken::new() };
    for block in files.iter_mut().flat_map(|file| &mut file.items).filter_map(as_block_mut) {
        if let Some(nested) = schema.file.block(&block.kind.value) {
            filler.fill(block, nested.kind, &[&levels.mesh]);
        }
    }
    let taken = filler.taken;
    unused::check(&levels.mesh, schema.file, &taken, schema, sources, sink);
    for (name, items) in &levels.of {
        if let Some(nested) = schema.file.block(&name.kind) {
            unused::check(items, nested.kind, &taken, schema, sources, sink);
        }
    }
}

/// Takes `defaults` out of items and into their level.
fn take(
    items: &mut Vec<Item>,
    kind: &'static Kind,
    around: Option<&Name>,
    levels: &mut Levels,
    sink: &mut Sink,
) {
    let mut rest = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        match item {
            Item::Block(block) if block.kind.value == DEFAULTS && kind.block(DEFAULTS).is_none() => {
                let level = match around {
                    None => &mut levels.mesh,
                    Some(name) => levels.of.entry(name.clone()).or_default(),
                };
                if let Some(label) = &block.label {
                    sink.push(
                        Diagnostic::error(codes::NO_SUCH_DEFAULT, label.span, "`defaults` has no name")
                            .label("a name is not possible here")
                            .help("the kind stands inside: `defaults { service { … } }`"),
                    );
                }
                level.extend(block.body);
            }
            Item::Block(mut block) => {
                if let Some(nested) = kind.block(&block.kind.value) {
                    let name = Name::of(&block);
                    let level = match (around, nested.count) {
                        (Some(_), _) => Err(()),
                        // There is one of it, so what it says is about the whole mesh.
                        (None, Count::One) => Ok(None),
                        (None, _) if !nested.kind.blocks.is_empty() && nested.kind.space.is_some() => {
                            Ok(Some(&name))
                        }
                        (None, _) => Err(()),
                    };
                    match level {
                        Ok(level) => take_here(&mut block, nested.kind, level, levels, sink),
                        Err(()) => refuse(&mut block, sink),
                    }
                }
                rest.push(Item::Block(block));
            }
            other @ (Item::Attribute(_) | Item::Form(_)) => rest.push(other),
        }
    }
    *items = rest;
}

/// Takes the `defaults` right in a block; deeper ones are refused.
fn take_here(
    block: &mut Block,
    kind: &'static Kind,
    level: Option<&Name>,
    levels: &mut Levels,
    sink: &mut Sink,
) {
    let (own, mut rest): (Vec<Item>, Vec<Item>) = std::mem::take(&mut block.body)
        .into_iter()
        .partition(|item| as_block(item).is_some_and(|inner| inner.kind.value == DEFAULTS));
    let mut own = own;
    take(&mut own, kind, level, levels, sink);
    rest.iter_mut().filter_map(as_block_mut).for_each(|inner| refuse(inner, sink));
    block.body = rest;
}

/// Reports `defaults` where it is not possible, and leaves it out.
fn refuse(block: &mut Block, sink: &mut Sink) {
    block.body.retain(|item| {
        let Some(inner) = as_block(item).filter(|inner| inner.kind.value == DEFAULTS) else { return true };
        let message = format!("`{}` does not accept `defaults`", block.kind.value);
        sink.push(
            Diagnostic::error(codes::NO_SUCH_DEFAULT, inner.kind.span, message)
                .label("not possible here")
                .help("it stands in a file, a `mesh`, a `cluster` or a `namespace`"),
        );
        false
    });
    block.body.iter_mut().filter_map(as_block_mut).for_each(|inner| refuse(inner, sink));
}

/// Reports what the kinds of a level do not take.
fn check(items: &[Item], kind: &'static Kind, sink: &mut Sink) {
    for item in items {
        match item {
            Item::Attribute(attribute) => sink.push(
                Diagnostic::error(codes::NO_SUCH_DEFAULT, attribute.name.span, "`defaults` has blocks only")
                    .label("not a block")
                    .help(format!(
                        "write it inside of its kind: `service {{ {} = … }}`",
                        attribute.name.value
                    )),
            ),
            Item::Block(block) => {
                let mut kinds = Vec::new();
                below(kind, &block.kind.value, &mut kinds);
                if kinds.is_empty() {
                    let place = if kind.word.is_empty() {
                        String::from("a mesh")
                    } else {
                        format!("`{}`", kind.word)
                    };
                    let message = format!("{place} contains no `{}`", block.kind.value);
                    let diagnostic = Diagnostic::error(codes::NO_SUCH_DEFAULT, block.kind.span, message)
                        .label("no such kind");
                    let mut words = Vec::new();
                    all_words(kind, &mut words);
                    sink.push(match suggest_word(&block.kind.value, words.iter().copied()) {
                        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                        None => diagnostic.help("`lang/REFERENCE.md` lists the kinds"),
                    });
                }
                check_block(block, &kinds, sink);
            }
            Item::Form(_) => {}
        }
    }
}

fn all_words(kind: &'static Kind, words: &mut Vec<&'static str>) {
    for nested in kind.blocks {
        if !words.contains(&nested.kind.word) {
            words.push(nested.kind.word);
            all_words(nested.kind, words);
        }
    }
}

fn check_block(block: &Block, kinds: &[&'static Kind], sink: &mut Sink) {
    if kinds.is_empty() {
        return;
    }
    for item in &block.body {
        let (written, inner) = match item {
            Item::Attribute(attribute) => (&attribute.name, None),
            Item::Block(inner) => (&inner.kind, Some(inner)),
            Item::Form(_) => continue,
        };
        let nested: Vec<&'static Kind> =
            kinds.iter().filter_map(|kind| kind.block(&written.value)).map(|nested| nested.kind).collect();
        let known = match inner {
            None => kinds.iter().any(|kind| kind.attribute(&written.value).is_some()),
            Some(_) => !nested.is_empty(),
        };
        if known {
            if let Some(inner) = inner {
                check_block(inner, &nested, sink);
            }
            continue;
        }
        let message = format!("`{}` does not accept `{}`", block.kind.value, written.value);
        let diagnostic =
            Diagnostic::error(codes::NO_SUCH_DEFAULT, written.span, message).label("not accepted here");
        let words: Vec<&str> = kinds
            .iter()
            .flat_map(|kind| {
                let blocks = kind.blocks.iter().map(|nested| nested.kind.word);
                kind.attributes.iter().map(|attribute| attribute.name).chain(blocks)
            })
            .collect();
        sink.push(match suggest_word(&written.value, words.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("it takes {}", list(&words))),
        });
    }
}

/// Reports what one level says twice.
fn said_once(items: &[Item], sink: &mut Sink) {
    let mut seen = BTreeMap::new();
    said(items, &mut Vec::new(), &mut seen, sink);
}

fn said(
    items: &[Item],
    way: &mut Vec<Name>,
    seen: &mut BTreeMap<(Vec<Name>, String), Span>,
    sink: &mut Sink,
) {
    for item in items {
        match item {
            Item::Attribute(attribute) => {
                let name = &attribute.name;
                if let Some(first) = seen.insert((way.clone(), name.value.clone()), name.span) {
                    sink.push(
                        Diagnostic::error(
                            codes::SAID_TWICE,
                            name.span,
                            format!("there are two defaults of `{}`", name.value),
                        )
                        .label("the second one")
                        .also(first, "the first one")
                        .help("keep one of the two"),
                    );
                }
            }
            Item::Block(block) => {
                way.push(Name::of(block));
                said(&block.body, way, seen, sink);
                way.pop();
            }
            Item::Form(_) => {}
        }
    }
}

/// Puts blocks with a label before those that are about all of their kind.
fn specific_first(items: &mut [Item]) {
    items.sort_by_key(|item| as_block(item).is_none_or(|block| block.label.is_none()));
    items.iter_mut().filter_map(as_block_mut).for_each(|block| specific_first(&mut block.body));
}

struct Filler<'a, 's> {
    levels: &'a Levels,
    sources: &'s mut SourceMap,
    /// The blocks around what is filled.
    around: Vec<Name>,
    taken: Taken,
}

impl<'a> Filler<'a, '_> {
    /// Fills a block and what is in it from levels, the nearest first.
    fn fill(&mut self, block: &mut Block, kind: &'static Kind, levels: &[&'a Vec<Item>]) {
        let name = Name::of(block);
        self.around.push(name.clone());
        for level in levels {
            for default in level.iter().filter_map(as_block) {
                let fits =
                    default.label.as_ref().is_none_or(|label| name.label.as_ref() == Some(&label.value));
                if default.kind.value == name.kind && fits {
                    self.merge(block, kind, default);
                }
            }
        }
        let own = self.levels.of.get(&name).filter(|_| self.around.len() == 1);
        let levels: Vec<&Vec<Item>> = own.into_iter().chain(levels.iter().copied()).collect();
        for inner in block.body.iter_mut().filter_map(as_block_mut) {
            if let Some(nested) = kind.block(&inner.kind.value) {
                self.fill(inner, nested.kind, &levels);
            }
        }
        self.around.pop();
    }

    fn merge(&mut self, block: &mut Block, kind: &'static Kind, default: &Block) {
        let at = block.label.as_ref().map_or(block.kind.span, |label| label.span);
        let of = default.kind.span.file;
        let shown = self.around.last().map(Name::shown).unwrap_or_default();
        let name = format!("a default of {shown}");
        let mut copy = None;
        self.merge_into(block, kind, default, &mut |sources| {
            *copy.get_or_insert_with(|| {
                sources.copy(Copied { of, kind: CopyKind::Default, name: name.as_str().into(), at })
            })
        });
    }

    fn merge_into(
        &mut self,
        block: &mut Block,
        kind: &'static Kind,
        default: &Block,
        copy: &mut dyn FnMut(&mut SourceMap) -> lang_diagnostics::FileId,
    ) {
        let of = default.kind.span.file;
        for item in &default.body {
            match item {
                Item::Attribute(attribute) => {
                    let name = &attribute.name.value;
                    if kind.attribute(name).is_some() && !has_attribute(&block.body, name) {
                        let copier = Copier { of, file: copy(self.sources), around: &self.around };
                        block.body.push(Item::Attribute(copier.attribute(attribute)));
                        self.taken.insert(attribute.name.span);
                    }
                }
                Item::Block(inner) => {
                    let Some(nested) = kind.block(&inner.kind.value) else { continue };
                    let of_kind = |other: &Block| other.kind.value == inner.kind.value;
                    let mut any = false;
                    for own in block.body.iter_mut().filter_map(as_block_mut).filter(|own| of_kind(own)) {
                        any = true;
                        let same = inner.label.as_ref().is_none_or(|label| {
                            own.label.as_ref().is_some_and(|other| other.value == label.value)
                        });
                        if same {
                            self.merge_into(own, nested.kind, inner, copy);
                        }
                    }
                    if !any && may_stand(inner, nested.kind) {
                        let copier = Copier { of, file: copy(self.sources), around: &self.around };
                        block.body.push(Item::Block(copier.block(inner)));
                        unused::take_all(inner, &mut self.taken);
                    }
                }
                Item::Form(_) => {}
            }
        }
    }
}

/// Whether a default block is one itself: one without the name that its kind needs is only about those that are there.
fn may_stand(block: &Block, kind: &Kind) -> bool {
    match kind.label {
        Label::None | Label::Optional(_) => true,
        Label::Required(_) | Label::Symbol(_) | Label::Reference(_) => block.label.is_some(),
    }
}
