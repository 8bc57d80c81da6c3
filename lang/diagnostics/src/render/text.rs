//! Diagnostics as text with marked source lines, through miette.

use std::collections::BTreeMap;
use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceSpan};

use super::fix;
use super::source::{Shown, shown};
use super::visible::{one_line, visible};
use crate::{Diagnostic, FileId, Label, Severity, SourceMap};

/// How many errors, and how many warnings, of one file are shown: nobody reads on, and a file that is no mesh at all
/// must not fill the terminal for minutes. The others are counted.
const MOST_OF_A_FILE: usize = 50;

/// How text is laid out.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions {
    /// Columns of the terminal; messages wrap there, source lines never do.
    pub width: usize,
    /// Whether to use ANSI colours.
    pub color: bool,
}

/// Shows every diagnostic with its places, advice and fix, in the given order, separated by empty lines. Places of
/// one diagnostic are grouped by file, the file of the primary place first.
#[must_use]
pub fn render_text(diagnostics: &[Diagnostic], sources: &SourceMap, options: RenderOptions) -> String {
    let theme = if options.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).with_width(options.width.max(20));
    let files = shown(sources);
    let mut text = String::new();
    let mut counts: BTreeMap<(FileId, Severity), usize> = BTreeMap::new();
    for diagnostic in diagnostics {
        let count = counts.entry((diagnostic.primary.span.file, diagnostic.severity)).or_default();
        *count += 1;
        if *count > MOST_OF_A_FILE {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&first_line(diagnostic, options.color));
        for report in reports(diagnostic, sources, &files) {
            let mut shown = String::new();
            // Writing into a string cannot fail; miette's own failures are texts in the output. Its first line is for
            // the message, which stands above already.
            if handler.render_report(&mut shown, &report).is_ok() {
                text.push_str(shown.split_once('\n').map_or("", |(_, rest)| rest));
            }
        }
    }
    for ((file, severity), count) in counts {
        if let Some(more) = count.checked_sub(MOST_OF_A_FILE).filter(|more| *more > 0) {
            let name = files.get(file.0 as usize).map_or("?", Shown::name);
            let what = match (severity, more) {
                (Severity::Error, 1) => "error",
                (Severity::Error, _) => "errors",
                (Severity::Warning, 1) => "warning",
                (Severity::Warning, _) => "warnings",
            };
            text.push_str(&format!("\n{more} more {what} in {name} not shown\n"));
        }
    }
    trimmed(&text)
}

