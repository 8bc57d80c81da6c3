//! What a name stands for, and everywhere that it is named: definition, references and rename rest on this.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lang_diagnostics::{FileId, SourceMap, Span};
use lang_evaluate::{Block, Declarations, EntityId};
use lang_syntax::ast::{Source, Value, ValueKind};

use crate::scopes::{Binder, Binding, Meaning};
use crate::text::{Text, touches};
use crate::view::View;
use crate::walk::{self, Visitor};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// Something declared. Several, where a template declares it several times.
    Entities(Vec<EntityId>),
    /// What a file gives a name to: the file, and where the name is.
    Binding(FileId, Span),
    /// A module as a whole.
    Module(FileId),
}

/// A place in a file of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occurrence {
    pub(crate) span: Span,
    pub(crate) declares: bool,
}

/// What is named at a place of a document, and where that name is in its text.
pub(crate) fn at(view: &View<'_>, offset: usize) -> Option<(Span, Symbol)> {
    let file = view.file()?;
    if let Some((span, meaning)) = view.text.scopes().at(offset)
        && let Some(symbol) = meant(view, file, view.path, view.text, &meaning)
    {
        return Some((Span { file, ..span }, symbol));
    }
    let (declarations, sources) = (view.declarations()?, view.sources()?);
    let mut found: Vec<(Span, EntityId)> = Vec::new();
    let mut look = |span: Span, entity: EntityId| {
        let span = sources.original(span);
        if span.file == file && touches(span, offset) {
            found.push((span, entity));
        }
    };
    declarations.mentions().iter().for_each(|mention| look(mention.span, mention.entity));
    labels(&declarations.blocks, &mut look);
    // What stands for a variable covers more than a name.
    let (shortest, _) = found.iter().min_by_key(|(span, _)| span.end - span.start).copied()?;
    let entities: BTreeSet<EntityId> =
        found.into_iter().filter(|(span, _)| *span == shortest).map(|(_, entity)| entity).collect();
    Some((shortest, Symbol::Entities(entities.into_iter().collect())))
}

/// The labels that declare or open an entity.
pub(crate) fn labels(blocks: &[Block], look: &mut dyn FnMut(Span, EntityId)) {
    for block in blocks {
        if let (Some(label), Some(entity)) = (&block.label, block.entity) {
            look(label.span, entity);
        }
        labels(block.inner(), look);
    }
}

/// The symbol of what a name of a file stands for.
fn meant(view: &View<'_>, file: FileId, path: &Path, text: &Text, meaning: &Meaning) -> Option<Symbol> {
    match meaning {
        Meaning::Own(index) => {
            let binding = text.scopes().bindings.get(*index)?;
            match (binding.binder, &binding.from) {
                // The name of a module that has no other one here is its own.
                (Binder::Module, Some((source, _))) if names_source(source, binding.span) => {
                    module(view, path, source).map(Symbol::Module)
                }
                _ => Some(Symbol::Binding(file, Span { file, ..binding.span })),
            }
        }
        Meaning::Source(index) => {
            let (source, _) = text.scopes().bindings.get(*index)?.from.as_ref()?;
            module(view, path, source).map(Symbol::Module)
        }
        Meaning::Member(index, name, parameter) => {
            let (source, _) = text.scopes().bindings.get(*index)?.from.as_ref()?;
            let module = module(view, path, source)?;
            let there = Text::new(view.sources()?.get(module)?.text());
            let scopes = there.scopes();
            let own = scopes.bindings.iter().find(|binding| {
                binding.name == *name
                    && matches!(binding.binder, Binder::Let | Binder::Input | Binder::Template)
            })?;
            let span = match parameter {
                None => own.span,
                Some(parameter) => {
                    let mut all = own.parameters.iter().filter_map(|own| scopes.bindings.get(*own));
                    all.find(|binding| binding.name == *parameter)?.span
                }
            };
            Some(Symbol::Binding(module, Span { file: module, ..span }))
        }
    }
}

/// Whether a name is that of the source of a module itself.
fn names_source(source: &Source, span: Span) -> bool {
    match source {
        Source::File(file) => file.span == span,
        Source::Module(path) => path.segments.last().is_some_and(|last| last.span == span),
    }
}

/// The file that a `use` of another one takes in.
pub(crate) fn module(view: &View<'_>, from: &Path, source: &Source) -> Option<FileId> {
    let wanted = match source {
        Source::Module(path) => match path.segments.as_slice() {
            [_, name] => format!("std/{}.mesh", name.value),
            _ => return None,
        },
        Source::File(file) => beside(from, &file.value).to_str()?.to_owned(),
    };
    crate::world::files_of(view.sources()?).find(|(_, name)| *name == wanted).map(|(id, _)| id)
}

