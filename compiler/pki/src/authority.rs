//! The root and the intermediates: making those that are missing and loading those that are there.

use std::time::SystemTime;

use rcgen::{Issuer as Signer, KeyPair};

use crate::certificate::Certificate;
use crate::chain::path_to_root;
use crate::directory::{PRIVATE, PUBLIC};
use crate::mint::{self, Minted, Validity, unix_seconds};
use crate::outcome::Draft;
use crate::{ClusterRequest, Issuer, KeyDirectory, Outcome, PkiError, Reason, TrustRequest, layout, pem};

/// Makes what is missing of the root and the intermediates, and renews intermediates that need it. What is there and
/// still right stays, byte for byte; a root is never replaced, since that is a rotation with an order of its own.
///
/// Without `root/key.pem` (a root kept offline) intermediates that still work are kept as they are.
///
/// With [`Issuer::Files`] there is nothing to make: the intermediates are only checked.
///
/// # Errors
/// If a file that is needed is unreadable, if the root has expired, or if the root's key is needed but absent.
pub fn init(request: &TrustRequest, directory: &KeyDirectory, now: SystemTime) -> Result<Outcome, PkiError> {
    let now = unix_seconds(now);
    let mut draft = Draft::new(directory);
    if request.issuer == Issuer::Builtin {
        ensure_root(&mut draft, request, now)?;
        draft.protect(layout::ROOT_KEY);
    }
    for cluster in &request.clusters {
        authority_of(&mut draft, request, cluster, now)?;
    }
    Ok(draft.finish())
}

/// What is wrong with an authority that may not sign certificates.
const NO_AUTHORITY: &str = "it is no authority, or lacks the key usage keyCertSign";

/// An intermediate that can sign.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    /// What peers need between a leaf and the root, as PEM: the intermediate first.
    pub(crate) chain: String,
    /// The same, parsed.
    pub(crate) links: Vec<Certificate>,
    /// Every root that peers accept.
    pub(crate) roots: Vec<Certificate>,
    pub(crate) signer: Signer<'static, KeyPair>,
}

/// The intermediate of a cluster, made or renewed first where that is needed and possible.
pub(crate) fn authority_of(
    draft: &mut Draft,
    request: &TrustRequest,
    cluster: &ClusterRequest,
    now: i64,
) -> Result<Authority, PkiError> {
    match request.issuer {
        Issuer::Builtin => ensure_intermediate(draft, request, cluster, now)?,
        Issuer::Files => {}
    }
    draft.protect(&layout::intermediate(&cluster.name)?.key);
    load_intermediate(draft, cluster, now)
}

fn ensure_root(draft: &mut Draft, request: &TrustRequest, now: i64) -> Result<(), PkiError> {
    if draft.directory.bytes(layout::ROOT_CERTIFICATE).is_none() {
        // A key without its certificate may be the only copy of somebody's root: it is not overwritten.
        if draft.directory.bytes(layout::ROOT_KEY).is_some() {
            return Err(PkiError::Missing { path: layout::ROOT_CERTIFICATE.to_owned() });
        }
        let validity = Validity::starting(now, request.root.lifetime, i64::MAX);
        let Minted { certificate, key } = mint::root(&request.root.common_name, validity)?;
        draft.write(layout::ROOT_CERTIFICATE, certificate, PUBLIC, Reason::Missing);
        draft.write_along(layout::ROOT_KEY, key, PRIVATE);
    }
    draft.settle(layout::GITIGNORE, b"*\n", PUBLIC);
    let root = load(draft, layout::ROOT_CERTIFICATE)?;
    // One that somebody put here, since those that are made here can sign.
    if !(root.is_authority && root.may_sign) {
        return Err(unusable(layout::ROOT_CERTIFICATE, NO_AUTHORITY));
    }
    ensure_bundle(draft, &root)
}

/// Puts the root into the bundle and leaves other roots there, since a rotation may be under way.
fn ensure_bundle(draft: &mut Draft, root: &Certificate) -> Result<(), PkiError> {
    let present = match draft.directory.bytes(layout::ROOTS) {
        Some(bytes) => pem::certificates(bytes).map_err(|problem| unreadable(layout::ROOTS, problem))?,
        None => Vec::new(),
    };
    if present.iter().any(|certificate| certificate.der == root.der) {
        return Ok(());
    }
    let bundle = pem::encode(std::iter::once(root).chain(&present));
    draft.settle(layout::ROOTS, bundle.as_bytes(), PUBLIC);
    Ok(())
}

