//! Applies safe fixes until nothing changes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lang_diagnostics::{Applicability, Diagnostic, Edit, FileId, Severity, SourceMap};

use crate::{Compilation, FileSystem, Levels, Options, Overlay, check_with};

/// After so many rounds it ends, whatever is left: two fixes that undo each other must not go on for ever.
const MOST_ROUNDS: usize = 20;

/// What came of it.
#[derive(Debug)]
pub struct Mended {
    /// The files that changed, with their new text.
    pub texts: BTreeMap<PathBuf, String>,
    /// What was done, in order: `file:line`, the code and the title of the fix.
    pub done: Vec<String>,
    /// What is found afterwards.
    pub compilation: Compilation,
}

/// Applies every safe fix of a mesh, round by round, since one may make room for the next. Nothing is written.
///
/// # Errors
/// As [`check_with`].
pub fn mend(files: &dyn FileSystem, entry: &Path, options: Options, levels: &Levels) -> io::Result<Mended> {
    let mut overlay = Overlay::new(files);
    let mut compilation = check_with(&overlay, entry, options, levels)?;
    let mut done = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let safe = safe(&compilation.diagnostics);
        // All that do not touch each other at once; if these get in each other's way all the same, the first alone.
        let mut next = None;
        for chosen in [safe.as_slice(), safe.get(..1).unwrap_or_default()] {
            let Some(changed) = applied(chosen, &compilation.sources) else { continue };
            let mut tried = Overlay::new(files);
            overlay.texts().iter().for_each(|(path, text)| tried.put(path.clone(), text.clone()));
            changed.into_iter().for_each(|(path, text)| tried.put(path, text));
            let after = check_with(&tried, entry, options, levels)?;
            if errors(&after) <= errors(&compilation) {
                next = Some((chosen, tried, after));
                break;
            }
        }
        let Some((chosen, tried, after)) = next else { break };
        done.extend(chosen.iter().map(|diagnostic| described(diagnostic, &compilation.sources)));
        (overlay, compilation) = (tried, after);
    }
    Ok(Mended { texts: overlay.texts().clone(), done, compilation })
}

/// The findings with safe fixes, without those that touch what an earlier one changes.
fn safe(found: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut taken: Vec<&Edit> = Vec::new();
    let mut chosen = Vec::new();
    for diagnostic in found {
        let Some(fix) = diagnostic.fix.as_ref().filter(|fix| fix.applicability == Applicability::Safe) else {
            continue;
        };
        let touches = |edit: &Edit| {
            taken.iter().any(|other| {
                other.span.file == edit.span.file
                    && other.span.start <= edit.span.end
                    && edit.span.start <= other.span.end
            })
        };
        if !fix.edits.iter().any(touches) {
            taken.extend(&fix.edits);
            chosen.push(diagnostic);
        }
    }
    chosen
}

/// The texts of all files that fixes change; `None` if there are none.
fn applied(chosen: &[&Diagnostic], sources: &SourceMap) -> Option<Vec<(PathBuf, String)>> {
    let mut edits: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in chosen.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()).flat_map(|fix| &fix.edits) {
        edits.entry(edit.span.file).or_default().push(edit);
    }
    let mut changed = Vec::new();
    for (file, mut edits) in edits {
        let file = sources.get(file)?;
        let mut text = file.text().to_owned();
        edits.sort_by_key(|edit| edit.span);
        for edit in edits.into_iter().rev() {
            let range = edit.span.start as usize..edit.span.end as usize;
            text.get(range.clone())?;
            text.replace_range(range, &edit.text);
        }
        changed.push((PathBuf::from(file.name()), text));
    }
    (!changed.is_empty()).then_some(changed)
}

fn errors(compilation: &Compilation) -> usize {
    compilation.diagnostics.iter().filter(|each| each.severity == Severity::Error).count()
}

fn described(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let title = diagnostic.fix.as_ref().map_or("", |fix| fix.title.as_str());
    format!("{}: {}: {title}", sources.place(diagnostic.primary.span), diagnostic.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFileSystem;

    const ACME: &str = include_str!("../../../examples/acme/mesh.mesh");

    #[test]
    fn safe_fixes_are_applied_until_none_is_left_and_others_are_not() {
        let text = ACME
            .replace("trust_domain = \"cluster.local\"", "trust_domain: \"cluster.local\"")
            .replace("network = west-net", "network: west-net")
            .replace("calls    = [catalog]", "calls    = [katalog]");
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let options = Options { data_plane: None };
        let mended = mend(&files, Path::new("mesh.mesh"), options, &Levels::default()).unwrap();
        assert_eq!(mended.done.len(), 2, "{:?}", mended.done);
        assert!(mended.done[0].contains("mesh.mesh:13: E0001: write ` =`"), "{:?}", mended.done);
        let changed = mended.texts.get(Path::new("mesh.mesh")).unwrap();
        assert!(changed.contains("trust_domain = \"cluster.local\"") && changed.contains("[katalog]"));
        assert!(safe(&mended.compilation.diagnostics).is_empty());
        assert!(mended.compilation.has_errors(), "what a person has to choose stays");
    }

    #[test]
    fn a_mesh_without_findings_is_left_alone() {
        let files = MemoryFileSystem::with(&[("mesh.mesh", ACME)]);
        let options = Options { data_plane: None };
        let mended = mend(&files, Path::new("mesh.mesh"), options, &Levels::default()).unwrap();
        assert!(mended.texts.is_empty() && mended.done.is_empty());
    }
}
