//! `override`: a value in the place of the one that is declared elsewhere.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Span, suggest};
use lang_syntax::ast::{self, Block, FormKind, Item};

use super::{Name, as_block, as_block_mut};
use crate::codes;
use crate::modules::list;

/// A change: where, and to what.
struct Change {
    /// The blocks around it.
    way: Vec<Name>,
    item: Item,
}

/// Makes all changes.
pub(super) fn apply(files: &mut [ast::File], sink: &mut Sink) {
    let mut changes = Vec::new();
    for file in files.iter_mut() {
        take(&mut file.items, &mut Vec::new(), &mut changes);
    }
    let mut made = BTreeMap::new();
    for change in changes {
        make(files, &change.way, change.item, &mut made, sink);
    }
}

/// Takes the changes out of items.
fn take(items: &mut Vec<Item>, way: &mut Vec<Name>, changes: &mut Vec<Change>) {
    let mut rest = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        match item {
            Item::Form(form) => {
                if let FormKind::Override(item) = form.kind {
                    changes.push(Change { way: way.clone(), item });
                }
            }
            Item::Block(mut block) => {
                way.push(Name::of(&block));
                take(&mut block.body, way, changes);
                way.pop();
                rest.push(Item::Block(block));
            }
            Item::Attribute(_) => rest.push(item),
        }
    }
    *items = rest;
}

/// Makes one change, or the changes in one block.
fn make(
    files: &mut [ast::File],
    way: &[Name],
    item: Item,
    made: &mut BTreeMap<(Vec<Name>, String), Span>,
    sink: &mut Sink,
) {
    match item {
        Item::Attribute(attribute) => {
            let name = attribute.name.clone();
            if let Some(first) = made.insert((way.to_vec(), name.value.clone()), name.span) {
                sink.push(
                    Diagnostic::error(
                        codes::SAID_TWICE,
                        name.span,
                        format!("`{}` is overridden twice", name.value),
                    )
                    .label("overridden again")
                    .also(first, "overridden here")
                    .help("keep one of the two"),
                );
                return;
            }
            let same = |item: &Item| match item {
                Item::Attribute(other) => other.name.value == name.value,
                Item::Block(_) | Item::Form(_) => false,
            };
            let mut place = Some(Item::Attribute(attribute));
            // It may be in any of the places where a namespace is opened.
            in_bodies(files, way, &mut |body| {
                if place.is_some()
                    && let Some(own) = body.iter_mut().find(|item| same(item))
                {
                    *own = place.take().unwrap_or_else(|| own.clone());
                }
            });
            in_bodies(files, way, &mut |body| body.extend(place.take()));
        }
        Item::Block(block) => {
            let name = Name::of(&block);
            let (mut there, mut others) = (false, Vec::new());
            in_bodies(files, way, &mut |body| {
                for own in body.iter().filter_map(as_block).map(Name::of) {
                    there |= own == name;
                    others.extend((own.kind == name.kind).then_some(own.label).flatten());
                }
            });
            if there {
                let way = [way, std::slice::from_ref(&name)].concat();
                for inner in block.body {
                    make(files, &way, inner, made, sink);
                }
            } else if name.label.is_none() && !way.is_empty() {
                let mut block = Some(Item::Block(block));
                in_bodies(files, way, &mut |body| body.extend(block.take()));
            } else {
                sink.push(nothing_there(&block, &name, &others));
            }
        }
        Item::Form(form) => {
            if let FormKind::Override(inner) = form.kind {
                make(files, way, inner, made, sink);
            }
        }
    }
}

fn nothing_there(block: &Block, name: &Name, others: &[String]) -> Diagnostic {
    let span = block.label.as_ref().map_or(block.kind.span, |label| label.span);
    let message = format!("there is no {} to override", name.shown());
    let diagnostic = Diagnostic::error(codes::NOTHING_TO_OVERRIDE, span, message).label("not declared");
    let label = name.label.as_deref().unwrap_or_default();
    let names: Vec<&str> = others.iter().map(String::as_str).collect();
    match suggest(label, names.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => diagnostic.help("leave `override` out to declare it"),
        None => diagnostic.help(format!("there is {}", list(&names))),
    }
}

/// Visits the bodies of all blocks that a way leads to.
fn in_bodies(files: &mut [ast::File], way: &[Name], visit: &mut dyn FnMut(&mut Vec<Item>)) {
    for file in files {
        descend(&mut file.items, way, visit);
    }
}

fn descend(items: &mut Vec<Item>, way: &[Name], visit: &mut dyn FnMut(&mut Vec<Item>)) {
    let Some((first, rest)) = way.split_first() else { return visit(items) };
    for block in items.iter_mut().filter_map(as_block_mut) {
        if Name::of(block) == *first {
            descend(&mut block.body, rest, visit);
        }
    }
}