/// A path that is relative to the directory of a file.
fn beside(file: &Path, relative: &str) -> PathBuf {
    let mut path = file.parent().map(Path::to_path_buf).unwrap_or_default();
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            name => path.push(name),
        }
    }
    path
}

/// Where a symbol is declared.
pub(crate) fn declarations(view: &View<'_>, symbol: &Symbol) -> Vec<Span> {
    let Some((declarations, sources)) = view.declarations().zip(view.sources()) else { return Vec::new() };
    let mut found = BTreeSet::new();
    match symbol {
        Symbol::Entities(entities) => {
            for entity in entities {
                found.insert(sources.original(declarations.entity(*entity).span));
            }
        }
        Symbol::Binding(_, span) => {
            found.insert(*span);
        }
        Symbol::Module(file) => {
            found.insert(Span::new(*file, 0, 0));
        }
    }
    found.into_iter().collect()
}

/// The name that a file gives, with its text.
pub(crate) fn binding(view: &View<'_>, file: FileId, span: Span) -> Option<(Binding, Text)> {
    let text = Text::new(view.sources()?.get(file)?.text());
    let same = |binding: &&Binding| (binding.span.start, binding.span.end) == (span.start, span.end);
    let found = text.scopes().bindings.iter().find(same)?.clone();
    Some((found, text))
}

/// Every place that names a symbol, in order.
pub(crate) fn occurrences(view: &View<'_>, symbol: &Symbol) -> Vec<Occurrence> {
    let Some((declarations, sources)) = view.declarations().zip(view.sources()) else { return Vec::new() };
    let mut found = BTreeSet::new();
    match symbol {
        Symbol::Entities(entities) => {
            labels(&declarations.blocks, &mut |span, entity| {
                if entities.contains(&entity) {
                    found.insert(Occurrence { span: sources.original(span), declares: true });
                }
            });
            for mention in declarations.mentions() {
                if entities.contains(&mention.entity) {
                    found.insert(Occurrence { span: sources.original(mention.span), declares: false });
                }
            }
            unmade(view, declarations, sources, entities, &mut found);
        }
        Symbol::Binding(..) | Symbol::Module(_) => {
            for (file, path, text) in view.files() {
                let scopes = text.scopes();
                for (span, meaning) in &scopes.uses {
                    if meant(view, file, &path, &text, meaning).as_ref() == Some(symbol) {
                        found.insert(Occurrence { span: Span { file, ..*span }, declares: false });
                    }
                }
                for (index, binding) in scopes.bindings.iter().enumerate() {
                    if meant(view, file, &path, &text, &Meaning::Own(index)).as_ref() == Some(symbol) {
                        let declares = matches!(symbol, Symbol::Binding(..));
                        // A name that is taken from a module was found among the uses.
                        let span = Span { file, ..binding.span };
                        if found.iter().all(|other| other.span != span) {
                            found.insert(Occurrence { span, declares });
                        }
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Adds names in text of which nothing is made: in templates that are not applied, in the other part of a choice. What they
/// would name is only known where that is clear.
fn unmade(
    view: &View<'_>,
    declarations: &Declarations,
    sources: &SourceMap,
    entities: &[EntityId],
    found: &mut BTreeSet<Occurrence>,
) {
    struct Paths<'f> {
        sure: bool,
        each: &'f mut dyn FnMut(&lang_syntax::ast::Path),
    }
    impl Visitor for Paths<'_> {
        fn value(&mut self, value: &Value, sure: bool) {
            if sure == self.sure
                && let ValueKind::Path(path) = &value.kind
            {
                (self.each)(path);
            }
        }
    }
    let made: BTreeSet<(FileId, u32)> = declarations
        .mentions()
        .iter()
        .map(|mention| sources.original(mention.span))
        .map(|span| (span.file, span.start))
        .collect();
    let spaces: Vec<Option<EntityId>> =
        std::iter::once(None).chain(declarations.entities().map(|(id, _)| Some(id))).collect();
    for (file, _, text) in view.files() {
        let local: BTreeSet<u32> = text.scopes().uses.iter().map(|(span, _)| span.start).collect();
        let mut each = |path: &lang_syntax::ast::Path| {
            let Some(first) = path.segments.first() else { return };
            if local.contains(&first.span.start) || made.contains(&(file, first.span.start)) {
                return;
            }
            for end in 1..=path.segments.len() {
                let Some(segments) = path.segments.get(..end) else { continue };
                let named: BTreeSet<EntityId> =
                    spaces.iter().flat_map(|scope| declarations.find(segments, *scope)).collect();
                let Some(last) = segments.last() else { continue };
                if !named.is_empty() && named.iter().all(|entity| entities.contains(entity)) {
                    found.insert(Occurrence { span: Span { file, ..last.span }, declares: false });
                }
            }
        };
        let mut paths = Paths { sure: false, each: &mut each };
        walk::items(&text.tree().items, true, &mut paths);
    }
}
