//! The `meshc` command: the only compiler crate that touches disk, environment, clock and terminal.
//!
//! Each command is one file in `command`; what `meshc up` consists of is in `up`.

#![expect(clippy::disallowed_methods, reason = "this is the edge where files, environment and clock come in")]

mod command;
mod compile;
mod console;
mod disk;
mod exit;
mod keys;
mod output;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;
use crate::console::{ColorChoice, Console, ErrorFormat};

/// Compiles one typed description of a multi-cluster service mesh into everything it needs to run.
#[derive(Debug, Parser)]
#[command(name = "meshc", version, max_term_width = 100)]
struct CommandLine {
    /// Format of diagnostics and failures, on standard error.
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    error_format: ErrorFormat,
    /// Whether diagnostics are coloured.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let console = Console::new(line.error_format, line.color);
    match line.command.run(&console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.failure(&failure);
            exit::Exit::Usage.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        let mut open: Vec<clap::Command> = CommandLine::command().get_subcommands().cloned().collect();
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let hidden = command.is_hide_set() || command.has_subcommands();
            assert!(hidden || help.contains("$ meshc"), "{} has no example", command.get_name());
        }
    }
}
