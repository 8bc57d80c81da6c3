//! How loud each finding is: what the command line and comments in the sources say of a code.
//!
//! Errors have no level: what they are about cannot be compiled.

mod directive;

use std::collections::BTreeMap;

use lang_diagnostics::{
    Applicability, Code, Diagnostic, Edit, FileId, Fix, Severity, SourceMap, Span, suggest,
};
use thiserror::Error;

use crate::codes;
use directive::{Directive, Reach};

/// How loud a warning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is not shown.
    Allow,
    /// It is shown.
    Warn,
    /// It is an error.
    Deny,
}

/// What a level is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Every warning that has no level of its own.
    Warnings,
    /// One code.
    Code(Code),
}

/// Why a level cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LevelError {
    /// No such code.
    #[error("there is no code `{word}`")]
    Unknown {
        /// What was written.
        word: String,
        /// The nearest code that exists.
        near: Option<&'static str>,
    },
    /// Errors stop the compiler.
    #[error("`{0}` is an error, and errors cannot be lowered")]
    Lowered(&'static str),
}

/// Levels of codes. What is said of a code itself goes before what is said of `warnings`, and of several levels of one
/// code the strictest holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    set: BTreeMap<Subject, Level>,
}

impl Levels {
    /// Sets the level of a code, or of all `warnings`.
    ///
    /// # Errors
    /// If there is no such code, or if it is an error's and would be lowered.
    pub fn set(&mut self, word: &str, level: Level) -> Result<(), LevelError> {
        let subject = subject(word, level)?;
        let strictest = self.set.get(&subject).map_or(level, |before| level.max(*before));
        self.set.insert(subject, strictest);
        Ok(())
    }

    fn of(&self, subject: Subject) -> Option<Level> {
        self.set.get(&subject).copied()
    }
}

fn subject(word: &str, level: Level) -> Result<Subject, LevelError> {
    if word == "warnings" {
        return Ok(Subject::Warnings);
    }
    let wanted = word.to_ascii_uppercase();
    let all = codes::all();
    let Some(info) = all.iter().find(|info| info.code.0 == wanted) else {
        return Err(LevelError::Unknown {
            word: word.to_owned(),
            near: suggest(&wanted, all.iter().map(|info| info.code.0)),
        });
    };
    match level {
        Level::Allow | Level::Warn if info.code.0.starts_with('E') => Err(LevelError::Lowered(info.code.0)),
        Level::Allow | Level::Warn | Level::Deny => Ok(Subject::Code(info.code)),
    }
}

/// What holds in one compilation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    asked: Levels,
    everywhere: Levels,
    lines: Vec<Exception>,
}

/// A comment that allows findings on one line.
#[derive(Clone, Debug)]
struct Exception {
    file: FileId,
    /// The line whose findings are allowed, one-based.
    line: u32,
    subjects: Vec<Subject>,
    /// The comment, and what is taken away with it.
    comment: Span,
    whole: Span,
    /// What was allowed so far.
    used: Vec<Code>,
}

impl Policy {
    /// Reads the comments of all files, and reports those that are mistaken. Levels for everything stand in the entry file.
    pub(crate) fn read(
        asked: &Levels,
        entry: FileId,
        sources: &SourceMap,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut policy = Self { asked: asked.clone(), ..Self::default() };
        // A copy has the comments of its original, and findings have their places there.
        let files = (0..).map(FileId).map_while(|id| sources.get(id).map(|_| id));
        for file in files.filter(|file| sources.copied(*file).is_none()) {
            let text = sources.get(file).map_or("", |file| file.text());
            for directive in directive::all(file, text, found) {
                policy.add(directive, file == entry, sources, found);
            }
        }
        policy
    }

    fn add(
        &mut self,
        directive: Directive,
        in_entry: bool,
        sources: &SourceMap,
        found: &mut Vec<Diagnostic>,
    ) {
        let mut subjects = Vec::new();
        for word in &directive.words {
            match subject(&word.value, directive.level) {
                Ok(subject) => subjects.push((subject, &word.value)),
                Err(error) => found.push(report(&error, word.span)),
            }
        }
        match directive.reach {
            Reach::Everywhere if in_entry => {
                for (_, word) in subjects {
                    // It was understood above.
                    let _ = self.everywhere.set(word, directive.level);
                }
            }
            Reach::Everywhere => found.push(
                Diagnostic::error(
                    codes::BAD_DIRECTIVE,
                    directive.comment,
                    "levels for the whole mesh are set in the entry file only",
                )
                .help("move this comment there, or leave out `everywhere` and put it above the line that it is about"),
            ),
            Reach::Line(offset) => {
                let line = sources.get(directive.comment.file).map_or(1, |file| file.line_column(offset).line);
                self.lines.push(Exception {
                    file: directive.comment.file,
                    line,
                    subjects: subjects.into_iter().map(|(subject, _)| subject).collect(),
                    comment: directive.comment,
                    whole: directive.whole,
                    used: Vec::new(),
                });
            }
        }
    }

    /// Gives each finding its level; what is allowed is taken out.
    pub(crate) fn settle(&mut self, found: &mut Vec<Diagnostic>, sources: &SourceMap) {
        found.retain_mut(|diagnostic| {
            if diagnostic.severity == Severity::Error {
                return true;
            }
            if self.excepted(diagnostic, sources) {
                return false;
            }
            match self.level(diagnostic.code) {
                Level::Allow => false,
                Level::Warn => true,
                Level::Deny => {
                    diagnostic.severity = Severity::Error;
                    true
                }
            }
        });
    }

