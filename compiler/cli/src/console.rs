//! What people and programs read: diagnostics and failures, as text or JSON, on standard error.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use lang_diagnostics::{Diagnostic, RenderOptions, Severity, SourceMap, render_json, render_text};
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
    /// For programs: one JSON object per line.
    Json,
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    format: ErrorFormat,
    color: bool,
    width: usize,
    terminal: bool,
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
        Self { format, color, width: columns.unwrap_or(WIDTH), terminal }
    }

    /// Writes diagnostics, and in text how many there were.
    pub(crate) fn diagnostics(&self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        match self.format {
            ErrorFormat::Json => self.put(&render_json(diagnostics, sources)),
            ErrorFormat::Text => {
                let options = RenderOptions { width: self.width, color: self.color };
                self.put(&render_text(diagnostics, sources, options));
                if !diagnostics.is_empty() {
                    self.put(&format!("\n{}\n", count(diagnostics)));
                }
            }
        }
    }

    /// Writes why a command could not do its work.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.remark("error", "\x1b[31m", &failure.message, failure.help.as_deref());
    }

    /// Writes what was done all the same and may hurt later.
    pub(crate) fn warning(&self, message: &str) {
        self.remark("warning", "\x1b[33m", message, None);
    }

    /// Something without a place in a source file. In JSON it has the members of a diagnostic, as far as they make sense.
    fn remark(&self, severity: &str, colour: &str, message: &str, help: Option<&str>) {
        match self.format {
            ErrorFormat::Json => {
                let record = json!({
                    "code": null, "severity": severity, "message": message, "primary": null, "secondary": [],
                    "help": help, "fix": null,
                });
                self.put(&format!("{record}\n"));
            }
            ErrorFormat::Text => {
                let (colour, reset) = if self.color { (colour, "\x1b[0m") } else { ("", "") };
                let help = help.map_or(String::new(), |help| format!("  help: {help}\n"));
                self.put(&format!("{colour}{severity}{reset}: {message}\n{help}"));
            }
        }
    }

    /// Says something that is neither a finding nor a result. Programs are not told.
    pub(crate) fn note(&self, text: &str) {
        match self.format {
            ErrorFormat::Json => {}
            ErrorFormat::Text => self.put(&format!("{text}\n")),
        }
    }

    /// Starts work that may take long.
    pub(crate) fn progress(&self, doing: &str) -> Progress {
        let wanted = self.terminal && self.format == ErrorFormat::Text;
        if wanted { Progress::shown_on(*self, doing) } else { Progress::default() }
    }

    /// Nobody can be told that standard error is closed.
    pub(crate) fn put(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
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
