//! The `meshc` command: the only compiler crate that touches disk, environment, clock and terminal.
//!
//! Each command is one file in `command`; what `meshc up` consists of is in `up`.

#![expect(clippy::disallowed_methods, reason = "this is the edge where files, environment and clock come in")]

mod command;
mod compile;
mod completion;
mod console;
mod disk;
mod exit;
mod keys;
mod levels;
mod live;
mod output;
mod places;
mod progress;
mod sources;
mod texts;
mod up;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::command::Command;
use crate::console::{ColorChoice, Console, ErrorFormat};

/// Trees, models and plans are small values in great numbers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLE: &str = "\
Example:
  $ meshc check mesh.mesh
  $ meshc up mesh.mesh --data-plane meshd";

/// Compiles one typed description of a multi-cluster service mesh into everything it needs to run.
#[derive(Debug, Parser)]
#[command(name = "meshc", version, max_term_width = 100, after_help = EXAMPLE)]
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
    completion::answer();
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return unparsed(&error),
    };
    let console = Console::new(line.error_format, line.color);
    let exit = line.command.run(&console).unwrap_or_else(|failure| {
        console.failure(&failure);
        exit::Exit::Usage
    });
    console.finish();
    exit.into()
}

/// Says what is wrong with the command line, in the format that it asks for as far as it could be read.
fn unparsed(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().take_while(|word| word != "--").collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let split = words.windows(2).find_map(|pair| match pair {
        ["--error-format", value] => Some(*value),
        _ => None,
    });
    let value = split.or_else(|| words.iter().find_map(|word| word.strip_prefix("--error-format=")));
    let format = value.and_then(|value| ErrorFormat::from_str(value, false).ok());
    let format = match format {
        Some(format @ (ErrorFormat::Json | ErrorFormat::Sarif | ErrorFormat::Github))
            if error.use_stderr() =>
        {
            format
        }
        // The help that was asked for is no mistake.
        Some(_) | None => error.exit(),
    };
    let text = error.render().to_string();
    let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let console = Console::new(format, ColorChoice::Never);
    console.failure(&exit::Failure::new(message).help(help.trim()));
    console.finish();
    exit::Exit::Usage.into()
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
        let mut open = vec![CommandLine::command()];
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(command.is_hide_set() || help.contains("  $ meshc"), "{name} has no example");
            let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty(), "{name} is broken by a narrow terminal: {wide:#?}");
        }
    }
}
