//! `meshc trust`: certificates in a key directory that never enters the output tree.

mod change;
mod export;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use meshc_driver::CheckedMesh;

use crate::compile::{compile, show as show_findings};
use crate::console::Console;
use crate::exit::{Exit, Failure};

pub(crate) const EXAMPLE: &str = r#"Example:
  $ meshc trust init mesh.mesh     # once: a root, an intermediate per cluster
  $ meshc trust issue mesh.mesh    # regularly: certificates for every proxy
  $ meshc trust show mesh.mesh
  $ meshc trust export mesh.mesh --cluster west | \
      kubectl apply --server-side -f -

What each key is worth to whoever gets hold of it, until its certificate ends,
since nothing revokes one:
  root/key.pem                    every identity, and every cluster's authority
  <cluster>/intermediate/key.pem  every identity, in all clusters: one bundle of
                                  roots is accepted everywhere
  <cluster>/identities/…/tls.key  that one identity
Who may read Secrets or create pods in a namespace has its identities, too."#;

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the root and one intermediate per cluster, where they are missing.
    #[command(after_help = change::INIT_EXAMPLE)]
    Init(Directory),
    /// Make the workloads' certificates, and renew what has to be.
    #[command(after_help = change::ISSUE_EXAMPLE)]
    Issue(Directory),
    /// Print a cluster's Secrets for kubectl, SOPS or External Secrets.
    #[command(after_help = export::EXAMPLE)]
    Export(export::Arguments),
    /// Show every certificate and what is wrong with it.
    #[command(after_help = show::EXAMPLE)]
    Show(Directory),
}

/// Which mesh, and where its keys are.
#[derive(Args, Debug)]
pub(crate) struct Directory {
    /// The mesh's entry file.
    file: PathBuf,
    /// The key directory. Default: `keys` next to the entry file.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

impl Directory {
    fn keys(&self) -> PathBuf {
        let beside = || self.file.parent().unwrap_or(Path::new("")).join("keys");
        self.keys.clone().unwrap_or_else(beside)
    }

    /// The mesh, if it has no errors; its diagnostics are shown.
    fn mesh(&self, console: &Console) -> Result<Option<CheckedMesh>, Failure> {
        let compilation = compile(&self.file, None)?;
        show_findings(&compilation, console);
        Ok(compilation.mesh)
    }
}

/// Does it.
pub(crate) fn run(command: &Command, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Init(directory) => change::init(directory, console),
        Command::Issue(directory) => change::issue(directory, console),
        Command::Export(arguments) => export::run(arguments, console),
        Command::Show(directory) => show::run(directory, console),
    }
}
