//! Reading what files use: each module once, whatever uses it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Sink, SourceMap, Span, suggest};
use lang_syntax::ast::{self, FormKind, Item, Source};

use crate::{Entry, Host, codes};

/// How many files one mesh may consist of.
const MOST_FILES: usize = 10_000;

/// A file or a module of the standard library.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) tree: Arc<ast::File>,
    /// What it is called where it is used without `as`.
    pub(crate) name: String,
    /// What its `use` items lead to, in their order; nothing where that was reported.
    pub(crate) used: Vec<Option<usize>>,
    /// Whether it is part of the standard library.
    pub(crate) standard: bool,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Below a directory: that, and the names behind it.
    File(Rc<str>, Vec<String>),
    Standard(String),
}

struct Loader<'h> {
    host: &'h mut dyn Host,
    sources: &'h mut SourceMap,
    sink: &'h mut Sink,
    modules: Vec<Module>,
    places: Vec<Place>,
    known: HashMap<Place, usize>,
}

/// Reads what the entries use, and what that uses. The entries come first, in their order.
pub(crate) fn load(
    entries: Vec<Entry>,
    host: &mut dyn Host,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Vec<Module> {
    let root = entries.first().map(|entry| directory(&entry.path)).unwrap_or_default();
    let mut loader =
        Loader { host, sources, sink, modules: Vec::new(), places: Vec::new(), known: HashMap::new() };
    for Entry { path, tree, .. } in entries {
        // A file below the first one's directory is found by others from there.
        let own = if path.strip_prefix(&root).is_some() { root.clone() } else { directory(&path) };
        let inside = path.strip_prefix(&own).unwrap_or(&path).trim_start_matches('/');
        let place = Place::File(own.into(), inside.split('/').map(str::to_owned).collect());
        loader.add(place, tree);
    }
    let mut next = 0;
    while next < loader.modules.len() {
        let used = loader.used(next);
        if let Some(module) = loader.modules.get_mut(next) {
            module.used = used;
        }
        next += 1;
    }
    loader.circles();
    loader.modules
}

/// The directory of a path, with a slash at its end unless it is empty.
fn directory(path: &str) -> String {
    path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default().to_owned()
}

impl Loader<'_> {
    fn add(&mut self, place: Place, tree: Arc<ast::File>) -> usize {
        let index = self.modules.len();
        let (name, standard) = match &place {
            Place::File(_, inside) => {
                let file = inside.last().map(String::as_str).unwrap_or_default();
                (file.strip_suffix(".mesh").unwrap_or(file).to_owned(), false)
            }
            Place::Standard(name) => (name.clone(), true),
        };
        self.known.insert(place.clone(), index);
        self.places.push(place);
        self.modules.push(Module { tree, name, used: Vec::new(), standard });
        index
    }

    /// The modules that the `use` items of one lead to.
    fn used(&mut self, index: usize) -> Vec<Option<usize>> {
        let Some(module) = self.modules.get(index) else { return Vec::new() };
        let uses: Vec<(Source, Span)> =
            imports(&module.tree).map(|(import, span)| (import.from.clone(), span)).collect();
        uses.into_iter().map(|(source, span)| self.module(index, &source, span)).collect()
    }

    fn module(&mut self, from: usize, source: &Source, span: Span) -> Option<usize> {
        let (place, shown, span) = match source {
            Source::File(name) => {
                let place = match self.places.get(from) {
                    Some(Place::File(root, inside)) => resolved(root, inside, &name.value),
                    Some(Place::Standard(_)) | None => Err("the standard library uses no files"),
                };
                match place {
                    Ok(place) => (place, name.value.clone(), name.span),
                    Err(why) => {
                        let message = format!("`{}` is not the path of a module", name.value);
                        let diagnostic = Diagnostic::error(codes::MODULE_PATH, name.span, message).label(why);
                        let help = "a path is relative to the file that says it, has `/` between names, and stays \
                                    in the directory of the mesh";
                        self.sink.push(diagnostic.help(help));
                        return None;
                    }
                }
            }
            Source::Module(path) => match path.segments.as_slice() {
                [root, name] if root.value == "std" => {
                    (Place::Standard(name.value.clone()), format!("std.{}", name.value), name.span)
                }
                _ => {
                    let message = "a module without quotes is one of the standard library";
                    let diagnostic = Diagnostic::error(codes::UNKNOWN_MODULE, span, message)
                        .label("not of the form `std.name`")
                        .help("a file is written in quotes: `use \"services/catalog.mesh\"`");
                    self.sink.push(diagnostic);
                    return None;
                }
            },
        };
        if let Some(known) = self.known.get(&place) {
            return Some(*known);
        }
        if self.modules.len() >= MOST_FILES {
            let message = format!("a mesh consists of at most {MOST_FILES} files");
            self.sink.push(Diagnostic::error(codes::TOO_LARGE, span, message).label("one more"));
            return None;
        }
        self.read(place, &shown, span)
    }

    fn read(&mut self, place: Place, shown: &str, span: Span) -> Option<usize> {
        let (name, text) = match &place {
            Place::Standard(name) => match self.host.standard(name) {
                Some(text) => (format!("std/{name}.mesh"), Arc::from(text)),
                None => {
                    let names = self.host.standard_names();
                    let message = format!("there is no module `{shown}`");
                    let diagnostic = Diagnostic::error(codes::UNKNOWN_MODULE, span, message)
                        .label("not in the standard library");
                    self.sink.push(match suggest(name, names.iter().copied()) {
                        Some(near) => diagnostic.help(format!("did you mean `std.{near}`?")),
                        None => diagnostic.help(format!("the standard library has {}", list(&names))),
                    });
                    return None;
                }
            },
            Place::File(root, inside) => {
                let path = format!("{root}{}", inside.join("/"));
                match self.host.read(&path) {
                    Ok(text) => (path, text),
                    Err(error) => {
                        let message = format!("cannot read `{shown}`");
                        self.sink.push(
                            Diagnostic::error(codes::UNKNOWN_MODULE, span, message)
                                .label(error.to_string())
                                .help(format!("the file is looked for at `{path}`")),
                        );
                        return None;
                    }
                }
            }
        };
        let file = self.sources.add(name.as_str(), Arc::clone(&text));
        let tree = self.host.parse(file, &name, &text, self.sink);
        Some(self.add(place, tree))
    }

    /// Reports modules that use each other in a circle: each once, with every `use` of it.
    fn circles(&mut self) {
        // 0: not looked at, 1: on the way here, 2: done.
        let mut state = vec![0_u8; self.modules.len()];
        for start in 0..self.modules.len() {
            let mut way: Vec<(usize, usize)> = Vec::new();
            if state.get(start) == Some(&0) {
                way.push((start, 0));
            }
            while let Some((index, position)) = way.last_mut() {
                let (here, at) = (*index, *position);
                *position += 1;
                if let Some(entry) = state.get_mut(here) {
                    *entry = 1;
                }
                let Some(next) = self.modules.get(here).and_then(|module| module.used.get(at).copied())
                else {
                    if let Some(entry) = state.get_mut(here) {
                        *entry = 2;
                    }
                    way.pop();
                    continue;
                };
                match next.map(|next| (next, state.get(next).copied().unwrap_or(2))) {
                    Some((next, 0)) => way.push((next, 0)),
                    Some((next, 1)) => self.circle(&way, next),
                    Some(_) | None => {}
                }
            }
        }
    }

    fn circle(&mut self, way: &[(usize, usize)], first: usize) {
        let start = way.iter().position(|(index, _)| *index == first).unwrap_or_default();
        let places: Vec<Span> = way
            .iter()
            .skip(start)
            .filter_map(|(index, position)| {
                // The position was moved on already.
                let module = self.modules.get(*index)?;
                imports(&module.tree).nth(position.checked_sub(1)?).map(|(_, span)| span)
            })
            .collect();
        let Some((last, before)) = places.split_last() else { return };
        let message =
            if before.is_empty() { "this file uses itself" } else { "files use each other in a circle" };
        let mut diagnostic =
            Diagnostic::error(codes::USE_CIRCLE, *last, message).label("this closes the circle");
        for place in before {
            diagnostic = diagnostic.also(*place, "which is used from here");
        }
        self.sink.push(diagnostic.help("move what both need into a file that uses neither"));
    }
}

