//! Conflicts that git left in a text: one mistake each, whatever stands between the marks.

use lang_diagnostics::{Diagnostic, FileId, Sink, Span};

use crate::codes;
use crate::lexer::lex;
use crate::token::TokenKind;

/// How the lines begin that git puts around the two sides, and before what both come from.
const OURS: &str = "<<<<<<<";
const BASE: &str = "|||||||";
const MIDDLE: &str = "=======";
const THEIRS: &str = ">>>>>>>";

/// A line of a text: its place, without the line feed.
#[derive(Clone, Copy)]
struct Line<'t> {
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    /// What follows a mark, if the line is one.
    fn mark(self, mark: &str) -> Option<&'t str> {
        let rest = self.text.strip_prefix(mark)?;
        (rest.is_empty() || rest.starts_with([' ', '\r'])).then(|| rest.trim())
    }

    fn end(self) -> usize {
        self.start + self.text.len()
    }
}

/// The marks of one conflict.
struct Conflict<'t> {
    ours: Line<'t>,
    base: Option<Line<'t>>,
    middle: Line<'t>,
    theirs: Line<'t>,
}

/// Reports each conflict. What comes back is the text with only the first side of each, every other byte of them a space,
/// so that places stay true; `None` if there is no conflict.
pub(super) fn resolved(file: FileId, text: &str, sink: &mut Sink) -> Option<String> {
    // Nearly no text has one, and looking for lines takes longer.
    if !text.contains(OURS) {
        return None;
    }
    let strings = strings(text);
    let mut conflicts = conflicts(text);
    conflicts.retain(|conflict| {
        !strings.iter().any(|(start, end)| *start < conflict.ours.start && conflict.theirs.end() < *end)
    });
    if conflicts.is_empty() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    for conflict in &conflicts {
        sink.push(report(file, conflict));
        let second = conflict.base.unwrap_or(conflict.middle).start..conflict.theirs.end();
        for range in [conflict.ours.start..conflict.ours.end(), second] {
            for byte in bytes.get_mut(range).unwrap_or_default().iter_mut().filter(|byte| **byte != b'\n') {
                *byte = b' ';
            }
        }
    }
    // Whole lines were replaced, so no character was cut.
    String::from_utf8(bytes).ok()
}

/// The places of strings over several lines, where such marks are text.
fn strings(text: &str) -> Vec<(usize, usize)> {
    let raw = lex(text).into_iter().filter(|token| token.kind == TokenKind::RawString);
    raw.map(|token| (token.start as usize, token.end as usize)).collect()
}

fn conflicts(text: &str) -> Vec<Conflict<'_>> {
    let mut found = Vec::new();
    let (mut ours, mut base, mut middle) = (None, None, None);
    let mut start = 0;
    for text in text.split('\n') {
        let line = Line { start, text };
        start += text.len() + 1;
        if line.mark(OURS).is_some() {
            (ours, base, middle) = (Some(line), None, None);
        } else if line.mark(BASE).is_some() && middle.is_none() {
            base = Some(line);
        } else if line.mark(MIDDLE).is_some() {
            middle = Some(line);
        } else if line.mark(THEIRS).is_some()
            && let (Some(ours), Some(middle)) = (ours.take(), middle.take())
        {
            found.push(Conflict { ours, base: base.take(), middle, theirs: line });
        }
    }
    found
}

fn report(file: FileId, conflict: &Conflict<'_>) -> Diagnostic {
    let span = |line: Line<'_>| Span::new(file, line.start, line.start + line.text.trim_end().len());
    let side = |line: Line<'_>, mark| match line.mark(mark) {
        Some(name) if !name.is_empty() => format!("`{name}`"),
        Some(_) | None => String::from("a side without a name"),
    };
    let (ours, theirs) = (side(conflict.ours, OURS), side(conflict.theirs, THEIRS));
    Diagnostic::error(
        codes::CONFLICT,
        span(conflict.ours),
        format!("git could not merge {ours} and {theirs} here"),
    )
    .label(format!("what {ours} has begins here"))
    .also(span(conflict.middle), format!("what {theirs} has begins here"))
    .also(span(conflict.theirs), "and ends here")
    .help("keep one side, or what both are meant to say, and remove the lines with the marks")
}
