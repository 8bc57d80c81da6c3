//! The `meshd` binary: runs a proxy, serves rate limits, checks a configuration.

#![expect(clippy::disallowed_methods, reason = "the binary is the edge: it reads the file it is given")]

mod command;

use clap::Parser;
use command::Command;
use std::process::ExitCode;

/// The data plane of a mesh that meshc compiled: one small binary that does for its proxy what the configuration says.
#[derive(Debug, Parser)]
#[command(
    name = "meshd",
    version,
    after_help = "Examples:\n  meshd run --config /etc/mesh/config/meshd.json\n  \
        meshd rate-limit --config limits.yaml\n  meshd validate meshd.json",
    max_term_width = 110
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    Arguments::parse().command.run()
}
