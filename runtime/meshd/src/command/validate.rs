//! `meshd validate`: whether a configuration can be used, without using it.

use super::{FAILED, say};
use meshd_config::Config;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `meshd validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meshd validate meshd.json\n\n\
    Exits with 0 if the file can be used, with 1 after printing every mistake, with 2 if it cannot be read. \
    Certificates are not looked at, and nothing is connected to.")]
pub(crate) struct Validate {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Validate {
    pub(super) fn run(self) -> ExitCode {
        let file = self.file.display();
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) => {
                say(&format!("meshd: cannot read `{file}`: {error}"));
                return ExitCode::from(FAILED);
            }
        };
        match Config::read(&text) {
            Ok(config) => {
                let (listeners, upstreams) = (config.listeners.len(), config.upstreams.len());
                let said =
                    writeln!(std::io::stdout(), "{file}: ok ({listeners} listeners, {upstreams} upstreams)");
                said.map_or(ExitCode::from(FAILED), |()| ExitCode::SUCCESS)
            }
            Err(invalid) => {
                for problem in invalid.problems {
                    say(&format!("{file}: {problem}"));
                }
                ExitCode::FAILURE
            }
        }
    }
}
