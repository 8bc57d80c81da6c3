//! `meshc prove`: what becomes of every call and route when something fails, and of requests along chains of calls.

mod chains;
mod failover;

use clap::Subcommand;

use crate::console::Console;
use crate::exit::{Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc prove failover mesh.mesh --critical
  $ meshc prove amplification mesh.mesh
  $ meshc prove deadlines mesh.mesh";

/// What is proved.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prove who takes over after each single loss, and how soon; or where it breaks.
    #[command(after_help = failover::EXAMPLE)]
    Failover(failover::Arguments),
    /// Prove how often one request may arrive at each service, since chains of calls multiply retries.
    #[command(after_help = chains::AMPLIFICATION)]
    Amplification(chains::Arguments),
    /// Prove how much time chains of calls leave to each service.
    #[command(after_help = chains::DEADLINES)]
    Deadlines(chains::Arguments),
}

/// Proves.
pub(crate) fn run(command: &Command, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Failover(arguments) => failover::run(arguments, console),
        Command::Amplification(arguments) => chains::amplification(arguments, console),
        Command::Deadlines(arguments) => chains::deadlines(arguments, console),
    }
}
