//! `meshc trust`: certificates in a key directory that never enters the output tree.

mod change;
mod export;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lang_diagnostics::{Sink, SourceMap};
use meshc_driver::{CheckedMesh, Compilation};

use crate::compile::{MeshArguments, compile, show as show_findings};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::keys::tracked_diagnostics;
use crate::places;

pub(crate) const EXAMPLE: &str = r#"Example:
  $ meshc trust init mesh.mesh     # once: a root, an intermediate per cluster
  $ meshc trust issue mesh.mesh    # regularly: certificates for every proxy
  $ meshc trust show mesh.mesh     # what is there, and what is wrong with it
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
    /// Make the workloads' certificates, and renew those about to expire.
    #[command(after_help = change::ISSUE_EXAMPLE)]
    Issue(Directory),
    /// Print a cluster's Secrets for kubectl, SOPS or External Secrets.
    #[command(after_help = export::EXAMPLE)]
    Export(export::Arguments),
    /// Show every certificate and what is wrong with it.
    #[command(after_help = show::EXAMPLE)]
    Show(show::Arguments),
}

/// Which mesh, and where its keys are.
#[derive(Args, Debug)]
pub(crate) struct Directory {
    #[command(flatten)]
    mesh: MeshArguments,
    /// The key directory. Default: `keys` next to the entry file.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

impl Directory {
    fn keys(&self) -> PathBuf {
        places::keys(&self.mesh.entry(), self.keys.as_ref())
    }

    /// The mesh, if it has no errors; its diagnostics are shown, and whether git tracks its keys.
    fn mesh(&self, console: &Console) -> Result<Option<Opened>, Failure> {
        let mut compilation = compile(&self.mesh, None)?;
        if let Some(mesh) = &compilation.mesh {
            let tracked = tracked_diagnostics(&self.mesh.entry(), mesh, &self.keys());
            compilation.diagnostics.extend(tracked);
        }
        show_findings(&compilation, console);
        let Compilation { sources, mesh, .. } = compilation;
        Ok(mesh.map(|mesh| Opened { mesh, sources }))
    }

    /// Whether keys may be written there; why not is shown.
    fn may_be_written(&self, opened: &Opened, console: &Console) -> Result<bool, Failure> {
        let overlaps = places::of_trust(&self.mesh.entry(), &opened.mesh, &self.keys())?;
        let mut sink = Sink::default();
        overlaps.iter().for_each(|overlap| overlap.report(&opened.mesh, &mut sink));
        console.diagnostics(&sink.into_sorted(), &opened.sources);
        Ok(overlaps.is_empty())
    }
}

/// A mesh without errors, and its sources to point into.
struct Opened {
    mesh: CheckedMesh,
    sources: SourceMap,
}

/// Does it.
pub(crate) fn run(command: &Command, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Init(directory) => change::init(directory, console),
        Command::Issue(directory) => change::issue(directory, console),
        Command::Export(arguments) => export::run(arguments, console),
        Command::Show(arguments) => show::run(arguments, console),
    }
}
