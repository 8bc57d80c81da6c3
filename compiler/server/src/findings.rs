//! What is found in meshes, for clients: one list for each file, told when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lang_diagnostics::{Diagnostic as Finding, Severity, SourceMap};
use ls_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location, NumberOrString,
    Position, Range,
};
use meshc_driver::{ENTRY, Levels};

use crate::world::World;

/// What a diagnostic of this server is from.
pub(crate) const SOURCE: &str = "meshc";

/// Findings about what can be removed, which editors show in grey.
const UNNECESSARY: [&str; 2] = ["W0130", "W0711"];

/// What is found in a mesh, by file: also an empty list for each of its files.
pub(crate) fn of_mesh(world: &World, entry: &Path) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut found: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    let Some(mesh) = world.meshes.get(entry) else { return found };
    for file in &mesh.files {
        found.entry(file.clone()).or_default();
    }
    let Some(analysis) = &mesh.analysis else { return found };
    for finding in analysis.diagnostics(&Levels::default()) {
        let Some((file, diagnostic)) = converted(world, &finding, &analysis.sources) else { continue };
        found.entry(file).or_default().push(diagnostic);
    }
    if entry.file_name().is_none_or(|name| name != ENTRY) {
        let alone = Diagnostic {
            range: Range { start: Position::new(0, 0), end: Position::new(0, 0) },
            severity: Some(DiagnosticSeverity::INFORMATION),
            source: Some(SOURCE.to_owned()),
            message: format!("no `{ENTRY}` above this file uses it, so it is checked on its own"),
            ..Diagnostic::default()
        };
        found.entry(entry.to_path_buf()).or_default().push(alone);
    }
    found
}

/// A finding, and the file that it is in.
pub(crate) fn converted(
    world: &World,
    finding: &Finding,
    sources: &SourceMap,
) -> Option<(PathBuf, Diagnostic)> {
    let file = sources.get(finding.primary.span.file)?;
    let range = world.range_in(file.name(), file.text(), finding.primary.span);
    let related: Vec<_> = finding
        .secondary
        .iter()
        .filter_map(|label| {
            let location: Location = world.location(sources, label.span)?;
            Some(DiagnosticRelatedInformation { location, message: label.text.clone() })
        })
        .collect();
    let diagnostic = Diagnostic {
        range,
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(finding.code.0.to_owned())),
        code_description: None,
        source: Some(SOURCE.to_owned()),
        message: message(finding),
        related_information: (!related.is_empty()).then_some(related),
        tags: UNNECESSARY.contains(&finding.code.0).then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    };
    Some((PathBuf::from(file.name()), diagnostic))
}

/// The sentence, what is said at the place, and the advice.
fn message(finding: &Finding) -> String {
    let mut message = finding.message.clone();
    if !finding.primary.text.is_empty() {
        message.push_str(": ");
        message.push_str(&finding.primary.text);
    }
    if let Some(help) = &finding.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    message
}

/// What was found, and what a client was told of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By file, then by mesh: a file may be part of several.
    found: BTreeMap<PathBuf, BTreeMap<PathBuf, Vec<Diagnostic>>>,
    told: BTreeMap<PathBuf, Vec<Diagnostic>>,
}

impl Told {
    /// Replaces what was found in a mesh.
    pub(crate) fn replace(&mut self, entry: &Path, mut found: BTreeMap<PathBuf, Vec<Diagnostic>>) {
        for (file, meshes) in &mut self.found {
            match found.remove(file) {
                Some(list) => meshes.insert(entry.to_path_buf(), list),
                None => meshes.remove(entry),
            };
        }
        for (file, list) in found {
            self.found.entry(file).or_default().insert(entry.to_path_buf(), list);
        }
    }

    /// What is found in a file, in every mesh that it is part of.
    pub(crate) fn of_file(&self, file: &Path) -> Vec<Diagnostic> {
        let mut all: Vec<Diagnostic> = Vec::new();
        for diagnostic in self.found.get(file).into_iter().flat_map(BTreeMap::values).flatten() {
            if !all.contains(diagnostic) {
                all.push(diagnostic.clone());
            }
        }
        all
    }

    /// The files whose list is another than what was told, with that list. They count as told.
    pub(crate) fn news(&mut self) -> Vec<(PathBuf, Vec<Diagnostic>)> {
        let files: BTreeSet<PathBuf> = self.found.keys().chain(self.told.keys()).cloned().collect();
        let mut news = Vec::new();
        for file in files {
            let now = self.of_file(&file);
            if self.told.get(&file).map_or(now.is_empty(), |before| *before == now) {
                continue;
            }
            if now.is_empty() {
                self.told.remove(&file);
            } else {
                self.told.insert(file.clone(), now.clone());
            }
            news.push((file, now));
        }
        self.found.retain(|_, meshes| !meshes.is_empty());
        news
    }

    /// Forgets what was told of a file, because its client takes it in another way now.
    pub(crate) fn forget(&mut self, file: &Path) -> bool {
        self.told.remove(file).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(message: &str) -> Vec<Diagnostic> {
        vec![Diagnostic { message: message.to_owned(), ..Diagnostic::default() }]
    }

    #[test]
    fn only_what_changes_is_told_and_what_is_gone_is_told_as_empty() {
        let (a, b, shared) = (PathBuf::from("/a"), PathBuf::from("/b"), PathBuf::from("/shared"));
        let mut told = Told::default();
        told.replace(&a, BTreeMap::from([(a.clone(), Vec::new()), (shared.clone(), list("x"))]));
        assert_eq!(told.news(), [(shared.clone(), list("x"))]);
        assert_eq!(told.news(), []);
        // The same in another mesh is the same.
        told.replace(&b, BTreeMap::from([(shared.clone(), list("x"))]));
        assert_eq!(told.news(), []);
        told.replace(&a, BTreeMap::new());
        assert_eq!(told.news(), [], "the other mesh still has it");
        told.replace(&b, BTreeMap::new());
        assert_eq!(told.news(), [(shared, Vec::new())]);
    }
}