    fn level(&self, code: Code) -> Level {
        let own = Subject::Code(code);
        let of = |subject| self.asked.of(subject).or_else(|| self.everywhere.of(subject));
        of(own).or_else(|| of(Subject::Warnings)).unwrap_or(Level::Warn)
    }

    fn excepted(&mut self, diagnostic: &Diagnostic, sources: &SourceMap) -> bool {
        let span = diagnostic.primary.span;
        let line = sources.line_column(span).map_or(0, |place| place.line);
        let mut excepted = false;
        for exception in &mut self.lines {
            let here = exception.file == span.file && exception.line == line;
            let meant = exception.subjects.iter().any(|subject| match subject {
                Subject::Warnings => true,
                Subject::Code(code) => *code == diagnostic.code,
            });
            if here && meant {
                exception.used.push(diagnostic.code);
                excepted = true;
            }
        }
        excepted
    }

    /// Warns of comments that allow nothing. Only where everything was checked: before that, nobody knows. What only a
    /// build finds is not asked for.
    pub(crate) fn report_unused(&self, found: &mut Vec<Diagnostic>) {
        for exception in &self.lines {
            let unused = exception.subjects.iter().find(|subject| match subject {
                Subject::Warnings => exception.used.is_empty(),
                Subject::Code(code) => {
                    !exception.used.contains(code) && codes::CODES.iter().all(|info| info.code != *code)
                }
            });
            let Some(unused) = unused else { continue };
            let what = match unused {
                Subject::Warnings => "warning",
                Subject::Code(code) => code.0,
            };
            let message = format!("this comment allows `{what}`, and there is none on its line");
            let mut diagnostic = Diagnostic::warning(codes::UNUSED_ALLOWANCE, exception.comment, message)
                .help("it stands at the end of the line that it is about, or right above it");
            if exception.used.is_empty() {
                diagnostic = diagnostic.fix(Fix {
                    title: String::from("remove the comment"),
                    applicability: Applicability::Safe,
                    edits: vec![Edit { span: exception.whole, text: String::new() }],
                });
            }
            found.push(diagnostic);
        }
    }
}

fn report(error: &LevelError, span: Span) -> Diagnostic {
    match error {
        LevelError::Unknown { near, .. } => {
            let diagnostic = Diagnostic::error(codes::BAD_DIRECTIVE, span, error.to_string());
            match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(Fix {
                    title: format!("write `{near}`"),
                    applicability: Applicability::Suggested,
                    edits: vec![Edit { span, text: (*near).to_owned() }],
                }),
                None => diagnostic.help("list all codes with: meshc explain --list"),
            }
        }
        LevelError::Lowered(_) => Diagnostic::error(codes::LOWERED_ERROR, span, error.to_string())
            .help("mend what it is about; only warnings can be allowed"),
    }
}

#[cfg(test)]
mod tests {
    use lang_diagnostics::{Copied, CopyKind};

    use super::*;

    #[test]
    fn the_comments_of_a_text_that_counts_several_times_count_once() {
        let text = "// meshc: everywhere deny(W0334)\na {  // meshc: allow(W0321) it is retired\n}\n";
        let mut sources = SourceMap::default();
        let entry = sources.add("mesh.mesh", text);
        let (kind, name, at) = (CopyKind::Element, "x = 1".into(), Span::new(entry, 0, 1));
        sources.copy(Copied { of: entry, kind, name, at });
        let mut found = Vec::new();
        let policy = Policy::read(&Levels::default(), entry, &sources, &mut found);
        assert_eq!((found, policy.lines.len()), (Vec::new(), 1));
        assert_eq!(policy.level(Code("W0334")), Level::Deny);
    }

    #[test]
    fn the_strictest_holds_and_a_code_of_its_own_goes_before_all_warnings() {
        let mut asked = Levels::default();
        asked.set("warnings", Level::Deny).unwrap();
        let mut everywhere = Levels::default();
        everywhere.set("W0334", Level::Allow).unwrap();
        everywhere.set("w0330", Level::Warn).unwrap();
        let policy = Policy { asked, everywhere, lines: Vec::new() };
        let levels = [("W0334", Level::Allow), ("W0330", Level::Warn), ("W0321", Level::Deny)];
        for (code, level) in levels {
            assert_eq!(policy.level(Code(code)), level, "{code}");
        }
        let mut both = Levels::default();
        both.set("W0334", Level::Deny).unwrap();
        both.set("W0334", Level::Allow).unwrap();
        assert_eq!(both.of(Subject::Code(Code("W0334"))), Some(Level::Deny));
    }

    #[test]
    fn unknown_codes_and_lowered_errors_are_refused() {
        let mut levels = Levels::default();
        let unknown = LevelError::Unknown { word: String::from("W334"), near: Some("W0334") };
        assert_eq!(levels.set("W334", Level::Allow), Err(unknown));
        assert_eq!(levels.set("E0301", Level::Warn), Err(LevelError::Lowered("E0301")));
        assert_eq!(levels.set("E0301", Level::Deny), Ok(()));
    }
}
