//! Diagnostics as annotations of GitHub's checks.
//!
//! The format: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use crate::{Diagnostic, Severity, SourceMap};

/// One workflow command for each diagnostic, in the given order; the advice follows the message.
#[must_use]
pub fn render_github(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    diagnostics.iter().map(|diagnostic| command(diagnostic, sources)).collect()
}

/// A failure without a place in a source file.
#[must_use]
pub fn render_github_failure(severity: Severity, message: &str, help: Option<&str>) -> String {
    format!("::{}::{}\n", word(severity), data(&with_help(message, help)))
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn with_help(message: &str, help: Option<&str>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}\nhelp: {help}"))
}

fn command(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let span = diagnostic.primary.span;
    let file = sources.get(span.file);
    let place = |offset: u32| {
        file.map_or((1, 1), |file| {
            let place = file.line_column(offset);
            (place.line, place.column)
        })
    };
    let ((line, column), (end_line, end_column)) = (place(span.start), place(span.end));
    // Columns mean something only where the place is on one line; the last one is inclusive there.
    let columns = if line == end_line {
        format!(",col={column},endColumn={}", end_column.saturating_sub(1).max(column))
    } else {
        String::new()
    };
    format!(
        "::{} file={},line={line},endLine={end_line}{columns},title={}::{}\n",
        word(diagnostic.severity),
        property(file.map_or("?", |file| file.name())),
        property(diagnostic.code.0),
        data(&with_help(&diagnostic.message, diagnostic.help.as_deref())),
    )
}

/// The text of a command, where a line feed would end it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, where `:` and `,` have a meaning besides.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};

    #[test]
    fn what_has_a_meaning_in_commands_is_written_otherwise() {
        let mut sources = SourceMap::default();
        let file = sources.add("a,b:c.mesh", "one\ntwo = 2\n");
        let found = [
            Diagnostic::error(Code("E0001"), Span::new(file, 4, 7), "50%\nof it").help("do: this"),
            Diagnostic::warning(Code("W0002"), Span::new(file, 0, 7), "second"),
        ];
        let expected = "\
::error file=a%2Cb%3Ac.mesh,line=2,endLine=2,col=1,endColumn=3,title=E0001::50%25%0Aof it%0Ahelp: do: this
::warning file=a%2Cb%3Ac.mesh,line=1,endLine=2,title=W0002::second
";
        assert_eq!(render_github(&found, &sources), expected);
        let failure = render_github_failure(Severity::Error, "cannot read `a`", Some("name it"));
        assert_eq!(failure, "::error::cannot read `a`%0Ahelp: name it\n");
    }
}
