//! `meshc completions`: a script that completes commands and options in a shell.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::CommandLine;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc completions bash > ~/.local/share/bash-completion/completions/meshc";

/// Arguments of `meshc completions`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut CommandLine::command(), "meshc", &mut script);
    print(&String::from_utf8_lossy(&script)).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}
