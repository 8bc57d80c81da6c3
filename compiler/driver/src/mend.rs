//! Applies safe fixes until nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lang_diagnostics::{Applicability, Diagnostic, Edit, SourceMap};

use crate::fixes::{applied, improves};
use crate::{Compilation, FileSystem, Levels, Overlay, Request, Unread, check_request};

/// What came of it.
#[derive(Debug)]
pub struct Mended {
    /// The files that changed, with their new text: those that were named, and those that they use.
    pub texts: BTreeMap<PathBuf, String>,
    /// The text that each file of the mesh had when it was read, once.
    pub read: BTreeMap<PathBuf, String>,
    /// What was done, in order: `file:line`, the code and the title of the fix.
    pub done: Vec<String>,
    /// What is found afterwards.
    pub compilation: Compilation,
}

/// Applies every safe fix of a mesh, round by round, since one may make room for the next. Nothing is written.
///
/// # Errors
/// As [`check_request`].
pub fn mend(files: &dyn FileSystem, request: &Request, levels: &Levels) -> Result<Mended, Unread> {
    let mut compilation = check_request(files, request, levels)?;
    let read = texts_of(&compilation);
    let mut texts = BTreeMap::new();
    let mut done = Vec::new();
    // It ends, since each round brings the mesh nearer to being right.
    loop {
        let safe = safe(&compilation.diagnostics);
        // All that do not touch each other at once; if these get in each other's way all the same, the first one that does not.
        let together = (safe.len() > 1).then_some(safe.as_slice());
        let mut next = None;
        for chosen in together.into_iter().chain(safe.chunks(1)) {
            let Some(changed) = changed(chosen, &compilation) else { continue };
            let mut tried = texts.clone();
            tried.extend(changed);
            // Whatever is written to the files meanwhile, all rounds are about the texts that were read first.
            let mut overlay = Overlay::new(files);
            read.iter().chain(&tried).for_each(|(path, text)| overlay.put(path.clone(), text.clone()));
            let after = check_request(&overlay, request, levels)?;
            if improves(&compilation.diagnostics, &after.diagnostics) {
                next = Some((chosen, tried, after));
                break;
            }
        }
        let Some((chosen, tried, after)) = next else { break };
        done.extend(chosen.iter().map(|diagnostic| described(diagnostic, &compilation.sources)));
        (texts, compilation) = (tried, after);
    }
    Ok(Mended { texts, read, done, compilation })
}

/// The files of a mesh with the texts that they were read with.
fn texts_of(compilation: &Compilation) -> BTreeMap<PathBuf, String> {
    let text = |path: &PathBuf| {
        let file = compilation.sources.file(&path.display().to_string())?;
        Some((path.clone(), file.text().to_owned()))
    };
    compilation.files.iter().filter_map(text).collect()
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

/// The texts of all files that fixes change; `None` if there are none, or a file is not one of the mesh's own.
fn changed(chosen: &[&Diagnostic], compilation: &Compilation) -> Option<Vec<(PathBuf, String)>> {
    let edits: Vec<Edit> =
        chosen.iter().filter_map(|found| found.fix.as_ref()).flat_map(|fix| fix.edits.clone()).collect();
    let own: BTreeSet<String> = compilation.files.iter().map(|path| path.display().to_string()).collect();
    let (texts, _) = applied(&compilation.sources, &edits)?;
    let known = !texts.is_empty() && texts.keys().all(|name| own.contains(name));
    known.then(|| texts.into_iter().map(|(name, text)| (PathBuf::from(name), text)).collect())
}

fn described(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let title = diagnostic.fix.as_ref().map_or("", |fix| fix.title.as_str());
    format!("{}: {}: {title}", sources.place(diagnostic.primary.span), diagnostic.code)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{MemoryFileSystem, Options};

    const ACME: &str = include_str!("../../../tests/fixtures/acme.mesh");

    fn request(entries: &[&str]) -> Request {
        Request {
            entries: entries.iter().map(PathBuf::from).collect(),
            definitions: Vec::new(),
            values: Vec::new(),
            options: Options { data_plane: None },
        }
    }

    #[test]
    fn safe_fixes_are_applied_until_none_is_left_and_others_are_not() {
        let text = ACME
            .replace("trust_domain = \"cluster.local\"", "trust_domain: \"cluster.local\"")
            .replace("network = west-net", "network: west-net")
            .replace("calls    = [catalog]", "calls    = [katalog]");
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let mended = mend(&files, &request(&["mesh.mesh"]), &Levels::default()).unwrap();
        assert_eq!(mended.done.len(), 2, "{:?}", mended.done);
        assert!(mended.done[0].contains("mesh.mesh:13: E0001: write ` =`"), "{:?}", mended.done);
        let changed = mended.texts.get(Path::new("mesh.mesh")).unwrap();
        assert!(changed.contains("trust_domain = \"cluster.local\"") && changed.contains("[katalog]"));
        assert!(safe(&mended.compilation.diagnostics).is_empty());
        assert!(mended.compilation.has_errors(), "what a person has to choose stays");
    }

    /// A comment that swallows a brace is one mistake less and one more: a person has to look at it.
    #[test]
    fn a_fix_after_which_there_are_as_many_errors_is_not_safe() {
        let text = ACME.replace("{ lifetime = 90d }\n}", "{ lifetime = 90d }\n# }");
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let mended = mend(&files, &request(&["mesh.mesh"]), &Levels::default()).unwrap();
        assert!(mended.texts.is_empty() && mended.done.is_empty(), "{:?}", mended.done);
        assert!(mended.compilation.has_errors());
        assert!(safe(&mended.compilation.diagnostics).is_empty());
        let harmless = ACME.replace("network west-net {}", "# first\nnetwork west-net {}");
        let files = MemoryFileSystem::with(&[("mesh.mesh", &harmless)]);
        let mended = mend(&files, &request(&["mesh.mesh"]), &Levels::default()).unwrap();
        assert_eq!(mended.done.len(), 1, "{:?}", mended.done);
        assert!(!mended.compilation.has_errors());
    }

    #[test]
    fn a_mesh_without_findings_is_left_alone() {
        let files = MemoryFileSystem::with(&[("mesh.mesh", ACME)]);
        let mended = mend(&files, &request(&["mesh.mesh"]), &Levels::default()).unwrap();
        assert!(mended.texts.is_empty() && mended.done.is_empty());
    }

    #[test]
    fn files_that_are_named_or_used_are_mended_with_the_values_of_inputs() {
        let entry = "use \"parts/shop.mesh\"\ninput size: integer\nmesh m { trust_domain: \"cluster.local\", trust = own }\n";
        let more = "trust own { root: { common_name = \"root.example\" } }\nnetwork net {}\n";
        let used = "use std.clusters { single }\napply single(name = one, region = \"here\", network: net)\n";
        let texts = [("a.mesh", entry), ("b.mesh", more), ("parts/shop.mesh", used)];
        let mut request = request(&["a.mesh", "b.mesh"]);
        request.definitions.push(String::from("size=3"));
        let mended = mend(&MemoryFileSystem::with(&texts), &request, &Levels::default()).unwrap();
        let text = |name: &str| mended.texts.get(Path::new(name)).cloned().unwrap_or_default();
        assert!(text("a.mesh").contains("trust_domain = "), "{:?}", mended.done);
        assert!(text("b.mesh").contains("trust own { root"), "{:?}", mended.done);
    }
}
