//! Certificates that a test makes itself: from another root, expired, of another trust domain.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::{process, tools};

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

/// How a workload's certificate is made: as SPIFFE asks for it, or with one thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One URI, no authority, digitalSignature, a key on P-256.
    Workload,
    /// A second URI.
    SecondUri,
    /// `CA:TRUE`.
    Authority,
    /// No key usage at all.
    NoKeyUsage,
    /// A key usage without digitalSignature.
    NoDigitalSignature,
    /// The key usage of an authority, too.
    SignsCertificates,
    /// A key for Ed25519.
    Ed25519,
    /// A key on the curve P-521.
    P521,
}

/// A workload certificate of a shape for a SPIFFE id under an existing intermediate.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn shaped(folder: &Path, shape: Shape, issuer: &Path, issuer_key: &Path, spiffe: &str) -> KeyPairFiles {
    let uri = |text: &str| SanType::URI(text.try_into().expect("a SPIFFE id is ASCII"));
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.subject_alt_names = vec![uri(spiffe)];
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let mut algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
    match shape {
        Shape::Workload => {}
        Shape::SecondUri => leaf.subject_alt_names.push(uri("spiffe://cluster.local/ns/other/sa/other")),
        Shape::Authority => leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
        Shape::NoKeyUsage => leaf.key_usages.clear(),
        Shape::NoDigitalSignature => leaf.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
        Shape::SignsCertificates => leaf.key_usages.push(KeyUsagePurpose::KeyCertSign),
        Shape::Ed25519 => algorithm = &rcgen::PKCS_ED25519,
        Shape::P521 => algorithm = &rcgen::PKCS_ECDSA_P521_SHA512,
    }
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let issuer_pem = read(issuer);
    let issuer_key = KeyPair::from_pem(&read(issuer_key)).expect("the intermediate's key");
    let issuer = Issuer::from_ca_cert_pem(&issuer_pem, issuer_key).expect("the intermediate");
    let now = time::OffsetDateTime::from(std::time::SystemTime::now());
    leaf.not_before = now - time::Duration::hours(1);
    leaf.not_after = now + time::Duration::hours(1);
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let signed = leaf.signed_by(&key, &issuer).expect("a certificate");
    let name = format!("{shape:?}");
    let files = KeyPairFiles {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&files.certificate, format!("{}{issuer_pem}", signed.pem())).expect("writable");
    std::fs::write(&files.key, key.serialize_pem()).expect("writable");
    files
}

/// An intermediate under an existing root with extensions in the syntax of openssl's configuration; its certificate and
/// its key.
///
/// # Panics
/// If openssl is not there or does not make it.
#[must_use]
pub fn intermediate(folder: &Path, extensions: &str, root: &Path, root_key: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("intermediate.pem"), folder.join("intermediate.key"));
    let (configuration, request) = (folder.join("intermediate.cnf"), folder.join("intermediate.csr"));
    std::fs::write(&configuration, extensions).expect("writable");
    let pair = KeyPair::generate().expect("a key");
    std::fs::write(&key, pair.serialize_pem()).expect("writable");
    let openssl = |arguments: &[&std::ffi::OsStr]| {
        process::succeed(Command::new(tools::system("openssl")).args(arguments));
    };
    let words = |text: &'static str| text.split(' ').map(std::ffi::OsStr::new).collect::<Vec<_>>();
    openssl(
        &[
            words("req -new -subj /CN=Intermediate -key"),
            vec![key.as_os_str()],
            words("-out"),
            vec![request.as_os_str()],
        ]
        .concat(),
    );
    openssl(
        &[
            words("x509 -req -days 10 -set_serial 1 -in"),
            vec![request.as_os_str()],
            words("-CA"),
            vec![root.as_os_str()],
            words("-CAkey"),
            vec![root_key.as_os_str()],
            words("-extfile"),
            vec![configuration.as_os_str()],
            words("-out"),
            vec![certificate.as_os_str()],
        ]
        .concat(),
    );
    (certificate, key)
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
