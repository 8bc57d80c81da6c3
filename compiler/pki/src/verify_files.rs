//! `issuer = files`: whether the roots and intermediates that a user brings can carry the mesh.

use std::time::SystemTime;

use rcgen::{Issuer, KeyPair};

use crate::certificate::Certificate;
use crate::chain::{path_to_root, verdict};
use crate::mint::{self, Validity, seconds, unix_seconds};
use crate::{
    BroughtCluster, BroughtTrust, ClusterRequest, FileProblem, FileProblemKind, MIN_LIFETIME, TrustRequest,
    pem,
};

/// Checks everything that could keep workload certificates below these intermediates from being accepted: that
/// chains verify within their path lengths, that authorities may sign, that keys match and are supported, that no
/// extension keeps a data plane from accepting them, that lifetimes nest, and that the trust domain is right. The last
/// word has the verifier of meshd, about a certificate made for that. Empty means that [`crate::adopt_files`] succeeds.
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
                        // A signature that is not supported cannot be judged.
                        let judged = root.unsupported_key.is_none() && root.weak_digest.is_none();
                        if judged && !root.is_signed_by(&root) {
                            report(FileProblemKind::NotSelfSigned { subject: root.subject.clone() });
                        }
                        check_authority(&root, now, &mut report);
                        check_extensions(&root, Place::Root, &mut report);
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
        let key = pem::key(&brought.key.bytes);
        match &key {
            Err(problem) => report(&brought.key.path, FileProblemKind::Unreadable(problem.clone())),
            Ok(key) if !intermediate.matches(key) => {
                report(&brought.key.path, FileProblemKind::KeyMismatch { certificate: path.to_owned() });
            }
            Ok(_) => {}
        }
        // An intermediate right below a root needs no chain: no file and an empty one are alike.
        if let Some(chain) = brought.chain.as_ref().filter(|chain| !chain.bytes.trim_ascii().is_empty()) {
            match pem::certificates(&chain.bytes) {
                Err(problem) => report(&chain.path, FileProblemKind::Unreadable(problem)),
                Ok(certificates) => pool.extend(certificates),
            }
        }
        check_domain(&intermediate, cluster, |kind| report(path, kind));
        check_authority(&intermediate, now, &mut |kind| report(path, kind));
        check_extensions(&intermediate, Place::Below, &mut |kind| report(path, kind));
        check_signature(&intermediate, |kind| report(path, kind));
        let (left, workload) =
            (intermediate.not_after.saturating_sub(now), seconds(request.workload_lifetime));
        if left < workload && intermediate.is_valid_at(now) {
            let subject = intermediate.subject.clone();
            report(path, FileProblemKind::WorkloadsOutlive { subject, left, workload });
        }
        let Some(way) = path_to_root(&intermediate, &pool, &self.roots) else {
            // A signature that is not supported, which was reported of its key or of itself, cannot be judged.
            let judged = |one: &Certificate| one.unsupported_key.is_none() && one.weak_digest.is_none();
            if judged(&intermediate) && self.roots.iter().chain(&pool).all(judged) {
                let (subject, issuer) = (intermediate.subject, intermediate.issuer);
                report(path, FileProblemKind::NoPathToRoot { subject, issuer });
            }
            return;
        };
        let chain_path = brought.chain.as_ref().map_or(path, |chain| chain.path.as_str());
        let (_root, between) =
            way.split_last().map_or((None, way.as_slice()), |(root, rest)| (Some(root), rest));
        for certificate in between {
            check_authority(certificate, now, &mut |kind| report(chain_path, kind));
            check_extensions(certificate, Place::Below, &mut |kind| report(chain_path, kind));
            check_signature(certificate, |kind| report(chain_path, kind));
        }
        check_path(&intermediate, &way, |kind| report(path, kind));
        let chain: Vec<Certificate> =
            std::iter::once(&intermediate).chain(between.iter().copied()).cloned().collect();
        // What the checks above do not name is found by the verifier itself. Where something was named here or of a root,
        // it would only say the same again.
        let elsewhere =
            |problem: &FileProblem| problem.cluster.as_ref().is_some_and(|name| *name != cluster.name);
        if self.problems.iter().all(elsewhere)
            && let Ok(key) = key
            && let Err(refusal) = trial(&chain, &self.roots, key, cluster, now)
        {
            let subject = intermediate.subject.clone();
            self.problems.push(FileProblem {
                path: Some(path.to_owned()),
                cluster: Some(cluster.name.clone()),
                kind: FileProblemKind::Refused { subject, refusal },
            });
        }
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
    if !certificate.covers_tls {
        report(FileProblemKind::UsageExcludesTls { subject: subject() });
    }
    if now > certificate.not_after {
        report(FileProblemKind::Expired { subject: subject(), not_after: certificate.not_after });
    } else if now < certificate.not_before {
        report(FileProblemKind::NotYetValid { subject: subject(), not_before: certificate.not_before });
    }
}

/// The signature of an authority below a root. That of a root itself is not verified by anything.
fn check_signature(certificate: &Certificate, mut report: impl FnMut(FileProblemKind)) {
    if let Some(digest) = certificate.weak_digest {
        let (subject, digest) = (certificate.subject.clone(), digest.to_owned());
        report(FileProblemKind::WeakSignature { subject, digest });
    }
}

/// Where an authority is in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At its end: meshd takes from it only its name, its key and its name constraints.
    Root,
    /// Anywhere below.
    Below,
}

/// Extensions that keep a data plane from accepting what is below an authority.
fn check_extensions(certificate: &Certificate, place: Place, report: &mut impl FnMut(FileProblemKind)) {
    for extension in &certificate.extensions {
        let meshd = match place {
            Place::Root => false,
            Place::Below => extension.is_unknown_to_meshd(),
        };
        let (name, envoy) = (extension.name(), extension.is_refused_by_envoy());
        let described = if extension.demands_policy {
            format!(
                "{name} with requireExplicitPolicy: workload certificates have no policy, so Envoy accepts none"
            )
        } else if meshd && envoy {
            format!("the critical extension {name}, which neither Envoy nor meshd processes")
        } else if meshd {
            format!("the critical extension {name}, which meshd does not process")
        } else if envoy {
            format!("the critical extension {name}, which Envoy does not process")
        } else if extension.constrains_workloads() {
            format!("{name} on subjects or URIs, under which meshd accepts no workload certificate")
        } else {
            continue;
        };
        report(FileProblemKind::Extension { subject: certificate.subject.clone(), extension: described });
    }
}

/// Issues a certificate as a workload would get it, and asks the verifier of meshd about it.
fn trial(
    chain: &[Certificate],
    roots: &[Certificate],
    key: KeyPair,
    cluster: &ClusterRequest,
    now: i64,
) -> Result<(), String> {
    let Some(intermediate) = chain.first() else { return Ok(()) };
    let signer = Issuer::from_ca_cert_der(&intermediate.der.as_slice().into(), key);
    let signer = signer.map_err(|error| error.to_string())?;
    let spiffe = format!("spiffe://{}/ns/mesh/sa/trial", cluster.trust_domain);
    let validity = Validity::starting(now, MIN_LIFETIME, intermediate.not_after);
    let minted = mint::workload(&spiffe, validity, &signer).map_err(|error| error.to_string())?;
    let leaf = pem::certificate(minted.certificate.as_bytes()).map_err(|error| error.to_string())?;
    verdict(&leaf, chain, roots, now)
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
