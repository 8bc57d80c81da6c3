//! What a key directory holds, certificate by certificate, and what is wrong with it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use meshd_certificates::Flaw;

use crate::certificate::Certificate;
use crate::chain::path_to_root;
use crate::mint::{Validity, seconds, unix_seconds};
use crate::{KeyDirectory, Level, PkiError, TrustRequest, layout, pem};

/// Everything about a key directory. [`Report`] prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The certificates: roots, then per cluster the intermediate and its workloads, in the request's order.
    pub certificates: Vec<CertificateReport>,
    /// Files that nothing in the request asks for, such as those of identities that were removed.
    pub unused: Vec<String>,
}

impl Report {
    /// Whether nothing at all is wrong. Unused files are not wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.certificates.iter().all(|certificate| certificate.problems.is_empty())
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateReport {
    /// Its file, relative to the key directory.
    pub path: String,
    /// Its place in the hierarchy.
    pub level: Level,
    /// Its SPIFFE URI, or its subject where there is none. For one that is missing or unreadable, what was asked for.
    pub subject: String,
    /// What could be read of it; `None` if it is missing or unreadable.
    pub details: Option<CertificateDetails>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// What could be read of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDetails {
    /// The issuer's subject.
    pub issuer: String,
    /// The beginning of its life, in seconds since 1970.
    pub not_before: i64,
    /// The end of its life, in seconds since 1970.
    pub not_after: i64,
    /// Whole days left, rounded down; negative once it has expired.
    pub days_left: i64,
    /// The path length constraint, for authorities that have one.
    pub path_length: Option<u32>,
}

/// What can be wrong with a certificate in a key directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(pem::PemProblem),
    /// Its life is over.
    #[error("expired")]
    Expired,
    /// Its life has not begun.
    #[error("not yet valid")]
    NotYetValid,
    /// Less than a third of its life is left.
    #[error("less than a third of its life left")]
    NearsEnd,
    /// It ends after its issuer.
    #[error("outlives its issuer")]
    OutlivesIssuer,
    /// The authority that should have signed it did not.
    #[error("signed by another authority")]
    WrongIssuer,
    /// It carries another name than was asked for.
    #[error("names {found} instead of {wanted}")]
    WrongIdentity {
        /// What it carries.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// It is not an authority, or may not sign.
    #[error("not an authority, or without the key usage keyCertSign")]
    NotAnAuthority,
    /// meshd refuses it, and peers with it.
    #[error("meshd refuses it: it {0}")]
    Flawed(Flaw),
    /// The private key beside it is missing.
    #[error("private key missing")]
    KeyMissing,
    /// The private key beside it cannot be read.
    #[error("private key unreadable: {0}")]
    KeyUnreadable(pem::PemProblem),
    /// The private key beside it belongs to another certificate.
    #[error("private key of another certificate")]
    KeyMismatch,
    /// Others than the owner may use the private key.
    #[error("private key is readable by others (mode {mode:04o})")]
    KeyExposed {
        /// Its mode.
        mode: u32,
    },
}

/// Reports on every certificate that the request asks for and on every root in the bundle.
///
/// # Errors
/// [`PkiError::UnusableName`] if the request holds names that cannot be folders.
pub fn show(request: &TrustRequest, directory: &KeyDirectory, now: SystemTime) -> Result<Report, PkiError> {
    let now = unix_seconds(now);
    let mut certificates = Vec::new();
    let mut known: BTreeSet<String> =
        [layout::GITIGNORE, layout::ROOTS, layout::ROOT_CERTIFICATE, layout::ROOT_KEY]
            .map(str::to_owned)
            .into();
    let roots = roots(request, directory, now, &mut certificates);
    for cluster in &request.clusters {
        let paths = layout::intermediate(&cluster.name)?;
        let chain =
            directory.bytes(&paths.chain).and_then(|bytes| pem::certificates(bytes).ok()).unwrap_or_default();
        let subject = format!("intermediate of {}", cluster.name);
        let mut entry = Entry::open(directory, &paths.certificate, Level::Intermediate, subject, now);
        if let Some(certificate) = &entry.certificate {
            let path = path_to_root(certificate, &chain, &roots);
            let issuer = path.as_ref().and_then(|path| path.first());
            entry.report.problems.extend(below(certificate, issuer.copied()));
            if !(certificate.is_authority && certificate.may_sign) {
                entry.report.problems.push(Problem::NotAnAuthority);
            }
            entry.check_key(directory, &paths.key);
        }
        let Entry { certificate: authority, report } = entry;
        certificates.push(report);
        known.extend([paths.certificate, paths.key, paths.chain]);
        for identity in &cluster.identities {
            let paths = layout::identity(&cluster.name, identity)?;
            let mut entry =
                Entry::open(directory, &paths.certificate, Level::Workload, identity.spiffe.clone(), now);
            if let Some(certificate) = &entry.certificate {
                entry.report.problems.extend(below(certificate, authority.as_ref()));
                if certificate.uris != [identity.spiffe.as_str()] {
                    let (found, wanted) = (certificate.uris.join(", "), identity.spiffe.clone());
                    entry.report.problems.push(Problem::WrongIdentity { found, wanted });
                }
                // How many URIs there are has been said.
                let flaw = certificate.leaf_flaw.clone().filter(|flaw| !matches!(flaw, Flaw::Uris(_)));
                entry.report.problems.extend(flaw.map(Problem::Flawed));
                entry.check_key(directory, &paths.key);
            }
            certificates.push(entry.report);
            known.extend([paths.certificate, paths.key]);
        }
    }
    let unused = directory.iter().map(|(path, _)| path).filter(|path| !known.contains(*path));
    Ok(Report { certificates, unused: unused.map(str::to_owned).collect() })
}

/// Reports on each root of the bundle, and returns those that could be read.
fn roots(
    request: &TrustRequest,
    directory: &KeyDirectory,
    now: i64,
    reports: &mut Vec<CertificateReport>,
) -> Vec<Certificate> {
    let bundle = match directory.bytes(layout::ROOTS).map(pem::certificates) {
        Some(Ok(bundle)) => bundle,
        unusable => {
            let problem = match unusable {
                Some(Err(problem)) => Problem::Unreadable(problem),
                Some(Ok(_)) | None => Problem::Missing,
            };
            reports.push(absent(layout::ROOTS, Level::Root, "roots".to_owned(), problem));
            return Vec::new();
        }
    };
    let own = directory.bytes(layout::ROOT_CERTIFICATE).and_then(|bytes| pem::certificate(bytes).ok());
    for root in &bundle {
        // A root is good for as long as it can sign intermediates that live as long as declared.
        let nears_end = root.not_after.saturating_sub(now) < seconds(request.intermediate_lifetime);
        let mut report = describe(layout::ROOTS, Level::Root, root, nears_end, now);
        if !(root.is_authority && root.may_sign) {
            report.problems.push(Problem::NotAnAuthority);
        }
        // The root's key may well be kept elsewhere, so its absence is no problem; a wrong or exposed one is.
        if own.as_ref().is_some_and(|own| own.der == root.der) && directory.get(layout::ROOT_KEY).is_some() {
            let mut entry = Entry { certificate: Some(root.clone()), report };
            entry.check_key(directory, layout::ROOT_KEY);
            report = entry.report;
        }
        reports.push(report);
    }
    bundle
}

/// A report being made, with the certificate that it is about.
struct Entry {
    certificate: Option<Certificate>,
    report: CertificateReport,
}

impl Entry {
    fn open(directory: &KeyDirectory, path: &str, level: Level, wanted: String, now: i64) -> Self {
        match directory.bytes(path).map(pem::certificate) {
            None => Self { certificate: None, report: absent(path, level, wanted, Problem::Missing) },
            Some(Err(problem)) => {
                Self { certificate: None, report: absent(path, level, wanted, Problem::Unreadable(problem)) }
            }
            Some(Ok(certificate)) => {
                let nears_end = Validity::nears_end(certificate.not_before, certificate.not_after, now);
                let report = describe(path, level, &certificate, nears_end, now);
                Self { certificate: Some(certificate), report }
            }
        }
    }

