//! `textDocument/rename`: every place that names something gets the new name, and the mesh must be as good as before.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lang_diagnostics::{Severity, Span};
use lang_evaluate::schema::Label;
use ls_types::{PrepareRenameResponse, TextEdit, Uri, WorkspaceEdit};
use meshc_driver::{Levels, Options, Overlay, Request, analyze};

use crate::names::{self, Occurrence, Symbol};
use crate::text::Text;
use crate::view::View;

/// Where the name is that would be changed.
pub(crate) fn prepare(view: &View<'_>, offset: usize) -> Result<Option<PrepareRenameResponse>, String> {
    let Some((span, symbol)) = names::at(view, offset) else { return Ok(None) };
    let name = name_of(view, &symbol)?;
    Ok(Some(PrepareRenameResponse::RangeWithPlaceholder { range: view.range(span), placeholder: name }))
}

/// The changes that give what is named at a place a new name.
pub(crate) fn rename(view: &View<'_>, offset: usize, new: &str) -> Result<Option<WorkspaceEdit>, String> {
    let Some((_, symbol)) = names::at(view, offset) else { return Ok(None) };
    let old = name_of(view, &symbol)?;
    if old == new {
        return Ok(None);
    }
    let written = written(view, &symbol, new)?;
    let sources = view.sources().ok_or("the mesh cannot be read")?;
    let mut edits: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for Occurrence { span, .. } in names::occurrences(view, &symbol) {
        let Some(file) = sources.get(span.file) else { continue };
        // Where a variable or a kind stands for it, the name is not written.
        if sources.text(span).is_none_or(|text| text.trim_matches('"') != old) {
            continue;
        }
        if file.name().starts_with("std/") {
            return Err(String::from("the standard library cannot be changed"));
        }
        edits.entry(file.name().to_owned()).or_default().push(span);
    }
    for spans in edits.values_mut() {
        spans.sort();
        spans.dedup();
    }
    check(view, &edits, &written)?;
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for (name, spans) in edits {
        let (Some(uri), Some(text)) = (view.world.uri(&name), view.world.text(Path::new(&name))) else {
            continue;
        };
        let edits = spans
            .into_iter()
            .map(|span| TextEdit { range: text.range(span, view.world.encoding), new_text: written.clone() });
        changes.insert(uri, edits.collect());
    }
    Ok(Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }))
}

/// The name of a symbol, if it can be changed.
fn name_of(view: &View<'_>, symbol: &Symbol) -> Result<String, String> {
    let refused = |why: &str| Err(why.to_owned());
    match symbol {
        Symbol::Module(_) => {
            refused("a module is called by the name of its file; rename the file, or add `as`")
        }
        Symbol::Binding(file, span) => {
            let standard = view.sources().and_then(|sources| sources.get(*file));
            if standard.is_some_and(|file| file.name().starts_with("std/")) {
                return refused("the standard library cannot be changed");
            }
            let found = names::binding(view, *file, *span);
            found.map(|(binding, _)| binding.name).ok_or_else(|| String::from("this name cannot be changed"))
        }
        Symbol::Entities(entities) => {
            let declarations = view.declarations().ok_or("the mesh cannot be read")?;
            let sources = view.sources().ok_or("the mesh cannot be read")?;
            let mut entities = entities.iter().map(|id| declarations.entity(*id));
            let Some(first) = entities.next() else { return refused("this name cannot be changed") };
            let is_written = |entity: &lang_evaluate::Entity| {
                sources.text(entity.span).is_some_and(|text| text.trim_matches('"') == entity.name)
            };
            if entities.any(|other| other.name != first.name) || !is_written(first) {
                return refused("this name is put together from others: change those");
            }
            Ok(first.name.clone())
        }
    }
}

/// A new name as it is written, if it may be one.
fn written(view: &View<'_>, symbol: &Symbol, new: &str) -> Result<String, String> {
    let plain = new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && new.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !new.ends_with('-')
        && !new.contains("--");
    match symbol {
        Symbol::Entities(entities) => {
            let declarations = view.declarations().ok_or("the mesh cannot be read")?;
            for entity in entities {
                match declarations.entity(*entity).kind.label {
                    Label::Required(pattern) | Label::Optional(pattern) => {
                        if let Some(wrong) = (pattern.check)(new) {
                            return Err(format!("`{new}` is not {}: {wrong}", pattern.name));
                        }
                    }
                    Label::None | Label::Symbol(_) | Label::Reference(_) => {}
                }
            }
            let special = ["true", "false", "in", "if", "for"].contains(&new);
            if plain && !special {
                return Ok(new.to_owned());
            }
            if new.is_empty() || new.contains(['"', '\\', '$', '\n', '\r']) {
                return Err(format!("`{new}` cannot be a name"));
            }
            Ok(format!("\"{new}\""))
        }
        Symbol::Binding(..) | Symbol::Module(_) if plain => Ok(new.to_owned()),
        Symbol::Binding(..) | Symbol::Module(_) => {
            Err(format!("`{new}` cannot be a name: letters, digits, `_` and `-`, and a letter first"))
        }
    }
}

/// Compiles the mesh with the changes: it may not have an error that it did not have before.
fn check(view: &View<'_>, edits: &BTreeMap<String, Vec<Span>>, new: &str) -> Result<(), String> {
    let analysis = view.analysis().ok_or("the mesh cannot be read")?;
    let mut overlay = Overlay::new(view.world);
    for (name, spans) in edits {
        let path = PathBuf::from(name);
        let text: Text = view.world.text(&path).ok_or("a file cannot be read")?;
        let mut changed = text.text.clone();
        for span in spans.iter().rev() {
            changed.replace_range(span.start as usize..span.end as usize, new);
        }
        overlay.put(path, changed);
    }
    let request = Request {
        entries: analysis.files.first().cloned().into_iter().collect(),
        definitions: view.world.settings.definitions.clone(),
        values: view.world.settings.values.clone(),
        options: Options { data_plane: None },
    };
    let mut after = analyze(&overlay, &request).map_err(|unread| unread.to_string())?;
    while after.step() {}
    let levels = Levels::default();
    let errors = |list: &[lang_diagnostics::Diagnostic]| {
        list.iter().filter(|found| found.severity == Severity::Error).count()
    };
    let (before, found) = (analysis.diagnostics(&levels), after.diagnostics(&levels));
    if errors(&found) <= errors(&before) {
        return Ok(());
    }
    let first = found.iter().find(|found| found.severity == Severity::Error);
    Err(format!("with this name the mesh has an error: {}", first.map_or("", |found| &found.message)))
}
