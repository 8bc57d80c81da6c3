//! Text that counts several times: each use of a template's body is a file of its own in the source map.
//!
//! What is made of a copy has places in the copy, so whatever any later stage reports about it can be told apart, and
//! shown where the text is together with what made the copy.

use std::sync::Arc;

use crate::span::Entry;
use crate::{Diagnostic, FileId, Label, SourceMap, Span};

/// So many places are shown of what made a copy.
const MOST_SHOWN: usize = 4;

/// What made a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyKind {
    /// A template that was applied.
    Template,
    /// An element of a list that was gone over.
    Element,
    /// A default for a block that does not say so itself.
    Default,
    /// A change of what is declared elsewhere.
    Override,
}

/// A copy of a file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The file whose text it is.
    pub of: FileId,
    /// What made it.
    pub kind: CopyKind,
    /// What a message calls that: ``template `web` ``, `` `c = west` ``.
    pub name: Arc<str>,
    /// Where it was made; perhaps in another copy.
    pub at: Span,
}

impl SourceMap {
    /// Adds a copy of a file. If it is one of a copy, it is one of that copy's original.
    pub fn copy(&mut self, copied: Copied) -> FileId {
        let of = self.original_file(copied.of);
        let Some(file) = self.entries.get(of.0 as usize).map(|entry| Arc::clone(&entry.file)) else {
            return of;
        };
        let id = FileId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.entries.push(Entry { file, copied: Some(Arc::new(Copied { of, ..copied })) });
        id
    }

    /// What made a file, if it is a copy.
    #[must_use]
    pub fn copied(&self, file: FileId) -> Option<&Copied> {
        self.entries.get(file.0 as usize)?.copied.as_deref()
    }

    /// The file that a person sees.
    #[must_use]
    pub fn original_file(&self, file: FileId) -> FileId {
        self.copied(file).map_or(file, |copied| copied.of)
    }

    /// The place that a person sees.
    #[must_use]
    pub fn original(&self, span: Span) -> Span {
        Span { file: self.original_file(span.file), ..span }
    }

    /// What made a place, from the innermost out: a copy, the copy that it was made in, and so on.
    pub fn origins(&self, span: Span) -> impl Iterator<Item = &Copied> {
        std::iter::successors(self.copied(span.file), |copied| self.copied(copied.at.file))
    }

    fn has_copies(&self) -> bool {
        self.entries.iter().any(|entry| entry.copied.is_some())
    }
}

/// The same findings with the places that a person sees, each with what made it; one mistake in text that was copied is
/// one finding, whose places name the other copies.
#[must_use]
pub fn settled(diagnostics: Vec<Diagnostic>, sources: &SourceMap) -> Vec<Diagnostic> {
    if !sources.has_copies() {
        return diagnostics;
    }
    let mut settled: Vec<(Diagnostic, usize)> = Vec::new();
    for diagnostic in diagnostics {
        let copied = sources.copied(diagnostic.primary.span.file).is_some();
        let diagnostic = seen(diagnostic, sources);
        let same = |(other, _): &&mut (Diagnostic, usize)| {
            copied && other.code == diagnostic.code && other.primary.span == diagnostic.primary.span
        };
        match settled.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => settled.push((diagnostic, 0)),
        }
    }
    let mut settled: Vec<_> = settled
        .into_iter()
        .map(|(mut diagnostic, more)| {
            if more > 0 {
                let times = if more == 1 { String::from("once more") } else { format!("{more} times more") };
                let place = diagnostic.secondary.iter_mut().find(|label| label.text.starts_with(MADE));
                if let Some(label) = place {
                    label.text.push_str(&format!(", and {times} elsewhere"));
                }
            }
            diagnostic
        })
        .collect();
    settled.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    settled.dedup();
    settled
}

/// How the label of a copy begins.
const MADE: &str = "made by ";

/// One finding with the places that a person sees.
fn seen(mut diagnostic: Diagnostic, sources: &SourceMap) -> Diagnostic {
    let made: Vec<Label> = sources
        .origins(diagnostic.primary.span)
        .filter(|copied| copied.kind != CopyKind::Override)
        .take(MOST_SHOWN)
        .map(|copied| Label { span: sources.original(copied.at), text: format!("{MADE}{}", copied.name) })
        .collect();
    diagnostic.primary.span = sources.original(diagnostic.primary.span);
    for label in &mut diagnostic.secondary {
        label.span = sources.original(label.span);
    }
    diagnostic.secondary.extend(made);
    for edit in diagnostic.fix.iter_mut().flat_map(|fix| &mut fix.edits) {
        edit.span = sources.original(edit.span);
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn one_mistake_in_a_copied_text_is_one_finding_at_its_place() {
        let mut sources = SourceMap::default();
        let file = sources.add("mesh.mesh", "template t { x = 1 }\napply t\napply t\n");
        let made = |at: usize| Copied {
            of: file,
            kind: CopyKind::Template,
            name: "template `t`".into(),
            at: Span::new(file, at, at + 7),
        };
        let (first, second) = (sources.copy(made(21)), sources.copy(made(29)));
        assert_eq!(sources.place(Span::new(second, 13, 14)), "mesh.mesh:1");
        let wrong = |file| Diagnostic::error(Code("E0102"), Span::new(file, 13, 14), "no `x`");
        let settled = settled(vec![wrong(first), wrong(second)], &sources);
        let [only] = settled.as_slice() else { panic!("{settled:?}") };
        assert_eq!(only.primary.span, Span::new(file, 13, 14));
        assert_eq!(only.secondary.len(), 1);
        assert_eq!(only.secondary[0].text, "made by template `t`, and once more elsewhere");
        let inner = sources.copy(Copied { of: first, at: Span::new(second, 0, 1), ..made(0) });
        assert_eq!(sources.original_file(inner), file);
        assert_eq!(sources.origins(Span::new(inner, 0, 1)).count(), 2);
    }
}
