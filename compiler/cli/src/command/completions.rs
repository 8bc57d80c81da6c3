//! `meshc completions`: a script by which a shell asks meshc how a command line may go on.

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::completion::VARIABLE;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc completions bash > ~/.local/share/bash-completion/completions/meshc
  $ meshc completions zsh > ~/.zfunc/_meshc
  $ meshc completions fish > ~/.config/fish/completions/meshc.fish

The script asks the meshc on the path, which completes commands, options, files,
codes, and names of the mesh that the command line names, or of `mesh.mesh` in
the current directory.";

/// Arguments of `meshc completions`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// GNU Bash.
    Bash,
    /// Elvish.
    Elvish,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Z shell.
    Zsh,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let completer: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    let written = completer.write_registration(VARIABLE, "meshc", "meshc", "meshc", &mut script);
    written.context(|| String::from("make the script"))?;
    print(&String::from_utf8_lossy(&script)).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}