/// The `use` items of a file.
pub(crate) fn imports(tree: &ast::File) -> impl Iterator<Item = (&ast::Use, Span)> {
    tree.items.iter().filter_map(|item| match item {
        Item::Form(form) => match &form.kind {
            FormKind::Use(import) => Some((import, form.span)),
            FormKind::Let(_)
            | FormKind::Input(_)
            | FormKind::For(_)
            | FormKind::Template(_)
            | FormKind::Apply(_)
            | FormKind::Override(_)
            | FormKind::Assert(_) => None,
        },
        Item::Block(_) | Item::Attribute(_) => None,
    })
}

/// The place that a path leads to from a file.
fn resolved(root: &Rc<str>, from: &[String], path: &str) -> Result<Place, &'static str> {
    if path.contains('\\') {
        return Err("it has a backslash");
    }
    if path.starts_with('/') {
        return Err("it begins at the root of the disk");
    }
    if !path.ends_with(".mesh") {
        return Err("its name does not end in `.mesh`");
    }
    let mut names: Vec<String> = from.iter().rev().skip(1).rev().cloned().collect();
    for name in path.split('/') {
        match name {
            "" => return Err("it has an empty name"),
            "." => {}
            ".." => {
                names.pop().ok_or("it leaves the directory of the mesh")?;
            }
            _ => names.push(name.to_owned()),
        }
    }
    Ok(Place::File(Rc::clone(root), names))
}

/// Names in backticks, joined by commas.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
