//! The proxy's own certificate, key and trust bundle: read, and refused unless they belong together.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use super::provider;
use super::verify::{leaf_identity, trust_anchors};
use crate::counters::Counters;
use meshd_config::{Identity, SpiffeId};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything mutual TLS needs, read at one moment.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The chain that is shown, with its key.
    pub(crate) key: Arc<CertifiedKey>,
    /// Who the chain says we are.
    pub(crate) spiffe: SpiffeId,
    /// The roots that peers are verified against; never empty.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// How many chains of peers were known, and how many had to be verified.
    pub(crate) chains: Arc<Counters>,
}

/// Credentials and the digest of the files they came from.
pub(crate) type Loaded = Arc<Credentials>;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A file could not be read.
    #[error("cannot read `{}`: {source}; does the Secret or ConfigMap exist, and is it mounted?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("`{}` {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
}

/// Reads an identity; chains of peers are counted here.
pub(crate) fn load(identity: &Identity, chains: &Arc<Counters>) -> Result<Loaded, Refused> {
    let Identity { certificate, private_key, trust_bundle } = identity;
    let key = load_certificate(certificate, private_key)?;
    let unusable = |path: &Path, problem: String| Refused::Unusable { path: path.to_owned(), problem };
    let spiffe = key.cert.first().and_then(leaf_identity).ok_or_else(|| {
        unusable(certificate, "carries no SPIFFE id: its leaf needs exactly one `spiffe://` URI".into())
    })?;
    // Every other meshd would refuse it in every handshake; here the reason is in the log of the one who has it.
    if let Some(Err(flaw)) = key.cert.first().map(|leaf| meshd_certificates::leaf(leaf)) {
        return Err(unusable(certificate, format!("cannot be an identity: its leaf {flaw}")));
    }
    let roots = certificates(trust_bundle)?;
    if trust_anchors(&roots).is_empty() {
        let flaw = roots.iter().find_map(|root| meshd_certificates::anchor(root).err());
        let flaw = flaw.map_or_else(String::new, |flaw| format!(": the first one {flaw}"));
        return Err(unusable(trust_bundle, format!("holds no usable root certificate{flaw}")));
    }
    Ok(Arc::new(Credentials { key, spiffe, roots, chains: Arc::clone(chains) }))
}

/// Reads a chain and its key, which must match.
pub(crate) fn load_certificate(certificate: &Path, private_key: &Path) -> Result<Arc<CertifiedKey>, Refused> {
    let chain = certificates(certificate)?;
    let unusable = |problem: String| Refused::Unusable { path: private_key.to_owned(), problem };
    let pem = read(private_key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| unusable(format!("is no private key: {error}")))?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            return unusable(format!("does not belong to `{}`", certificate.display()));
        }
        unusable(format!("cannot be used with `{}`: {error}", certificate.display()))
    })?;
    Ok(Arc::new(key))
}

/// The certificates in a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let unusable = |problem: String| Refused::Unusable { path: path.to_owned(), problem };
    let pem = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(format!("is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(unusable("holds no certificate".into()));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, Refused> {
    std::fs::read(path).map_err(|source| Refused::Unreadable { path: path.to_owned(), source })
}
