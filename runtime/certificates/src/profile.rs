//! What a certificate must be by itself, whoever signed it.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
};
use x509_parser::parse_x509_certificate;

/// The shortest RSA key that is accepted, in bits.
const RSA_BITS: usize = 2048;

/// What is wrong with a certificate, as the rest of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It cannot be parsed.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A workload has not exactly one URI among its alternative names.
    #[error("has {0} URIs among its names, and needs exactly one, its SPIFFE id")]
    Uris(usize),
    /// A workload is an authority.
    #[error("is an authority (its basic constraints say so), which no workload is")]
    IsAuthority,
    /// A workload may not make signatures, without which no handshake is possible.
    #[error("lacks the key usage digitalSignature")]
    NoDigitalSignature,
    /// A workload may sign certificates or revocations.
    #[error("has the key usage keyCertSign or cRLSign, which only authorities have")]
    SignsCertificates,
    /// An authority is none.
    #[error("is no authority (its basic constraints do not say so)")]
    NoAuthority,
    /// An authority may not sign certificates.
    #[error("lacks the key usage keyCertSign")]
    NoCertSign,
    /// One of the data planes does not verify signatures of its key.
    #[error("has {0}, and needs one on the curve P-256 or P-384 or an RSA key of at least {RSA_BITS} bits")]
    Key(String),
}

/// Whether a certificate in DER is that of a workload.
///
/// # Errors
/// What is wrong with it.
pub fn leaf(der: &[u8]) -> Result<(), Flaw> {
    let certificate = parse(der)?;
    let uris = uris(&certificate)?;
    if uris != 1 {
        return Err(Flaw::Uris(uris));
    }
    if is_authority(&certificate)? {
        return Err(Flaw::IsAuthority);
    }
    let usage = certificate.key_usage().map_err(unreadable)?.map(|usage| usage.value);
    if !usage.is_some_and(|usage| usage.digital_signature()) {
        return Err(Flaw::NoDigitalSignature);
    }
    if usage.is_some_and(|usage| usage.key_cert_sign() || usage.crl_sign()) {
        return Err(Flaw::SignsCertificates);
    }
    key(&certificate)
}

/// Whether a certificate in DER is that of an authority: a root or an intermediate.
///
/// # Errors
/// What is wrong with it.
pub fn authority(der: &[u8]) -> Result<(), Flaw> {
    let certificate = parse(der)?;
    if !is_authority(&certificate)? {
        return Err(Flaw::NoAuthority);
    }
    let usage = certificate.key_usage().map_err(unreadable)?.map(|usage| usage.value);
    if !usage.is_some_and(|usage| usage.key_cert_sign()) {
        return Err(Flaw::NoCertSign);
    }
    key(&certificate)
}

/// A description of the key, if one of the data planes does not verify signatures of it. Both verify ECDSA on P-256 and
/// P-384 and RSA from 2048 bits; what else one of them may know (Ed25519, P-521) the other refuses at the handshake.
#[must_use]
pub fn unsupported_key(certificate: &X509Certificate<'_>) -> Option<String> {
    let key = certificate.public_key();
    if key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return match curve {
            Some(curve) if curve == OID_EC_P256 || curve == OID_NIST_EC_P384 => None,
            Some(curve) => Some(format!("an elliptic curve key on curve {curve}")),
            None => Some(String::from("an elliptic curve key without a named curve")),
        };
    }
    if key.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        let bits = key.parsed().map_or(0, |parsed| parsed.key_size());
        return (bits < RSA_BITS).then(|| format!("an RSA key of {bits} bits"));
    }
    Some(format!("a key of algorithm {}", key.algorithm.algorithm))
}

pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Flaw> {
    match parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(Flaw::Unreadable(String::from("there are bytes after its end"))),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(error: impl ToString) -> Flaw {
    Flaw::Unreadable(error.to_string())
}

/// How many URIs there are, well formed or not: one that only some verifiers see must not hide behind another.
fn uris(certificate: &X509Certificate<'_>) -> Result<usize, Flaw> {
    let names = certificate.subject_alternative_name().map_err(unreadable)?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    Ok(names.iter().filter(|name| matches!(name, GeneralName::URI(_))).count())
}

fn is_authority(certificate: &X509Certificate<'_>) -> Result<bool, Flaw> {
    let basic = certificate.basic_constraints().map_err(unreadable)?;
    Ok(basic.is_some_and(|basic| basic.value.ca))
}

fn key(certificate: &X509Certificate<'_>) -> Result<(), Flaw> {
    unsupported_key(certificate).map_or(Ok(()), |key| Err(Flaw::Key(key)))
}
