//! What this crate needs to know about one parsed certificate, owned and comparable.

use meshd_certificates::{Extension, Flaw, extensions, unsupported_key};
use rcgen::KeyPair;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// The facts of a certificate. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    /// As text, such as `CN=root.acme.example`.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) self_issued: bool,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// Whether basic constraints make it an authority.
    pub(crate) is_authority: bool,
    /// Whether its key usage lets it sign certificates. Without a key usage it does not: SPIFFE asks for one (X509-SVID,
    /// section 4.3), and meshd refuses an issuer without it.
    pub(crate) may_sign: bool,
    pub(crate) path_length: Option<u32>,
    /// Whether its extended usage, if there is one, covers both ends of mutual TLS.
    pub(crate) covers_tls: bool,
    /// Its extensions.
    pub(crate) extensions: Vec<Extension>,
    /// What keeps it from being a workload's certificate.
    pub(crate) leaf_flaw: Option<Flaw>,
    /// The URIs among its alternative names.
    pub(crate) uris: Vec<String>,
    /// The raw public key.
    public_key: Vec<u8>,
    /// A description of a key that one of the data planes cannot verify with.
    pub(crate) unsupported_key: Option<String>,
    /// The digest of its signature, if no data plane verifies signatures with it any more.
    pub(crate) weak_digest: Option<&'static str>,
}

impl Certificate {
    /// Parses DER and refuses bytes after the certificate.
    pub(crate) fn parse(der: Vec<u8>) -> Result<Self, String> {
        let (rest, parsed) = parse_x509_certificate(&der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err("there are bytes after its end".to_owned());
        }
        let basic = parsed.basic_constraints().map_err(|error| error.to_string())?;
        let usage = parsed.key_usage().map_err(|error| error.to_string())?;
        let extended = parsed.extended_key_usage().map_err(|error| error.to_string())?;
        let is_authority = basic.as_ref().is_some_and(|basic| basic.value.ca);
        let path_length = basic.and_then(|basic| basic.value.path_len_constraint);
        let may_sign = usage.is_some_and(|usage| usage.value.key_cert_sign());
        let covers_tls = extended.is_none_or(|extended| {
            // `anyExtendedKeyUsage` does not stand for these: meshd's verifier asks for each by name.
            extended.value.server_auth && extended.value.client_auth
        });
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority,
            may_sign,
            path_length,
            covers_tls,
            extensions: extensions(&parsed),
            leaf_flaw: meshd_certificates::leaf(&der).err(),
            uris: uris(&parsed),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            unsupported_key: unsupported_key(&parsed),
            weak_digest: weak_digest(&parsed.signature_algorithm.algorithm.to_id_string()),
            der,
        })
    }

    /// Whether `issuer` signed this certificate under its own name.
    pub(crate) fn is_signed_by(&self, issuer: &Self) -> bool {
        let Ok((_, child)) = parse_x509_certificate(&self.der) else { return false };
        let Ok((_, parent)) = parse_x509_certificate(&issuer.der) else { return false };
        child.issuer().as_raw() == parent.subject().as_raw()
            && child.verify_signature(Some(parent.public_key())).is_ok()
    }

    /// Whether the private key belongs to this certificate.
    pub(crate) fn matches(&self, key: &KeyPair) -> bool {
        self.public_key == key.public_key_raw()
    }

    /// Whether the certificate is valid at a time, in seconds since 1970.
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// The digest of a signature algorithm that is too weak (RFC 8017, appendix C, and RFC 3279, section 2.2.3).
fn weak_digest(algorithm: &str) -> Option<&'static str> {
    match algorithm {
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => Some("SHA-1"),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Some("SHA-224"),
        _ => None,
    }
}

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names
        .map(|names| &names.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|name| {
            let GeneralName::URI(uri) = name else { return None };
            Some((*uri).to_owned())
        })
        .collect()
}

/// The DNS names in a certificate; none if it cannot be read.
#[must_use]
pub fn dns_names(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(der) else { return Vec::new() };
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| &names.value.general_names).into_iter().flatten();
    let dns = names.filter_map(|name| {
        let GeneralName::DNSName(name) = name else { return None };
        Some((*name).to_owned())
    });
    dns.collect()
}
