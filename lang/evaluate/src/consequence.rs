//! Which findings about names and types are only consequences of a mistake in the text.
//!
//! The parser recovers and goes on, so that one misplaced brace does not hide the rest of a file. But what it could not
//! read is missing from the tree, and after a brace too many or too few, blocks stand in the wrong place. Whoever reads
//! the report would have to find the one real mistake among a dozen; so what a mistake in the text may explain is left
//! out, and shows up in the next run if it is real.

use std::collections::HashSet;

use lang_diagnostics::{Diagnostic, FileId, SourceMap, Span};

use crate::codes;
use crate::schema::{Kind, Schema};

/// The findings that `mistakes` in the text do not explain.
pub(crate) fn independent(
    found: Vec<Diagnostic>,
    mistakes: &[Diagnostic],
    schema: Schema,
    sources: &SourceMap,
) -> Vec<Diagnostic> {
    if mistakes.is_empty() {
        return found;
    }
    let lines: HashSet<_> = mistakes.iter().map(|mistake| line(mistake.primary.span, sources)).collect();
    found
        .into_iter()
        .filter(|finding| {
            let span = finding.primary.span;
            // What is said about a line that could not be read as a whole.
            !(lines.contains(&line(span, sources))
                || is_absence(finding)
                || is_known_elsewhere(finding, schema, sources))
        })
        .collect()
}

/// The line on which a place begins.
fn line(span: Span, sources: &SourceMap) -> (FileId, Option<u32>) {
    (sources.original_file(span.file), sources.line_column(span).map(|place| place.line))
}

/// Something is missing that may stand where nothing could be read. An unknown name with a near one is a typing mistake
/// and no absence.
fn is_absence(finding: &Diagnostic) -> bool {
    let missing = [codes::MISSING_ATTRIBUTE, codes::MISSING_BLOCK].contains(&finding.code);
    let near = finding.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
    missing || (finding.code == codes::UNKNOWN_NAME && !near)
}

/// A word that the schema knows in another place: the braces around it are probably not where they should be.
fn is_known_elsewhere(finding: &Diagnostic, schema: Schema, sources: &SourceMap) -> bool {
    let misplaced = [
        codes::UNKNOWN_KIND,
        codes::UNKNOWN_ATTRIBUTE,
        codes::REPEATED_BLOCK,
        codes::ATTRIBUTE_FOR_BLOCK,
        codes::BLOCK_FOR_ATTRIBUTE,
    ];
    let word = sources.text(finding.primary.span).unwrap_or_default();
    misplaced.contains(&finding.code) && knows(schema.file, word)
}

/// Whether a kind or anything in it has the word.
fn knows(kind: &Kind, word: &str) -> bool {
    kind.word == word
        || kind.attribute(word).is_some()
        || kind.blocks.iter().any(|nested| knows(nested.kind, word))
}
