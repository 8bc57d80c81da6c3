//! `meshc prove`: what becomes of every call and route when something fails.

mod failover;

use clap::Subcommand;

use crate::console::Console;
use crate::exit::{Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc prove failover mesh.mesh --critical";

/// What is proved.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prove who takes over after each single loss, and how soon; or where it breaks.
    #[command(after_help = failover::EXAMPLE)]
    Failover(failover::Arguments),
}

/// Proves.
pub(crate) fn run(command: &Command, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Failover(arguments) => failover::run(arguments, console),
    }
}
