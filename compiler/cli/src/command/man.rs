//! `meshc man`: the manual pages of meshc, one for each command.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::completion;
use crate::exit::{Context, Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc man ~/.local/share/man/man1
  $ man -l ~/.local/share/man/man1/meshc-check.1

`meshd man` writes those of meshd.";

/// Arguments of `meshc man`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The directory for them; it is made if it is not there.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes them.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let doing = || format!("write manual pages to `{}`", arguments.directory.display());
    fs::create_dir_all(&arguments.directory).context(doing)?;
    // `help` has what the pages have.
    let command = completion::visible().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &arguments.directory).context(doing)?;
    Ok(Exit::Ok)
}
