//! The commands, one file each.

mod ask;
mod blast_radius;
mod build;
mod check;
mod child;
mod completions;
mod diff;
mod docs;
mod explain;
mod fail;
mod fmt;
mod heal;
mod init;
mod lsp;
mod man;
mod matrix;
mod prove;
mod query;
mod test;
mod trust;
mod up;

use clap::Subcommand;

use crate::console::Console;
use crate::exit::{Exit, Failure};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a mesh that builds.
    #[command(after_help = init::EXAMPLE)]
    Init(init::Arguments),
    /// Check a mesh and say everything that is wrong with it.
    #[command(after_help = check::EXAMPLE)]
    Check(check::Arguments),
    /// Write the files of a mesh, all of them or none.
    #[command(after_help = build::EXAMPLE)]
    Build(build::Arguments),
    /// Give meshes one layout.
    #[command(after_help = fmt::EXAMPLE)]
    Fmt(fmt::Arguments),
    /// Print what something in a mesh comes to, and where each part of it came from.
    #[command(after_help = query::EXAMPLE)]
    Query(query::Arguments),
    /// Answer a question about calls: who may, where they go, and why.
    #[command(after_help = ask::EXAMPLE)]
    Ask(ask::Arguments),
    /// Print who may call whom, of the whole mesh.
    #[command(after_help = matrix::EXAMPLE)]
    Matrix(matrix::Arguments),
    /// Print what a change of a mesh comes to: effects, restarts and the order of clusters.
    #[command(after_help = diff::EXAMPLE)]
    Diff(diff::Arguments),
    /// Print what somebody gets hold of who has stolen a key.
    #[command(after_help = blast_radius::EXAMPLE)]
    BlastRadius(blast_radius::Arguments),
    /// Prove what becomes of calls when something fails.
    #[command(subcommand, after_help = prove::EXAMPLE)]
    Prove(prove::Command),
    /// Serve editors, by the Language Server Protocol.
    #[command(after_help = lsp::EXAMPLE)]
    Lsp(lsp::Arguments),
    /// Run the tests of a mesh.
    #[command(after_help = test::EXAMPLE)]
    Test(test::Arguments),
    /// Explain a code such as `E0301`.
    #[command(after_help = explain::EXAMPLE)]
    Explain(explain::Arguments),
    /// Write the reference of the language.
    #[command(after_help = docs::EXAMPLE)]
    Docs(docs::Arguments),
    /// Make, renew, export and look at certificates.
    #[command(subcommand, after_help = trust::EXAMPLE)]
    Trust(trust::Command),
    /// Run a whole mesh on this machine.
    #[command(after_help = up::EXAMPLE)]
    Up(up::Arguments),
    /// Make an application of the running mesh fail.
    #[command(after_help = fail::EXAMPLE)]
    Fail(fail::Arguments),
    /// Make an application of the running mesh work again.
    #[command(after_help = heal::EXAMPLE)]
    Heal(heal::Arguments),
    /// Print a completion script for a shell.
    #[command(after_help = completions::EXAMPLE)]
    Completions(completions::Arguments),
    /// Write the manual pages.
    #[command(after_help = man::EXAMPLE)]
    Man(man::Arguments),
    /// Become a program that ends with its parent.
    #[command(hide = true)]
    Child(child::Arguments),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, console: &Console) -> Result<Exit, Failure> {
        match self {
            Self::Init(arguments) => init::run(&arguments, console),
            Self::Lsp(arguments) => lsp::run(&arguments, console),
            Self::Check(arguments) => check::run(&arguments, console),
            Self::Build(arguments) => build::run(&arguments, console),
            Self::Fmt(arguments) => fmt::run(&arguments, console),
            Self::Query(arguments) => query::run(&arguments, console),
            Self::Matrix(arguments) => matrix::run(&arguments, console),
            Self::Prove(command) => prove::run(&command, console),
            Self::Diff(arguments) => diff::run(&arguments, console),
            Self::BlastRadius(arguments) => blast_radius::run(&arguments, console),
            Self::Ask(arguments) => ask::run(&arguments, console),
            Self::Test(arguments) => test::run(&arguments, console),
            Self::Explain(arguments) => explain::run(&arguments),
            Self::Docs(arguments) => docs::run(&arguments),
            Self::Trust(command) => trust::run(&command, console),
            Self::Up(arguments) => up::run(arguments, console),
            Self::Fail(arguments) => fail::run(&arguments),
            Self::Heal(arguments) => heal::run(&arguments),
            Self::Completions(arguments) => completions::run(&arguments),
            Self::Man(arguments) => man::run(&arguments),
            Self::Child(arguments) => child::run(&arguments),
        }
    }
}
