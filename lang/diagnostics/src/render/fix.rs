//! Shows what a fix would change.

use crate::{Applicability, Fix, SourceMap};

/// Fixes of more lines than this are only named.
const MOST_LINES: usize = 4;

/// So are fixes in lines of more bytes than this.
const LONGEST_LINE: usize = 400;

/// The advice of a diagnostic followed by what its fix does and, if that changes a few lines of one file, how they
/// read afterwards.
pub(super) fn advice(help: Option<&str>, fix: Option<&Fix>, sources: &SourceMap) -> Option<String> {
    let mut lines: Vec<String> = help.map(str::to_owned).into_iter().collect();
    if let Some(fix) = fix {
        match (fix.applicability, help) {
            // The advice asks the same already.
            (Applicability::Suggested, Some(help)) if help.starts_with("did you mean") => {}
            (Applicability::Suggested, _) => lines.push(format!("did you mean to {}?", fix.title)),
            (Applicability::Safe, Some(_)) => lines.push(format!("fix: {}", fix.title)),
            (Applicability::Safe, None) => lines.push(fix.title.clone()),
        }
        lines.extend(changed_lines(fix, sources).into_iter().flatten());
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The lines that the edits touch, as they read afterwards.
fn changed_lines(fix: &Fix, sources: &SourceMap) -> Option<Vec<String>> {
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| edit.span);
    let file = edits.first()?.span.file;
    let (first, last) = (edits.first()?.span.start as usize, edits.last()?.span.end as usize);
    let text = sources.get(file)?.text();
    let start = text.get(..first)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(last..)?.find('\n').map_or(text.len(), |at| last + at);
    let mut changed = String::new();
    let mut position = start;
    for edit in edits {
        if edit.span.file != file {
            return None;
        }
        changed.push_str(text.get(position..edit.span.start as usize)?);
        changed.push_str(&edit.text);
        position = edit.span.end as usize;
    }
    changed.push_str(text.get(position..end)?);
    let lines: Vec<String> = changed.lines().map(|line| format!("    {}", line.trim())).collect();
    let short = lines.len() <= MOST_LINES && lines.iter().all(|line| line.len() <= LONGEST_LINE);
    (short && !changed.trim().is_empty()).then_some(lines)
}
