//! `issuer = files`: whether the roots and intermediates that a user brings can carry the mesh.

use std::time::SystemTime;

use crate::certificate::Certificate;
use crate::chain::path_to_root;
use crate::mint::{seconds, unix_seconds};
use crate::{BroughtCluster, BroughtTrust, ClusterRequest, FileProblem, FileProblemKind, TrustRequest, pem};

/// Checks everything that could keep workload certificates below these intermediates from being accepted: that
/// chains verify within their path lengths, that authorities may sign, that keys match and are supported, that
/// lifetimes nest, and that the trust domain is right. Empty means that [`crate::adopt_files`] succeeds.
#[must_use]
pub fn verify_files(brought: &BroughtTrust, request: &TrustRequest, now: SystemTime) -> Vec<FileProblem> {
    Verified::new(brought, request, now).problems
}

/// What was brought, parsed, and what is wrong with it.
pub(crate) struct Verified {
    pub(crate) problems: Vec<FileProblem>,
    pub(crate) roots: Vec<Certificate>,
    /// Per usable cluster: its index in what was brought, the intermediate, and its way to the root without the root.
    pub(crate) chains: Vec<(usize, Vec<Certificate>)>,
}

impl Verified {
    pub(crate) fn new(brought: &BroughtTrust, request: &TrustRequest, now: SystemTime) -> Self {
        let now = unix_seconds(now);
        let mut verified = Self { problems: Vec::new(), roots: Vec::new(), chains: Vec::new() };
        verified.check_roots(brought, now);
        for cluster in &request.clusters {
            match brought.clusters.iter().enumerate().find(|(_, candidate)| candidate.name == cluster.name) {
                Some((index, found)) => verified.check_cluster(index, found, cluster, request, now),
                None => verified.problems.push(FileProblem {
                    path: None,
                    cluster: Some(cluster.name.clone()),
                    kind: FileProblemKind::NoIntermediate,
                }),
            }
        }
        verified
    }

    fn check_roots(&mut self, brought: &BroughtTrust, now: i64) {
        if brought.roots.is_empty() {
            self.problems.push(FileProblem { path: None, cluster: None, kind: FileProblemKind::NoRoots });
        }
        for file in &brought.roots {
            let mut report = |kind| {
                self.problems.push(FileProblem { path: Some(file.path.clone()), cluster: None, kind });
            };
            match pem::certificates(&file.bytes) {
                Err(problem) => report(FileProblemKind::Unreadable(problem)),
                Ok(roots) => {
                    for root in roots {
                        if !root.is_signed_by(&root) {
                            report(FileProblemKind::NotSelfSigned { subject: root.subject.clone() });
                        }
                        check_authority(&root, now, &mut report);
                        self.roots.push(root);
                    }
                }
            }
        }
    }

    fn check_cluster(
        &mut self,
        index: usize,
        brought: &BroughtCluster,
        cluster: &ClusterRequest,
        request: &TrustRequest,
        now: i64,
    ) {
        let mut report = |path: &str, kind| {
            let (path, cluster) = (Some(path.to_owned()), Some(cluster.name.clone()));
            self.problems.push(FileProblem { path, cluster, kind });
        };
        let path = brought.certificate.path.as_str();
        let mut pool = match pem::certificates(&brought.certificate.bytes) {
            Ok(certificates) => certificates,
            Err(problem) => return report(path, FileProblemKind::Unreadable(problem)),
        };
        let intermediate = pool.remove(0);
        match pem::key(&brought.key.bytes) {
            Err(problem) => report(&brought.key.path, FileProblemKind::Unreadable(problem)),
            Ok(key) if !intermediate.matches(&key) => {
                report(&brought.key.path, FileProblemKind::KeyMismatch { certificate: path.to_owned() });
            }
            Ok(_) => {}
        }
        if let Some(chain) = &brought.chain {
            match pem::certificates(&chain.bytes) {
                Err(problem) => report(&chain.path, FileProblemKind::Unreadable(problem)),
                Ok(certificates) => pool.extend(certificates),
            }
        }
        check_domain(&intermediate, cluster, |kind| report(path, kind));
        check_authority(&intermediate, now, &mut |kind| report(path, kind));
        let (left, workload) =
            (intermediate.not_after.saturating_sub(now), seconds(request.workload_lifetime));
        if left < workload && intermediate.is_valid_at(now) {
            let subject = intermediate.subject.clone();
            report(path, FileProblemKind::WorkloadsOutlive { subject, left, workload });
        }
        let Some(way) = path_to_root(&intermediate, &pool, &self.roots) else {
            let (subject, issuer) = (intermediate.subject, intermediate.issuer);
            return report(path, FileProblemKind::NoPathToRoot { subject, issuer });
        };
        let chain_path = brought.chain.as_ref().map_or(path, |chain| chain.path.as_str());
        let (_root, between) =
            way.split_last().map_or((None, way.as_slice()), |(root, rest)| (Some(root), rest));
        for certificate in between {
            check_authority(certificate, now, &mut |kind| report(chain_path, kind));
        }
        check_path(&intermediate, &way, |kind| report(path, kind));
        let chain = std::iter::once(&intermediate).chain(between.iter().copied()).cloned().collect();
        self.chains.push((index, chain));
    }
}

/// What every authority must be, wherever it stands.
fn check_authority(certificate: &Certificate, now: i64, report: &mut impl FnMut(FileProblemKind)) {
    let subject = || certificate.subject.clone();
    if !(certificate.is_authority && certificate.may_sign) {
        report(FileProblemKind::NotAnAuthority { subject: subject() });
    }
    if let Some(key) = &certificate.unsupported_key {
        report(FileProblemKind::UnsupportedKey { subject: subject(), key: key.clone() });
    }
    if certificate.constrains_uris {
        report(FileProblemKind::UriConstraints { subject: subject() });
    }
    if !certificate.covers_tls {
        report(FileProblemKind::UsageExcludesTls { subject: subject() });
    }
    if now > certificate.not_after {
        report(FileProblemKind::Expired { subject: subject(), not_after: certificate.not_after });
    } else if now < certificate.not_before {
        report(FileProblemKind::NotYetValid { subject: subject(), not_before: certificate.not_before });
    }
}

/// Path lengths and nesting along the way from the intermediate to the root.
fn check_path(intermediate: &Certificate, way: &[&Certificate], mut report: impl FnMut(FileProblemKind)) {
    let mut below = intermediate;
    for (issuer, needed) in way.iter().zip(1_u32..) {
        if let Some(allowed) = issuer.path_length.filter(|allowed| *allowed < needed) {
            report(FileProblemKind::PathTooLong { subject: issuer.subject.clone(), allowed, needed });
        }
        if below.not_after > issuer.not_after {
            let (subject, issuer) = (below.subject.clone(), issuer.subject.clone());
            report(FileProblemKind::OutlivesIssuer { subject, issuer });
        }
        below = issuer;
    }
}

/// An authority may name its trust domain (SPIFFE X509-SVID, 3.2); if it does, it must be the cluster's.
fn check_domain(
    certificate: &Certificate,
    cluster: &ClusterRequest,
    mut report: impl FnMut(FileProblemKind),
) {
    let expected = format!("spiffe://{}", cluster.trust_domain);
    for found in certificate.uris.iter().filter(|uri| uri.starts_with("spiffe://")) {
        if found.trim_end_matches('/') != expected {
            report(FileProblemKind::ForeignTrustDomain {
                subject: certificate.subject.clone(),
                found: found.clone(),
                expected: cluster.trust_domain.clone(),
            });
        }
    }
}
