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
    let pair = KeyPair::generate().expect("a key");
    std::fs::write(folder.join("intermediate.key"), pair.serialize_pem()).expect("writable");
    signed_by_openssl(folder, "intermediate", "/CN=Intermediate", extensions, (root, root_key))
}

/// A workload certificate for a SPIFFE id with an RSA key of 1024 bits, which only openssl still makes.
///
/// # Panics
/// If openssl is not there or does not make it.
#[must_use]
pub fn with_short_rsa_key(folder: &Path, issuer: &Path, issuer_key: &Path, spiffe: &str) -> KeyPairFiles {
    let key = folder.join("short.key");
    process::succeed(Command::new(tools::system("openssl")).args(["genrsa", "-out"]).arg(&key).arg("1024"));
    let extensions = format!(
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n\
         subjectAltName=critical,URI:{spiffe}\n"
    );
    let (certificate, key) =
        signed_by_openssl(folder, "short", "/CN=short", &extensions, (issuer, issuer_key));
    let mut chain = std::fs::read_to_string(&certificate).expect("openssl wrote it");
    chain.push_str(&std::fs::read_to_string(issuer).expect("readable"));
    std::fs::write(&certificate, chain).expect("writable");
    KeyPairFiles { certificate, key }
}

/// Signs a certificate for the key `<name>.key` in a folder; returns its file and that of the key.
fn signed_by_openssl(
    folder: &Path,
    name: &str,
    subject: &str,
    extensions: &str,
    (issuer, issuer_key): (&Path, &Path),
) -> (PathBuf, PathBuf) {
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let (certificate, key, request, configuration) = (file("pem"), file("key"), file("csr"), file("cnf"));
    std::fs::write(&configuration, extensions).expect("writable");
    let openssl = || Command::new(tools::system("openssl"));
    let mut ask = openssl();
    ask.args(["req", "-new", "-subj", subject, "-key"]).arg(&key).arg("-out").arg(&request);
    process::succeed(&mut ask);
    let mut sign = openssl();
    sign.args(["x509", "-req", "-days", "10", "-set_serial", "1", "-in"])
        .arg(&request)
        .arg("-CA")
        .arg(issuer);
    sign.arg("-CAkey").arg(issuer_key).arg("-extfile").arg(&configuration).arg("-out").arg(&certificate);
    process::succeed(&mut sign);
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