    fn check_key(&mut self, directory: &KeyDirectory, path: &str) {
        let Some(certificate) = &self.certificate else { return };
        let problems = &mut self.report.problems;
        let Some(file) = directory.get(path) else {
            problems.push(Problem::KeyMissing);
            return;
        };
        match pem::key(&file.bytes) {
            Err(problem) => problems.push(Problem::KeyUnreadable(problem)),
            Ok(key) if !certificate.matches(&key) => problems.push(Problem::KeyMismatch),
            Ok(_) => {}
        }
        if file.is_exposed() {
            problems.push(Problem::KeyExposed { mode: file.mode & 0o777 });
        }
    }
}

fn absent(path: &str, level: Level, subject: String, problem: Problem) -> CertificateReport {
    CertificateReport { path: path.to_owned(), level, subject, details: None, problems: vec![problem] }
}

fn describe(
    path: &str,
    level: Level,
    certificate: &Certificate,
    nears_end: bool,
    now: i64,
) -> CertificateReport {
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    let mut problems = Vec::new();
    if now > not_after {
        problems.push(Problem::Expired);
    } else if now < not_before {
        problems.push(Problem::NotYetValid);
    } else if nears_end {
        problems.push(Problem::NearsEnd);
    }
    let subject = certificate.uris.first().unwrap_or(&certificate.subject).clone();
    let details = CertificateDetails {
        issuer: certificate.issuer.clone(),
        not_before,
        not_after,
        days_left: (not_after.saturating_sub(now)).div_euclid(86_400),
        path_length: certificate.path_length,
    };
    CertificateReport { path: path.to_owned(), level, subject, details: Some(details), problems }
}

/// What is wrong between a certificate and the authority that should have signed it.
fn below(certificate: &Certificate, authority: Option<&Certificate>) -> Option<Problem> {
    match authority {
        Some(authority) if certificate.is_signed_by(authority) => {
            (certificate.not_after > authority.not_after).then_some(Problem::OutlivesIssuer)
        }
        Some(_) | None => Some(Problem::WrongIssuer),
    }
}
