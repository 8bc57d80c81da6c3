//! `meshc trust init` and `meshc trust issue`: make and renew certificates.

use meshc_driver::{brought_trust, trust_request};
use meshc_pki::{KeyDirectory, Outcome, PkiError, TrustRequest, adopt_files};

use super::{Directory, now};
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Exit, Failure};
use crate::keys;

pub(super) const INIT_EXAMPLE: &str = "\
Example:
  $ meshc trust init mesh.mesh

What is there and still right stays as it is. Keep `root/key.pem` somewhere safer than beside the mesh: only `init`
and renewing intermediates need it.";

pub(super) const ISSUE_EXAMPLE: &str = "\
Example:
  $ meshc trust issue mesh.mesh

Run it regularly: it renews what has less than a third of its life left and leaves everything else as it is.";

/// Makes a new state of a key directory.
type Operation = fn(&TrustRequest, &KeyDirectory, std::time::SystemTime) -> Result<Outcome, PkiError>;

pub(super) fn init(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, meshc_pki::init, console)
}

pub(super) fn issue(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, meshc_pki::issue, console)
}

fn change(directory: &Directory, operation: Operation, console: &Console) -> Result<Exit, Failure> {
    let Some(mesh) = directory.mesh(console)? else { return Ok(Exit::Findings) };
    let request = trust_request(&mesh);
    let place = directory.keys();
    let old = keys::read(&place)?;
    let mut adopted = old.clone();
    let mut changes = Vec::new();
    if let Some(brought) = brought_trust(&Disk, &directory.file, &mesh) {
        match adopt_files(&brought, &request, &old, now()) {
            Ok(outcome) => (adopted, changes) = (outcome.directory, outcome.changes),
            Err(problems) => {
                for problem in problems {
                    let whose = problem.path.or(problem.cluster).unwrap_or_else(|| String::from("roots.pem"));
                    console.failure(&Failure::new(format!("`{whose}`: {}", problem.kind)));
                }
                return Ok(Exit::Findings);
            }
        }
    }
    let outcome = operation(&request, &adopted, now()).map_err(|error| Failure::new(error.to_string()))?;
    changes.extend(outcome.changes);
    keys::write(&place, &old, &outcome.directory)?;
    for change in &changes {
        console.note(&format!("{}: {}", place.join(&change.path).display(), change.reason));
    }
    if changes.is_empty() {
        console.note(&format!("{}: nothing changed", place.display()));
    }
    Ok(Exit::Ok)
}
