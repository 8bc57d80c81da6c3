//! `meshc completions`: a script that completes commands and options in a shell.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::CommandLine;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc completions bash > ~/.local/share/bash-completion/completions/meshc
  $ meshc completions zsh > ~/.zfunc/_meshc
  $ meshc completions fish > ~/.config/fish/completions/meshc.fish";

/// Arguments of `meshc completions`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// The command line without what is not for people: the script would offer that, too.
fn visible() -> clap::Command {
    let whole = CommandLine::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new("meshc").args(whole.get_arguments().cloned()).subcommands(commands)
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut visible(), "meshc", &mut script);
    print(&String::from_utf8_lossy(&script)).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}
