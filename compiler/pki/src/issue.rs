//! Workload certificates: one per identity and cluster, made anew only when something demands it.

use std::time::SystemTime;

use crate::authority::{Authority, authority_of, judge_validity};
use crate::chain::verdict;
use crate::directory::{PRIVATE, PUBLIC};
use crate::mint::{self, Validity, unix_seconds};
use crate::outcome::Draft;
use crate::{Identity, KeyDirectory, Outcome, PkiError, Reason, TrustRequest, layout, pem};

/// Makes the workload certificates that are missing, renews those whose inputs changed (identity, lifetime, issuer) or
/// that have less than a third of their life left, and leaves all others as they are, byte for byte. Intermediates are
/// renewed by the same rules first, so that calling this regularly keeps everything below the root alive.
///
/// Identities that are no longer asked for keep their files: keys are not deleted behind anybody's back, and
/// [`crate::show`] lists them.
///
/// # Errors
/// [`PkiError::NotInitialised`] without a root, and whatever keeps an intermediate from signing.
pub fn issue(request: &TrustRequest, directory: &KeyDirectory, now: SystemTime) -> Result<Outcome, PkiError> {
    let now = unix_seconds(now);
    let mut draft = Draft::new(directory);
    if !draft.directory.is_empty() {
        // Whoever deleted it would find the keys in the next commit.
        draft.settle(layout::GITIGNORE, b"*\n", PUBLIC);
    }
    draft.protect(layout::ROOT_KEY);
    for cluster in &request.clusters {
        let authority = authority_of(&mut draft, request, cluster, now)?;
        for identity in &cluster.identities {
            let paths = layout::identity(&cluster.name, identity)?;
            let Err(reason) = judge(&draft, request, &paths, identity, &authority, now) else {
                draft.protect(&paths.key);
                continue;
            };
            let validity =
                Validity::starting(now, request.workload_lifetime, authority.certificate.not_after);
            let minted = mint::workload(&identity.spiffe, validity, &authority.signer)?;
            let made = pem::certificate(minted.certificate.as_bytes());
            let made =
                made.map_err(|problem| PkiError::Unreadable { path: paths.certificate.clone(), problem })?;
            // An authority that was put here by hand may be one that every peer refuses.
            if let Err(reason) = verdict(&made, &authority.links, &authority.roots, now) {
                let path = layout::intermediate(&cluster.name)?.certificate;
                return Err(PkiError::UnusableAuthority { path, reason });
            }
            let bundle = format!("{}{}", minted.certificate, authority.chain);
            draft.write(&paths.certificate, bundle, PUBLIC, reason);
            draft.write_along(&paths.key, minted.key, PRIVATE);
        }
    }
    Ok(draft.finish())
}

/// Whether an identity's files may stay, and if not, why.
fn judge(
    draft: &Draft,
    request: &TrustRequest,
    paths: &layout::IdentityPaths,
    identity: &Identity,
    authority: &Authority,
    now: i64,
) -> Result<(), Reason> {
    let read = |path: &str| draft.directory.bytes(path).ok_or(Reason::Missing);
    let bundle = pem::certificates(read(&paths.certificate)?).map_err(|_| Reason::Unreadable)?;
    let key = pem::key(read(&paths.key)?).map_err(|_| Reason::Unreadable)?;
    let (certificate, chain) = bundle.split_first().ok_or(Reason::Unreadable)?;
    if !certificate.matches(&key) {
        return Err(Reason::KeyMismatch);
    }
    if pem::encode(chain) != authority.chain || !certificate.is_signed_by(&authority.certificate) {
        return Err(Reason::IssuerChanged);
    }
    if certificate.uris != [identity.spiffe.as_str()] || certificate.leaf_flaw.is_some() {
        return Err(Reason::ContentChanged);
    }
    judge_validity(certificate, request.workload_lifetime, authority.certificate.not_after, now)
}
