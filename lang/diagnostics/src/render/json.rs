//! Diagnostics as JSON Lines: a format of our own, because programs want lines and columns besides bytes.

use serde::Serialize;

use crate::{Diagnostic, Label, Severity, SourceMap, Span};

/// One JSON object per diagnostic and line, in the given order.
///
/// ```json
/// {"code":"E0006","severity":"error","message":"…","primary":LABEL,"secondary":[LABEL],"help":"…","fix":FIX}
/// ```
///
/// `LABEL` is `{"file":"mesh.mesh","start":POSITION,"end":POSITION,"text":"…"}`, a `POSITION` is
/// `{"offset":12,"line":2,"column":3}` with a zero-based byte offset, one-based lines, and one-based columns in Unicode
/// scalar values; `end` is exclusive. `FIX` is `{"title":"…","applicability":"safe"|"suggested","edits":[EDIT]}`, and an
/// `EDIT` is a `LABEL` whose `text` replaces the range. `help` and `fix` may be `null`.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        // Strings and numbers always serialize.
        if let Ok(line) = serde_json::to_string(&record(diagnostic, sources)) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    lines
}

#[derive(Serialize)]
struct Record<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    primary: Place<'a>,
    secondary: Vec<Place<'a>>,
    help: Option<&'a str>,
    fix: Option<FixRecord<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    start: Position,
    end: Position,
    text: &'a str,
}

#[derive(Serialize)]
struct Position {
    offset: u32,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct FixRecord<'a> {
    title: &'a str,
    applicability: &'static str,
    edits: Vec<Place<'a>>,
}

fn record<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Record<'a> {
    let labelled = |label: &'a Label| place(label.span, &label.text, sources);
    Record {
        code: diagnostic.code.0,
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: &diagnostic.message,
        primary: labelled(&diagnostic.primary),
        secondary: diagnostic.secondary.iter().map(labelled).collect(),
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(|fix| FixRecord {
            title: &fix.title,
            applicability: fix.applicability.text(),
            edits: fix.edits.iter().map(|edit| place(edit.span, &edit.text, sources)).collect(),
        }),
    }
}

fn place<'a>(span: Span, text: &'a str, sources: &'a SourceMap) -> Place<'a> {
    let source = sources.get(span.file);
    let position = |offset: u32| {
        let place = source.map(|source| source.line_column(offset));
        let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
        Position { offset, line, column }
    };
    let file = source.map_or("?", |source| source.name());
    Place { file, start: position(span.start), end: position(span.end), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Applicability, Code, Edit, Fix};

    #[test]
    fn one_object_per_line_with_bytes_lines_and_columns() {
        let mut sources = SourceMap::default();
        let file = sources.add("mesh.mesh", "é = 1\nb = 2\n");
        let edit = Edit { span: Span::new(file, 7, 8), text: String::from("c") };
        let diagnostics = [
            Diagnostic::error(Code("E0001"), Span::new(file, 7, 8), "a \"quoted\"\nmessage")
                .label("here")
                .also(Span::new(file, 0, 2), "")
                .help("help")
                .fix(Fix { title: "rename".into(), applicability: Applicability::Safe, edits: vec![edit] }),
            Diagnostic::warning(Code("W0002"), Span::new(file, 0, 0), "second"),
        ];
        let expected = concat!(
            r#"{"code":"E0001","severity":"error","message":"a \"quoted\"\nmessage","#,
            r#""primary":{"file":"mesh.mesh","start":{"offset":7,"line":2,"column":1},"#,
            r#""end":{"offset":8,"line":2,"column":2},"text":"here"},"#,
            r#""secondary":[{"file":"mesh.mesh","start":{"offset":0,"line":1,"column":1},"#,
            r#""end":{"offset":2,"line":1,"column":2},"text":""}],"help":"help","#,
            r#""fix":{"title":"rename","applicability":"safe","edits":[{"file":"mesh.mesh","#,
            r#""start":{"offset":7,"line":2,"column":1},"end":{"offset":8,"line":2,"column":2},"text":"c"}]}}"#,
            "\n",
            r#"{"code":"W0002","severity":"warning","message":"second","primary":{"file":"mesh.mesh","#,
            r#""start":{"offset":0,"line":1,"column":1},"end":{"offset":0,"line":1,"column":1},"text":""},"#,
            r#""secondary":[],"help":null,"fix":null}"#,
            "\n",
        );
        assert_eq!(render_json(&diagnostics, &sources), expected);
    }
}