/// `error[E0301]: message`: everything that a reader of many findings needs, on one line however long it is, so that a
/// search finds it.
fn first_line(diagnostic: &Diagnostic, color: bool) -> String {
    let (word, colour) = match diagnostic.severity {
        Severity::Error => ("error", "\u{1b}[1;31m"),
        Severity::Warning => ("warning", "\u{1b}[1;33m"),
    };
    let (colour, bold, reset) = if color { (colour, "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
    let (code, message) = (diagnostic.code, one_line(&diagnostic.message));
    format!("{colour}{word}[{code}]{reset}{bold}: {message}{reset}\n")
}

/// miette pads some lines with blanks; goldens and terminals are better off without them.
fn trimmed(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    lines.fold(String::with_capacity(text.len()), |mut text, line| {
        text.push_str(line);
        text.push('\n');
        text
    })
}

/// The places of one diagnostic as miette sees them: all labels of a report index one source, so each file is a report
/// of its own. The advice stands on the last.
fn reports<'a>(diagnostic: &Diagnostic, sources: &SourceMap, files: &'a [Shown<'a>]) -> Vec<Report<'a>> {
    let mut places: Vec<FileId> = vec![diagnostic.primary.span.file];
    for label in &diagnostic.secondary {
        if !places.contains(&label.span.file) {
            places.push(label.span.file);
        }
    }
    let last = places.len() - 1;
    let advice = || {
        let advice = fix::advice(diagnostic.help.as_deref(), diagnostic.fix.as_ref(), sources);
        advice.map(|advice| visible(&advice).into_owned())
    };
    let report = |(position, file): (usize, FileId)| {
        let is_first = position == 0;
        let source = files.get(file.0 as usize);
        let length = source.map_or(0, Shown::length);
        let primary = is_first.then(|| labelled(&diagnostic.primary, length, true));
        let secondary = diagnostic.secondary.iter().filter(|label| label.span.file == file);
        Report {
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            labels: primary
                .into_iter()
                .chain(secondary.map(|label| labelled(label, length, false)))
                .collect(),
            source,
            help: if position == last { advice() } else { None },
        }
    };
    places.into_iter().enumerate().map(report).collect()
}

/// A label as miette wants it: inside the text, and without text if it has none.
fn labelled(label: &Label, length: usize, primary: bool) -> LabeledSpan {
    let start = (label.span.start as usize).min(length);
    let end = (label.span.end as usize).clamp(start, length);
    let span = SourceSpan::from(start..end);
    let text = (!label.text.is_empty()).then(|| visible(&label.text).into_owned());
    if primary {
        LabeledSpan::new_primary_with_span(text, span)
    } else {
        LabeledSpan::new_with_span(text, span)
    }
}

/// What miette asks for.
#[derive(Debug)]
struct Report<'a> {
    severity: miette::Severity,
    labels: Vec<LabeledSpan>,
    source: Option<&'a Shown<'a>>,
    help: Option<String>,
}

impl fmt::Display for Report<'_> {
    /// Empty: the message is the first line, which miette does not write.
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Applicability, Code, Edit, Fix, Span};

    #[test]
    fn of_one_file_only_so_many_are_shown_and_the_others_counted() {
        let mut sources = SourceMap::default();
        let (one, other) = (sources.add("a.mesh", "a\n"), sources.add("b.mesh", "b\n"));
        let errors = |file, count| {
            (0..count).map(move |number| {
                Diagnostic::error(Code("E0300"), Span::new(file, 0, 1), format!("mistake {number}"))
            })
        };
        let mut all: Vec<_> = errors(one, 53).chain(errors(other, 50)).collect();
        all.push(Diagnostic::warning(Code("W0300"), Span::new(one, 0, 1), "a doubt"));
        let shown = render_text(&all, &sources, RenderOptions { width: 80, color: false });
        assert_eq!(shown.matches("mistake").count(), 100);
        assert_eq!(shown.matches("a doubt").count(), 1);
        assert!(shown.ends_with("\n3 more errors in a.mesh not shown\n"), "{shown}");
    }

    #[test]
    fn places_are_grouped_by_file_and_advice_comes_last() {
        let mut sources = SourceMap::default();
        let mesh = sources.add("mesh.mesh", "service web {\n  calls = [catalog]\n}\n");
        let base = sources.add("lib/base.mesh", "\npolicy closed {\n  allow { from = [other] }\n}\n");
        let edit = Edit { span: Span::new(base, 40, 40), text: String::from(", web") };
        let diagnostic =
            Diagnostic::error(Code("E0300"), Span::new(mesh, 25, 32), "`catalog` does not admit `web`")
                .label("called here")
                .also(Span::new(base, 35, 40), "admits only these")
                .also(Span::new(mesh, 8, 11), "the caller")
                .help("admit the caller or drop the call")
                .fix(Fix {
                    title: "admit `web`".into(),
                    applicability: Applicability::Suggested,
                    edits: vec![edit],
                });
        let shown = render_text(&[diagnostic], &sources, RenderOptions { width: 80, color: false });
        let expected = "\
error[E0300]: `catalog` does not admit `web`
   ╭─[mesh.mesh:2:12]
 1 │ service web {
   ·         ─┬─
   ·          ╰── the caller
 2 │   calls = [catalog]
   ·            ───┬───
   ·               ╰── called here
 3 │ }
   ╰────
   ╭─[lib/base.mesh:3:19]
 2 │ policy closed {
 3 │   allow { from = [other] }
   ·                   ──┬──
   ·                     ╰── admits only these
 4 │ }
   ╰────
  help: admit the caller or drop the call
        did you mean to admit `web`?
            allow { from = [other, web] }
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_lies_between_distant_places_is_left_out() {
        let mut sources = SourceMap::default();
        let text: String = (1..=400).map(|number| format!("é{number:03} = 1\n")).collect();
        let mesh = sources.add("mesh.mesh", text.as_str());
        // Each line has ten bytes, the first two of which are one character.
        let place = |line: usize| Span::new(mesh, (line - 1) * 10 + 2, (line - 1) * 10 + 5);
        let diagnostic = Diagnostic::error(Code("E0001"), place(300), "twice")
            .label("again")
            .also(place(200), "first")
            .also(place(201), "second");
        let shown = render_text(&[diagnostic], &sources, RenderOptions { width: 80, color: false });
        let expected = "\
error[E0001]: twice
     ╭─[mesh.mesh:200:2]
 199 │ é199 = 1
 200 │ é200 = 1
     ·  ─┬─
     ·   ╰── first
 201 │ é201 = 1
     ·  ─┬─
     ·   ╰── second
 202 │ é202 = 1
     ╰────
     ╭─[mesh.mesh:300:2]
 299 │ é299 = 1
 300 │ é300 = 1
     ·  ─┬─
     ·   ╰── again
 301 │ é301 = 1
     ╰────
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn of_a_very_long_line_only_what_is_around_the_place_is_shown() {
        let mut sources = SourceMap::default();
        let text = format!("first\n{}wrong{}\nlast\n", "é".repeat(50_000), "→".repeat(50_000));
        let mesh = sources.add("mesh.mesh", text.as_str());
        let diagnostic = Diagnostic::error(Code("E0001"), Span::new(mesh, 100_006, 100_011), "odd");
        let shown = render_text(&[diagnostic], &sources, RenderOptions { width: 80, color: false });
        let line = format!(" 2 │ {}wrong{}\n", "é".repeat(30), "→".repeat(20));
        assert!(shown.contains("[mesh.mesh:2:50001]") && shown.contains(&line), "{shown}");
        assert!(shown.len() < 1000, "{shown}");
    }

    #[test]
    fn a_place_outside_of_the_text_is_shown_at_its_end() {
        let mut sources = SourceMap::default();
        let mesh = sources.add("mesh.mesh", "a\n");
        let options = RenderOptions { width: 80, color: false };
        for span in [Span::new(mesh, 2, 2), Span::new(mesh, 9, 12), Span::new(FileId(7), 1, 2)] {
            let shown = render_text(&[Diagnostic::warning(Code("W0001"), span, "late")], &sources, options);
            assert!(shown.contains("late"), "{shown}");
            assert!(!shown.contains("Failed"), "{shown}");
        }
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let mut sources = SourceMap::default();
        let mesh = sources.add("mesh.mesh", "a = \u{1b}[31m\n");
        let diagnostic = [Diagnostic::error(Code("E0001"), Span::new(mesh, 4, 5), "odd \u{1b}[31m")];
        let shown = |color| render_text(&diagnostic, &sources, RenderOptions { width: 80, color });
        assert!(!shown(false).contains('\u{1b}'));
        assert!(shown(true).contains('\u{1b}') && !shown(true).contains("\u{1b}[31m\n"));
    }

    #[test]
    fn the_first_line_has_severity_code_and_the_whole_message_however_long() {
        let mut sources = SourceMap::default();
        let mesh = sources.add("mesh.mesh", "a\n");
        let long = "word ".repeat(100);
        let warning = Diagnostic::warning(Code("W0001"), Span::new(mesh, 0, 1), format!("{long}\nend"));
        let shown = render_text(&[warning], &sources, RenderOptions { width: 40, color: false });
        assert_eq!(shown.lines().next(), Some(format!("warning[W0001]: {long} end").as_str()));
        let frame = "   ╭─[mesh.mesh:1:1]\n 1 │ a\n   · ─\n   ╰────\n";
        assert_eq!(shown.split_once('\n').unwrap().1, frame);
    }
}
