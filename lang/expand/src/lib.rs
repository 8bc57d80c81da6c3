//! Modules, variables, templates, defaults and overrides: several files become plain trees, which evaluation takes.
//!
//! The modules that files use are read first (`modules`). Then each file's items are made, one after the other, with
//! every variable replaced by its value (`items`, `values`); what is short for a block is made one (`principal`); `defaults`
//! and `override` are worked into what that gives
//! (`layers`). Whatever text counts several times has places in copies of its file ([`lang_diagnostics::Copied`]), so that
//! every later stage can point at what it is about without knowing of templates.
//!
//! Evaluation is total: there is no recursion, lists are finite, and what is made is bounded (`bounds`).
//!
//! Invariants: kinds are data, from the [`Schema`] it is given; reads no file but through [`Host`]; a file in which
//! nothing stands for anything else passes through, and only its short blocks are made whole.

mod arguments;
mod assertions;
mod bounds;
pub mod codes;
mod conditions;
mod entities;
mod hidden;
mod host;
mod inputs;
mod instances;
mod items;
mod layers;
mod modules;
mod principal;
mod scope;
mod types;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use lang_diagnostics::{FileId, Sink, SourceMap};
use lang_evaluate::schema::Schema;
use lang_syntax::ast;

pub use host::{Host, StandardLibrary};
pub use inputs::Given;

use entities::Entities;
use items::Expander;
use modules::Module;

/// A file that the user named.
#[derive(Debug)]
pub struct Entry {
    /// Its path, with `/` between names.
    pub path: String,
    /// Its id in the source map.
    pub file: FileId,
    /// Its tree.
    pub tree: Arc<ast::File>,
}

/// Expands files and what they use. `given` are the values of inputs. What cannot be made is reported and left out. A tree
/// in which nothing stands for anything else is what it was.
pub fn expand(
    entries: Vec<Entry>,
    given: &[Given],
    schema: Schema,
    host: &mut dyn Host,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Vec<Arc<ast::File>> {
    if given.is_empty() && entries.iter().all(|entry| !entry.tree.expands) {
        let mut files: Vec<_> = entries.into_iter().map(|entry| entry.tree).collect();
        principal::apply(&mut files, schema);
        return files;
    }
    let modules = modules::load(entries, host, sources, sink);
    // What `for c in clusters` goes over is known once everything else is made, so that is made twice then.
    let (mut copies, mut found) = (sources.clone(), Sink::default());
    let (mut files, asked) = made(&modules, given, schema, BTreeMap::new(), &mut copies, &mut found);
    if asked {
        let entities = entities::declared(&files, schema);
        (copies, found) = (sources.clone(), Sink::default());
        (files, _) = made(&modules, given, schema, entities, &mut copies, &mut found);
    }
    *sources = copies;
    found.into_sorted().into_iter().for_each(|diagnostic| sink.push(diagnostic));
    files
}

/// Expands a mesh that is one text and uses the standard library only.
pub fn expand_text(
    tree: ast::File,
    schema: Schema,
    mut library: StandardLibrary,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Vec<Arc<ast::File>> {
    let file = tree.span.file;
    let path = sources.get(file).map(|file| file.name().to_owned()).unwrap_or_default();
    expand(vec![Entry { path, file, tree: Arc::new(tree) }], &[], schema, &mut library, sources, sink)
}

/// What all modules make, and whether any of it goes over declared entities.
fn made(
    modules: &[Module],
    given: &[Given],
    schema: Schema,
    entities: Entities,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> (Vec<Arc<ast::File>>, bool) {
    let mut expander = Expander::new(modules, given, schema, entities, sources, sink);
    let mut files = expander.files();
    principal::apply(&mut files, schema);
    let asked = expander.asked;
    if !expander.layered {
        return (files, asked);
    }
    let files = files.into_iter().map(Arc::unwrap_or_clone).collect();
    (layers::apply(files, schema, sources, sink).into_iter().map(Arc::new).collect(), asked)
}
