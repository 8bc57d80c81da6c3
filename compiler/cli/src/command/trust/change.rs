//! `meshc trust init` and `meshc trust issue`: make and renew certificates.

use meshc_driver::{
    NotBrought, Renewal, RenewalError, brought_trust, renew_trust, system_time, trust_request,
};
use meshc_pki::{Level, show};

use super::Directory;
use crate::console::Console;
use crate::disk::{Disk, WallClock};
use crate::exit::{Exit, Failure};
use crate::keys;

pub(super) const INIT_EXAMPLE: &str = "\
Example:
  $ meshc trust init mesh.mesh

What is there and still right stays as it is. Keep `root/key.pem` somewhere
safer than beside the mesh: only making and renewing intermediates needs it.";

pub(super) const ISSUE_EXAMPLE: &str = "\
Example:
  $ meshc trust issue mesh.mesh

Run it regularly: it renews what has less than a third of its life left, warns
of what it cannot renew, and leaves everything else as it is.";

pub(super) fn init(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, Renewal::Authorities, console)
}

pub(super) fn issue(directory: &Directory, console: &Console) -> Result<Exit, Failure> {
    change(directory, Renewal::Everything, console)
}

fn change(directory: &Directory, renewal: Renewal, console: &Console) -> Result<Exit, Failure> {
    let Some(opened) = directory.mesh(console)? else { return Ok(Exit::Findings) };
    if !directory.may_be_written(&opened, console)? {
        return Ok(Exit::Usage);
    }
    let (mesh, place) = (&opened.mesh, directory.keys());
    let brought = match brought_trust(&Disk, &directory.mesh.entry(), mesh) {
        Ok(brought) => brought,
        Err(missing) => {
            for NotBrought { path, error } in missing {
                console.failure(&Failure::new(format!("cannot read `{}`: {error}", path.display())));
            }
            return Ok(Exit::Usage);
        }
    };
    let progress = console.progress("making certificates");
    let (held, old) = keys::hold(&place)?;
    let request = trust_request(mesh);
    let outcome = match renew_trust(&request, brought.as_ref(), &old, renewal, &WallClock) {
        Ok(outcome) => outcome,
        Err(RenewalError::Pki(error)) => return Err(Failure::new(error.to_string())),
        Err(RenewalError::Brought(problems)) => {
            drop(progress);
            for problem in problems {
                let whose = problem.path.or(problem.cluster).unwrap_or_else(|| String::from("roots.pem"));
                console.failure(&Failure::new(format!("`{whose}`: {}", problem.kind)));
            }
            return Ok(Exit::Findings);
        }
    };
    held.write(&old, &outcome.directory)?;
    drop(progress);
    for change in &outcome.changes {
        console.note(&format!("wrote {}: {}", place.join(&change.path).display(), change.reason));
    }
    if outcome.changes.is_empty() {
        console.note(&format!("{}: nothing changed", place.display()));
    }
    let report = show(&request, &outcome.directory, system_time(&WallClock))
        .map_err(|error| Failure::new(error.to_string()))?;
    for certificate in report.certificates {
        let concerned = match certificate.level {
            Level::Root | Level::Intermediate => true,
            Level::Workload => renewal == Renewal::Everything,
        };
        for problem in certificate.problems.iter().filter(|_| concerned) {
            let file = place.join(&certificate.path);
            console.warning(&format!("`{}`, {}: {problem}", file.display(), certificate.subject));
        }
    }
    Ok(Exit::Ok)
}
