//! Code actions: the fixes of findings, each of which was tried before it is offered.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use lang_diagnostics::{Applicability, Diagnostic as Finding, FileId, Fix};
use ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, TextEdit, Uri, WorkspaceEdit,
};
use meshc_driver::{Levels, Options, Overlay, Request, fix_works, mend};

use crate::findings;
use crate::text::Text;
use crate::view::View;

/// So many fixes are tried for one request: each is a check of the whole mesh.
const MOST_TRIED: usize = 8;

/// All safe fixes of a mesh at once.
pub(crate) const FIX_ALL: CodeActionKind = CodeActionKind::new("source.fixAll.meshc");

/// What can be done about the findings in a range.
pub(crate) fn actions(view: &View<'_>, params: &CodeActionParams) -> Vec<CodeActionOrCommand> {
    let wanted = |kind: &CodeActionKind| match &params.context.only {
        None => *kind == CodeActionKind::QUICKFIX,
        Some(only) => only.iter().any(|only| {
            kind.as_str() == only.as_str()
                || kind.as_str().strip_prefix(only.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }),
    };
    let mut found = Vec::new();
    if wanted(&CodeActionKind::QUICKFIX) {
        found.extend(fixes(view, params));
    }
    if wanted(&FIX_ALL) {
        found.extend(all(view));
    }
    found.into_iter().map(CodeActionOrCommand::CodeAction).collect()
}

fn request(view: &View<'_>) -> Option<Request> {
    let entry = view.mesh?.files.first()?.clone();
    Some(Request {
        entries: vec![entry],
        definitions: view.world.settings.definitions.clone(),
        values: view.world.settings.values.clone(),
        options: Options { data_plane: None },
    })
}

fn fixes(view: &View<'_>, params: &CodeActionParams) -> Vec<CodeAction> {
    let (Some(analysis), Some(file), Some(request)) = (view.analysis(), view.file(), request(view)) else {
        return Vec::new();
    };
    let (start, end) = (view.offset(params.range.start), view.offset(params.range.end));
    let found = analysis.diagnostics(&Levels::default());
    let here = |finding: &&Finding| {
        let span = finding.primary.span;
        span.file == file && span.start as usize <= end && start <= span.end as usize
    };
    let with_fix = found.iter().filter(here).filter(|finding| finding.fix.is_some());
    with_fix
        .take(MOST_TRIED)
        .filter_map(|finding| {
            let works = fix_works(view.world, &request, finding, &found, &analysis.sources);
            let (fix, applicability) = (finding.fix.as_ref()?, works.ok()??);
            let (_, diagnostic) = findings::converted(view.world, finding, &analysis.sources)?;
            Some(CodeAction {
                title: fix.title.clone(),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic]),
                edit: Some(edit(view, fix)?),
                is_preferred: Some(applicability == Applicability::Safe),
                ..CodeAction::default()
            })
        })
        .collect()
}

/// The changes of a fix, file by file.
fn edit(view: &View<'_>, fix: &Fix) -> Option<WorkspaceEdit> {
    let sources = view.sources()?;
    let mut by_file: BTreeMap<FileId, Vec<TextEdit>> = BTreeMap::new();
    for edit in &fix.edits {
        let file = sources.get(edit.span.file)?;
        let range = view.world.range_in(file.name(), file.text(), edit.span);
        let edit_of_file = TextEdit { range, new_text: edit.text.clone() };
        by_file.entry(edit.span.file).or_default().push(edit_of_file);
    }
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for (file, edits) in by_file {
        changes.insert(view.world.uri(sources.get(file)?.name())?, edits);
    }
    Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
}

/// Every safe fix of the mesh, round by round.
fn all(view: &View<'_>) -> Option<CodeAction> {
    let request = request(view)?;
    let overlay = Overlay::new(view.world);
    let mended = mend(&overlay, &request, &Levels::default()).ok()?;
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for (path, after) in &mended.texts {
        let before: Text = view.world.text(path)?;
        let edit = before.edit_to(after, view.world.encoding)?;
        changes.insert(view.world.uri(Path::new(path).to_str()?)?, vec![edit]);
    }
    (!changes.is_empty()).then(|| CodeAction {
        title: String::from("apply all safe fixes"),
        kind: Some(FIX_ALL),
        edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
        ..CodeAction::default()
    })
}
