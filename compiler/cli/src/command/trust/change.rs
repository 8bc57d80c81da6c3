//! `meshc trust init` and `meshc trust issue`: make and renew certificates.

use meshc_driver::{Renewal, RenewalError, brought_trust, renew_trust, trust_request};

use super::Directory;
use crate::console::Console;
use crate::disk::{Disk, WallClock};
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

pub(super) fn init(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, Renewal::Authorities, console)
}

pub(super) fn issue(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, Renewal::Everything, console)
}

fn change(directory: &Directory, renewal: Renewal, console: &Console) -> Result<Exit, Failure> {
    let Some(mesh) = directory.mesh(console)? else { return Ok(Exit::Findings) };
    let place = directory.keys();
    let (held, old) = keys::hold(&place)?;
    let brought = brought_trust(&Disk, &directory.file, &mesh);
    let outcome = match renew_trust(&trust_request(&mesh), brought.as_ref(), &old, renewal, &WallClock) {
        Ok(outcome) => outcome,
        Err(RenewalError::Pki(error)) => return Err(Failure::new(error.to_string())),
        Err(RenewalError::Brought(problems)) => {
            for problem in problems {
                let whose = problem.path.or(problem.cluster).unwrap_or_else(|| String::from("roots.pem"));
                console.failure(&Failure::new(format!("`{whose}`: {}", problem.kind)));
            }
            return Ok(Exit::Findings);
        }
    };
    held.write(&old, &outcome.directory)?;
    for change in &outcome.changes {
        console.note(&format!("{}: {}", place.join(&change.path).display(), change.reason));
    }
    if outcome.changes.is_empty() {
        console.note(&format!("{}: nothing changed", place.display()));
    }
    Ok(Exit::Ok)
}
