//! Finding the way from a certificate to a root, and asking meshd's verifier about it.

use std::time::Duration;

use meshd_certificates::{Purpose, anchor, verify};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::Certificate;

/// Longer chains are not searched: no data plane accepts them, and a bound keeps a malicious pool harmless.
const MAX_INTERMEDIATES: usize = 8;

/// The shortest chain from `certificate` to one of `roots` through `pool`: the certificates that signed it, nearest
/// first, the root last. Only names and signatures are looked at; the caller judges the rest.
pub(crate) fn path_to_root<'a>(
    certificate: &Certificate,
    pool: &'a [Certificate],
    roots: &'a [Certificate],
) -> Option<Vec<&'a Certificate>> {
    path_within(certificate, pool, roots, MAX_INTERMEDIATES)
}

fn path_within<'a>(
    certificate: &Certificate,
    pool: &'a [Certificate],
    roots: &'a [Certificate],
    budget: usize,
) -> Option<Vec<&'a Certificate>> {
    if let Some(root) = roots.iter().find(|root| certificate.is_signed_by(root)) {
        return Some(vec![root]);
    }
    let next = budget.checked_sub(1)?;
    pool.iter()
        .filter(|candidate| !candidate.self_issued && candidate.der != certificate.der)
        .filter(|candidate| certificate.is_signed_by(candidate))
        .filter_map(|issuer| {
            let mut path = path_within(issuer, pool, roots, next)?;
            path.insert(0, issuer);
            Some(path)
        })
        .min_by_key(Vec::len)
}

/// What meshd says of a workload's certificate with what is shown along with it, for both ends of TLS.
pub(crate) fn verdict(
    leaf: &Certificate,
    chain: &[Certificate],
    roots: &[Certificate],
    now: i64,
) -> Result<(), String> {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der.clone());
    let (leaf, roots) = (der(leaf), roots.iter().map(der).collect::<Vec<_>>());
    let chain: Vec<_> = chain.iter().map(der).collect();
    let anchors: Vec<_> = roots.iter().filter_map(|root| anchor(root).ok()).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
    for purpose in [Purpose::Server, Purpose::Client] {
        verify(&leaf, &chain, &anchors, now, purpose).map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}
