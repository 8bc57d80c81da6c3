//! `issuer = files`: taking verified roots and intermediates into the key directory.

use std::time::SystemTime;

use crate::directory::{PRIVATE, PUBLIC};
use crate::outcome::Draft;
use crate::verify_files::Verified;
use crate::{BroughtTrust, FileProblem, KeyDirectory, Outcome, TrustRequest, layout, pem};

/// Copies what the user brings into the key directory, from where [`crate::issue`] uses it. Files that are there
/// already with the same contents stay untouched.
///
/// # Errors
/// The problems that [`crate::verify_files`] finds; then nothing is adopted.
pub fn adopt_files(
    brought: &BroughtTrust,
    request: &TrustRequest,
    directory: &KeyDirectory,
    now: SystemTime,
) -> Result<Outcome, Vec<FileProblem>> {
    let verified = Verified::new(brought, request, now);
    if !verified.problems.is_empty() {
        return Err(verified.problems);
    }
    let mut draft = Draft::new(directory);
    draft.settle(layout::GITIGNORE, b"*\n", PUBLIC);
    draft.settle(layout::ROOTS, pem::encode(&verified.roots).as_bytes(), PUBLIC);
    for (index, chain) in &verified.chains {
        let Some(cluster) = brought.clusters.get(*index) else { continue };
        // A name that cannot be a folder is reported by `issue`, which cannot go on without these files.
        let Ok(paths) = layout::intermediate(&cluster.name) else { continue };
        draft.settle(&paths.certificate, pem::encode(chain.first()).as_bytes(), PUBLIC);
        draft.settle(&paths.key, &cluster.key.bytes, PRIVATE);
        draft.settle(&paths.chain, pem::encode(chain).as_bytes(), PUBLIC);
    }
    Ok(draft.finish())
}
