//! `meshc trust export`: a cluster's Secrets on standard output.

use clap::Args;
use meshc_driver::trust_request;
use meshc_pki::{export_cacerts, export_identities};

use super::Directory;
use crate::completion;
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::keys;
use crate::output::print;

pub(super) const EXAMPLE: &str = r#"Example:
  $ meshc trust export mesh.mesh --cluster west | \
      kubectl apply --server-side -f -
  $ meshc trust export mesh.mesh --cluster west --cacerts | \
      kubectl apply --server-side -f -

The Secrets hold private keys: pipe them to where they belong, do not commit
them. Without `--server-side` kubectl would also write them into an annotation."#;

/// Arguments of `meshc trust export`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// The cluster.
    #[arg(long, add = completion::clusters())]
    cluster: String,
    /// Export Istio's `cacerts` instead: the cluster's intermediate with its key.
    #[arg(long)]
    cacerts: bool,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let Some(opened) = arguments.directory.mesh(console)? else { return Ok(Exit::Findings) };
    let request = trust_request(&opened.mesh);
    let wanted = &arguments.cluster;
    let Some(cluster) = request.clusters.iter().find(|cluster| cluster.name == *wanted) else {
        let failure = Failure::new(format!("the mesh has no cluster `{wanted}`"));
        let names: Vec<String> =
            request.clusters.iter().map(|cluster| format!("`{}`", cluster.name)).collect();
        return Err(failure.help(format!("it has {}", names.join(", "))));
    };
    let directory = keys::read(&arguments.directory.keys())?;
    let secrets = if arguments.cacerts {
        export_cacerts(cluster, &directory).map(|secret| vec![secret])
    } else {
        export_identities(cluster, &directory)
    };
    let secrets = secrets.map_err(|error| {
        Failure::new(error.to_string())
            .help(format!("run first: meshc trust issue {}", arguments.directory.mesh.entry().display()))
    })?;
    let mut stream = String::new();
    for secret in secrets {
        if !secret.text.starts_with("---") && !stream.is_empty() {
            stream.push_str("---\n");
        }
        stream.push_str(&secret.text);
    }
    print(&stream).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}
