//! One line for each diagnostic: for terminals that are narrow, for `grep`, and for editors that read what compilers say.

use super::visible::one_line;
use crate::{Diagnostic, Severity, SourceMap};

/// `file:line:column: error[E0301]: message` for each diagnostic, in the given order.
#[must_use]
pub fn render_short(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    diagnostics.iter().map(|diagnostic| line(diagnostic, sources)).collect()
}

fn line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let span = diagnostic.primary.span;
    let name = sources.get(span.file).map_or("?", |file| file.name());
    let (line, column) = sources.line_column(span).map_or((1, 1), |place| (place.line, place.column));
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let message = one_line(&diagnostic.message);
    format!("{}:{line}:{column}: {word}[{}]: {message}\n", one_line(name), diagnostic.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};

    #[test]
    fn place_severity_code_and_message_are_on_one_line() {
        let mut sources = SourceMap::default();
        let file = sources.add("a b/mesh.mesh", "é = 1\né = 2\n");
        let found = [
            Diagnostic::error(Code("E0001"), Span::new(file, 10, 11), "odd\n\u{1b}[31m"),
            Diagnostic::warning(Code("W0002"), Span::new(file, 0, 0), "second").help("not shown"),
        ];
        let expected =
            "a b/mesh.mesh:2:3: error[E0001]: odd ?[31m\na b/mesh.mesh:1:1: warning[W0002]: second\n";
        assert_eq!(render_short(&found, &sources), expected);
    }
}
