//! What this crate needs to know about one parsed certificate, owned and comparable.

use rcgen::KeyPair;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
};
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
    /// Whether its key usage, if there is one, lets it sign certificates.
    pub(crate) may_sign: bool,
    pub(crate) path_length: Option<u32>,
    /// Whether its extended usage, if there is one, covers both ends of mutual TLS.
    pub(crate) covers_tls: bool,
    /// Whether it carries name constraints that speak of URIs.
    pub(crate) constrains_uris: bool,
    /// The URIs among its alternative names.
    pub(crate) uris: Vec<String>,
    /// The raw public key.
    public_key: Vec<u8>,
    /// A description of a key that one of the data planes cannot verify with.
    pub(crate) unsupported_key: Option<String>,
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
        let may_sign = usage.is_none_or(|usage| usage.value.key_cert_sign());
        let covers_tls = extended.is_none_or(|extended| {
            extended.value.any || (extended.value.server_auth && extended.value.client_auth)
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
            constrains_uris: constrains_uris(&parsed),
            uris: uris(&parsed),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            unsupported_key: unsupported_key(&parsed),
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

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names
        .map(|names| &names.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect()
}

fn constrains_uris(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::NameConstraints(constraints) => {
            [constraints.permitted_subtrees.as_deref(), constraints.excluded_subtrees.as_deref()]
                .into_iter()
                .flatten()
                .flatten()
                .any(|subtree| matches!(subtree.base, GeneralName::URI(_)))
        }
        _ => false,
    })
}

/// Both data planes verify ECDSA on P-256 and P-384 and RSA from 2048 bits; what else one of them may know
/// (Ed25519, P-521) the other refuses at the handshake.
fn unsupported_key(certificate: &X509Certificate<'_>) -> Option<String> {
    let key = certificate.public_key();
    if key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return match curve {
            Some(curve) if curve == OID_EC_P256 || curve == OID_NIST_EC_P384 => None,
            Some(curve) => Some(format!("an elliptic curve key on curve {curve}")),
            None => Some("an elliptic curve key without a named curve".to_owned()),
        };
    }
    if key.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        let bits = key.parsed().map_or(0, |parsed| parsed.key_size());
        return (bits < 2048).then(|| format!("an RSA key of {bits} bits"));
    }
    Some(format!("a key of algorithm {}", key.algorithm.algorithm))
}
