//! Roots, and workload certificates under them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// A root that signs workload certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A workload certificate with its key.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for an identity, valid for an hour on both sides of now.
    pub(crate) fn issue(&self, spiffe: &str) -> Leaf {
        let now = OffsetDateTime::now_utc();
        self.issue_valid(spiffe, now - Duration::hours(1), now + Duration::hours(1))
    }

    /// A certificate that has expired.
    pub(crate) fn issue_expired(&self, spiffe: &str) -> Leaf {
        let now = OffsetDateTime::now_utc();
        self.issue_valid(spiffe, now - Duration::hours(2), now - Duration::hours(1))
    }

    fn issue_valid(&self, spiffe: &str, from: OffsetDateTime, to: OffsetDateTime) -> Leaf {
        self.issue_with(spiffe, |params| (params.not_before, params.not_after) = (from, to))
    }

    /// A certificate that differs from a good one in what `change` changes.
    pub(crate) fn issue_with(&self, spiffe: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(spiffe.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Leaf { certificate, key: key.serialize_pem() }
    }
}

impl Leaf {
    /// Writes the files that a proxy reads its identity from.
    pub(crate) fn write(&self, folder: &Path, roots: &str) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("tls.key"), &self.key).unwrap();
        std::fs::write(folder.join("tls.crt"), &self.certificate).unwrap();
        std::fs::write(folder.join("ca.crt"), roots).unwrap();
    }
}
