//! Finding the way from a certificate to a root.

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