fn ensure_intermediate(
    draft: &mut Draft,
    request: &TrustRequest,
    cluster: &ClusterRequest,
    now: i64,
) -> Result<(), PkiError> {
    if draft.directory.bytes(layout::ROOT_CERTIFICATE).is_none() {
        return Err(PkiError::NotInitialised);
    }
    let root = load(draft, layout::ROOT_CERTIFICATE)?;
    if !root.is_valid_at(now) {
        return Err(unusable(layout::ROOT_CERTIFICATE, "it has expired, or its life has not begun"));
    }
    let paths = layout::intermediate(&cluster.name)?;
    let Err(reason) = judge_intermediate(draft, request, &paths, &root, now) else { return Ok(()) };
    let Some(root_key) = draft.directory.bytes(layout::ROOT_KEY) else {
        return match reason {
            // It still works. `show` says that it needs the root's key soon.
            Reason::NearsEnd | Reason::LifetimeChanged => Ok(()),
            Reason::Missing
            | Reason::Unreadable
            | Reason::KeyMismatch
            | Reason::IssuerChanged
            | Reason::ContentChanged
            | Reason::NotYetValid
            | Reason::Exposed => Err(PkiError::RootKeyMissing { cluster: cluster.name.clone() }),
        };
    };
    let root_key = pem::key(root_key).map_err(|problem| unreadable(layout::ROOT_KEY, problem))?;
    if !root.matches(&root_key) {
        return Err(unusable(layout::ROOT_CERTIFICATE, "`root/key.pem` belongs to another certificate"));
    }
    let signer = signer(layout::ROOT_CERTIFICATE, &root, root_key)?;
    let validity = Validity::starting(now, request.intermediate_lifetime, root.not_after);
    let minted = mint::intermediate(&cluster.name, &request.root.common_name, validity, &signer)?;
    draft.write(&paths.certificate, minted.certificate.clone(), PUBLIC, reason);
    draft.write_along(&paths.key, minted.key, PRIVATE);
    draft.write_along(&paths.chain, minted.certificate, PUBLIC);
    Ok(())
}

/// Whether the intermediate may stay, and if not, why.
fn judge_intermediate(
    draft: &Draft,
    request: &TrustRequest,
    paths: &layout::IntermediatePaths,
    root: &Certificate,
    now: i64,
) -> Result<(), Reason> {
    let read = |path: &str| draft.directory.bytes(path).ok_or(Reason::Missing);
    let certificate = pem::certificate(read(&paths.certificate)?).map_err(|_| Reason::Unreadable)?;
    let key = pem::key(read(&paths.key)?).map_err(|_| Reason::Unreadable)?;
    if !certificate.matches(&key) {
        return Err(Reason::KeyMismatch);
    }
    if !certificate.is_signed_by(root) {
        return Err(Reason::IssuerChanged);
    }
    let chain = pem::certificates(read(&paths.chain)?).map_err(|_| Reason::Unreadable)?;
    let is_ours = certificate.is_authority && certificate.may_sign && certificate.path_length == Some(0);
    if !is_ours || chain != [certificate.clone()] {
        return Err(Reason::ContentChanged);
    }
    judge_validity(&certificate, request.intermediate_lifetime, root.not_after, now)
}

/// Whether a certificate's validity is what would be chosen for it, and still good for a while.
pub(crate) fn judge_validity(
    certificate: &Certificate,
    lifetime: std::time::Duration,
    issuer_end: i64,
    now: i64,
) -> Result<(), Reason> {
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    if now < not_before {
        return Err(Reason::NotYetValid);
    }
    if Validity::nears_end(not_before, not_after, now) {
        return Err(Reason::NearsEnd);
    }
    if not_after != Validity::end(not_before, lifetime, issuer_end) {
        return Err(Reason::LifetimeChanged);
    }
    Ok(())
}

fn load_intermediate(draft: &Draft, cluster: &ClusterRequest, now: i64) -> Result<Authority, PkiError> {
    let paths = layout::intermediate(&cluster.name)?;
    let path = paths.certificate.as_str();
    let certificate = load(draft, path)?;
    let chain = pem::certificates(draft.require(&paths.chain)?)
        .map_err(|problem| unreadable(&paths.chain, problem))?;
    let roots = pem::certificates(draft.require(layout::ROOTS)?)
        .map_err(|problem| unreadable(layout::ROOTS, problem))?;
    let key = pem::key(draft.require(&paths.key)?).map_err(|problem| unreadable(&paths.key, problem))?;
    if !certificate.matches(&key) {
        return Err(unusable(path, &format!("`{}` belongs to another certificate", paths.key)));
    }
    if !(certificate.is_authority && certificate.may_sign) {
        return Err(unusable(path, NO_AUTHORITY));
    }
    if path_to_root(&certificate, &chain, &roots).is_none() {
        return Err(unusable(path, "no chain leads from it to a root in `roots.pem`"));
    }
    if !certificate.is_valid_at(now) {
        return Err(unusable(path, "it has expired, or its life has not begun"));
    }
    let signer = signer(path, &certificate, key)?;
    Ok(Authority { chain: pem::encode(&chain), links: chain, roots, certificate, signer })
}

fn load(draft: &Draft, path: &str) -> Result<Certificate, PkiError> {
    pem::certificate(draft.require(path)?).map_err(|problem| unreadable(path, problem))
}

fn signer(path: &str, certificate: &Certificate, key: KeyPair) -> Result<Signer<'static, KeyPair>, PkiError> {
    Signer::from_ca_cert_der(&certificate.der.as_slice().into(), key)
        .map_err(|error| unusable(path, &error.to_string()))
}

fn unreadable(path: &str, problem: pem::PemProblem) -> PkiError {
    PkiError::Unreadable { path: path.to_owned(), problem }
}

fn unusable(path: &str, reason: &str) -> PkiError {
    PkiError::UnusableAuthority { path: path.to_owned(), reason: reason.to_owned() }
}
