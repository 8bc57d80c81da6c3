//! Which findings a fixture of a test is about.

use std::collections::BTreeSet;

use crate::{Diagnostic, Severity};

/// What begins a line of a fixture that names codes, behind the mark of a comment.
const ABOUT: &str = "about:";

/// The warnings that a fixture names: by what its folder's name begins with (`W0321-…`), and on lines `// about: W0321` of
/// its text. All errors count always, so that a new warning changes no fixture but its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    codes: BTreeSet<String>,
}

impl Fixture {
    /// The fixture in a folder of this name, with this text.
    #[must_use]
    pub fn new(folder: &str, text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
        let named = lines.filter_map(|line| line.trim_start().strip_prefix(ABOUT));
        let words = named.flat_map(|codes| codes.split(|c: char| c == ',' || c.is_whitespace()));
        let words = words.chain(folder.split('-').next());
        Self { codes: words.filter(|word| is_code(word)).map(str::to_owned).collect() }
    }

    /// The codes, in order.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(String::as_str)
    }

    /// Whether a finding is shown.
    #[must_use]
    pub fn shows(&self, found: &Diagnostic) -> bool {
        match found.severity {
            Severity::Error => true,
            Severity::Warning => self.codes.contains(found.code.0),
        }
    }
}

fn is_code(word: &str) -> bool {
    word.strip_prefix(['E', 'W'])
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, RenderOptions, SourceMap, Span, render_text};

    #[test]
    fn a_warning_that_no_fixture_names_changes_none() {
        let mut sources = SourceMap::default();
        let file = sources.add("mesh.mesh", "mesh shop {}");
        let span = Span::new(file, 0, 4);
        let warning = |code| Diagnostic::warning(Code(code), span, "something to look at");
        let error = Diagnostic::error(Code("E0301"), span, "something wrong");
        let shown = |fixture: &Fixture, all: &[Diagnostic]| {
            let kept: Vec<Diagnostic> = all.iter().filter(|found| fixture.shows(found)).cloned().collect();
            render_text(&kept, &sources, RenderOptions { width: 100, color: false })
        };
        let by_folder = Fixture::new("W0321-nobody-calls", "mesh shop {}");
        let by_text = Fixture::new("capture", "  // about: W0321, W0999\nmesh shop {}");
        let of_error = Fixture::new("E0301-refused-call", "// about the shop: W0321");
        let before = [warning("W0321"), error.clone()];
        let after = [warning("W0321"), warning("W0777"), error.clone()];
        for fixture in [&by_folder, &by_text, &of_error] {
            assert_eq!(shown(fixture, &before), shown(fixture, &after));
            assert!(shown(fixture, &after).contains("E0301"), "errors count always");
        }
        assert!(shown(&by_folder, &before).contains("W0321") && shown(&by_text, &before).contains("W0321"));
        assert!(!shown(&of_error, &before).contains("W0321"));
        assert_eq!(by_text.codes().collect::<Vec<_>>(), ["W0321", "W0999"]);
    }
}
