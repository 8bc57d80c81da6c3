//! `meshd man`: the manual pages, one for each command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;

/// Write the manual pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The directory for them; it is made if it is not there.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    /// Writes them.
    pub(crate) fn run(self) -> ExitCode {
        // `help` has what the pages have.
        let command = crate::Arguments::command().disable_help_subcommand(true);
        let written = std::fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(command, &self.directory));
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                super::say(&format!(
                    "meshd: cannot write manual pages to {}: {error}",
                    self.directory.display()
                ));
                ExitCode::from(super::FAILED)
            }
        }
    }
}
