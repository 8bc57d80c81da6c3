//! Certificates that a test makes itself: from another root, expired, of another trust domain.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// A certificate chain and its key on disk.
#[derive(Clone, Debug)]
pub struct KeyPairFiles {
    /// PEM, the leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// A workload certificate for a SPIFFE id under a root of its own.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn under_another_root(folder: &Path, spiffe: &str) -> KeyPairFiles {
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "root.elsewhere.example");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    let root_certificate = root.self_signed(&key).expect("a root").pem();
    let issuer = Issuer::new(root, key);
    issue(folder, "elsewhere", &issuer, &root_certificate, spiffe, -1, 1)
}

/// A workload certificate for a SPIFFE id under an existing intermediate, valid from `from` to `to` days from now.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn issued(
    folder: &Path,
    name: &str,
    issuer: &Path,
    issuer_key: &Path,
    spiffe: &str,
    from: i64,
    to: i64,
) -> KeyPairFiles {
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let certificate = read(issuer);
    let key = KeyPair::from_pem(&read(issuer_key)).expect("the intermediate's key");
    let issuer = Issuer::from_ca_cert_pem(&certificate, key).expect("the intermediate");
    issue(folder, name, &issuer, &certificate, spiffe, from, to)
}

fn issue(
    folder: &Path,
    name: &str,
    issuer: &Issuer<'_, KeyPair>,
    issuer_pem: &str,
    spiffe: &str,
    from: i64,
    to: i64,
) -> KeyPairFiles {
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.subject_alt_names = vec![SanType::URI(spiffe.try_into().expect("a SPIFFE id is ASCII"))];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let now = time::OffsetDateTime::from(std::time::SystemTime::now());
    leaf.not_before = now + time::Duration::days(from);
    leaf.not_after = now + time::Duration::days(to);
    let key = KeyPair::generate().expect("a key");
    let signed = leaf.signed_by(&key, issuer).expect("a certificate");
    let files = KeyPairFiles {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&files.certificate, format!("{}{issuer_pem}", signed.pem())).expect("writable");
    std::fs::write(&files.key, key.serialize_pem()).expect("writable");
    files
}
