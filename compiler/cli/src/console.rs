//! What people and programs read: diagnostics and failures, in the format that was asked for, on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use lang_diagnostics::{
    Applicability, Diagnostic, RenderOptions, SarifLog, Severity, SourceMap, render_github,
    render_github_failure, render_json, render_short, render_text, settled,
};
use meshc_driver::codes;
use serde_json::json;

use crate::exit::Failure;
use crate::progress::Progress;

/// Columns where the terminal does not say how many it has.
const WIDTH: usize = 100;

/// In which format diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// For people, with marked source lines.
    Text,
    /// One line for each: `file:line:column: error[E0301]: message`.
    Short,
    /// For programs: one JSON object per line.
    Json,
    /// For code scanning: one SARIF 2.1.0 log, written at the end.
    Sarif,
    /// For GitHub's checks: one annotation for each.
    Github,
}

impl ErrorFormat {
    /// Whether people read it as it is written.
    fn is_for_people(self) -> bool {
        match self {
            Self::Text | Self::Short => true,
            Self::Json | Self::Sarif | Self::Github => false,
        }
    }
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// If standard error is a terminal and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to talk to whoever started the program.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    format: ErrorFormat,
    color: bool,
    width: usize,
    terminal: bool,
    /// What the log holds so far: it is one document, however often something is found.
    log: Arc<Mutex<SarifLog>>,
}

impl Console {
    /// Decides on colours and width once.
    pub(crate) fn new(format: ErrorFormat, color: ColorChoice) -> Self {
        let terminal = io::stderr().is_terminal();
        // https://no-color.org: set and not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            ColorChoice::Auto => terminal && !refused,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self { format, color, width: columns.unwrap_or(WIDTH), terminal, log: Arc::default() }
    }

    /// Writes diagnostics, and for people how many there were.
    pub(crate) fn diagnostics(&self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        // What is reported after the compilation may be about text that a template made.
        let diagnostics = &settled(diagnostics.to_vec(), sources);
        match self.format {
            ErrorFormat::Json => self.put(&render_json(diagnostics, sources)),
            ErrorFormat::Github => self.put(&render_github(diagnostics, sources)),
            ErrorFormat::Sarif => {
                self.log.lock().unwrap_or_else(PoisonError::into_inner).add(diagnostics, sources);
            }
            ErrorFormat::Short => {
                self.put(&render_short(diagnostics, sources));
                self.put(&summary("", diagnostics));
            }
            ErrorFormat::Text => {
                let options = RenderOptions { width: self.width, color: self.color };
                self.put(&render_text(diagnostics, sources, options));
                self.put(&summary("\n", diagnostics));
            }
        }
    }

    /// Writes what could not be written before everything was known.
    pub(crate) fn finish(&self) {
        match self.format {
            ErrorFormat::Sarif => {
                let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                self.put(&log.render("meshc", env!("CARGO_PKG_VERSION"), &codes::all()));
            }
            ErrorFormat::Text | ErrorFormat::Short | ErrorFormat::Json | ErrorFormat::Github => {}
        }
    }

    /// Writes why a command could not do its work.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.remark(Severity::Error, &failure.message, failure.help.as_deref());
    }

    /// Writes what was done all the same and may hurt later.
    pub(crate) fn warning(&self, message: &str) {
        self.remark(Severity::Warning, message, None);
    }

    /// Something without a place in a source file. In JSON it has the members of a diagnostic, as far as they make sense.
    fn remark(&self, severity: Severity, message: &str, help: Option<&str>) {
        let (word, colour) = match severity {
            Severity::Error => ("error", "\x1b[1;31m"),
            Severity::Warning => ("warning", "\x1b[1;33m"),
        };
        match self.format {
            ErrorFormat::Json => {
                let record = json!({
                    "code": null, "severity": word, "message": message, "primary": null, "secondary": [],
                    "help": help, "fix": null,
                });
                self.put(&format!("{record}\n"));
            }
            ErrorFormat::Github => self.put(&render_github_failure(severity, message, help)),
            ErrorFormat::Sarif => {
                self.log.lock().unwrap_or_else(PoisonError::into_inner).add_failure(severity, message, help);
            }
            ErrorFormat::Text | ErrorFormat::Short => {
                let (colour, reset) = if self.color { (colour, "\x1b[0m") } else { ("", "") };
                let help = help.map_or(String::new(), |help| format!("  help: {help}\n"));
                self.put(&format!("{colour}{word}{reset}: {message}\n{help}"));
            }
        }
    }

    /// Says something that is neither a finding nor a result. Programs are not told.
    pub(crate) fn note(&self, text: &str) {
        if self.format.is_for_people() {
            self.put(&format!("{text}\n"));
        }
    }

    /// Starts work that may take long.
    pub(crate) fn progress(&self, doing: &str) -> Progress {
        let wanted = self.terminal && self.format.is_for_people();
        if wanted { Progress::shown_on(self.clone(), doing) } else { Progress::default() }
    }

    /// Nobody can be told that standard error is closed.
    pub(crate) fn put(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// How many there were, and how many of them need nobody to be mended; empty if there were none.
fn summary(before: &str, diagnostics: &[Diagnostic]) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let safe =
        |each: &&Diagnostic| each.fix.as_ref().is_some_and(|fix| fix.applicability == Applicability::Safe);
    let advice = match diagnostics.iter().filter(safe).count() {
        0 => String::new(),
        1 => String::from("; `meshc check --fix` applies 1 safe fix"),
        fixes => format!("; `meshc check --fix` applies {fixes} safe fixes"),
    };
    format!("{before}{}{advice}\n", count(diagnostics))
}

fn count(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|each| each.severity == severity).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (of(Severity::Error), of(Severity::Warning)) {
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}
