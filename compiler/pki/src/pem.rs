//! PEM files: which certificates and which private key they hold.

use rcgen::KeyPair;

use crate::certificate::Certificate;

/// What is wrong with a PEM file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemProblem {
    /// It is not PEM, or damaged.
    #[error("this is not a readable PEM file: {0}")]
    NotPem(String),
    /// It holds no certificate.
    #[error("there is no `CERTIFICATE` block in it")]
    NoCertificate,
    /// A certificate in it cannot be parsed.
    #[error("a certificate in it cannot be read: {0}")]
    BadCertificate(String),
    /// It holds something that must not be there.
    #[error("there is a `{0}` block in it, where only certificates may be")]
    ForeignBlock(String),
    /// It holds no private key.
    #[error("there is no `PRIVATE KEY` block in it")]
    NoKey,
    /// Its private key is encrypted.
    #[error("its private key is encrypted")]
    EncryptedKey,
    /// Its private key cannot be parsed.
    #[error("its private key cannot be read: {0}")]
    BadKey(String),
}

/// All certificates of a file, in its order; at least one.
pub(crate) fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, PemProblem> {
    let found = blocks(bytes)?
        .into_iter()
        .filter(|block| block.tag() == "CERTIFICATE")
        .map(|block| Certificate::parse(block.into_contents()).map_err(PemProblem::BadCertificate))
        .collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(PemProblem::NoCertificate) } else { Ok(found) }
}

/// A bundle of roots as it may be published: its certificates and nothing else, whatever stood between them.
///
/// # Errors
/// If it cannot be read, or if it holds anything that is no certificate. A private key in it is refused and not left
/// out, since whoever put it there should know.
pub fn public_bundle(bytes: &[u8]) -> Result<String, PemProblem> {
    let foreign = blocks(bytes)?.into_iter().find(|block| block.tag() != "CERTIFICATE");
    if let Some(block) = foreign {
        return Err(PemProblem::ForeignBlock(block.tag().to_owned()));
    }
    certificates(bytes).map(|certificates| encode(&certificates))
}

/// The first certificate of a file.
pub(crate) fn certificate(bytes: &[u8]) -> Result<Certificate, PemProblem> {
    certificates(bytes)?.into_iter().next().ok_or(PemProblem::NoCertificate)
}

/// The private key of a file: PKCS #8, SEC 1 (`EC PRIVATE KEY`, also after `EC PARAMETERS`) or PKCS #1
/// (`RSA PRIVATE KEY`).
pub(crate) fn key(bytes: &[u8]) -> Result<KeyPair, PemProblem> {
    let block = blocks(bytes)?
        .into_iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
        .ok_or(PemProblem::NoKey)?;
    // PKCS #8 says so in its label; the older formats in an RFC 1421 header.
    if block.tag() == "ENCRYPTED PRIVATE KEY" || block.headers().get("DEK-Info").is_some() {
        return Err(PemProblem::EncryptedKey);
    }
    KeyPair::try_from(block.contents()).map_err(|error| PemProblem::BadKey(error.to_string()))
}

/// Certificates as PEM text, one block after another, with LF.
pub(crate) fn encode<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    certificates
        .into_iter()
        .map(|certificate| pem::encode_config(&pem::Pem::new("CERTIFICATE", certificate.der.clone()), config))
        .collect()
}

fn blocks(bytes: &[u8]) -> Result<Vec<pem::Pem>, PemProblem> {
    pem::parse_many(bytes).map_err(|error| PemProblem::NotPem(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_bad_file_is_told_apart() {
        assert_eq!(certificate(b"").unwrap_err(), PemProblem::NoCertificate);
        assert_eq!(key(b"hello").unwrap_err(), PemProblem::NoKey);
        let truncated = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(
            certificate(truncated).unwrap_err(),
            PemProblem::NoCertificate | PemProblem::NotPem(_)
        ));
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(certificate(garbage).unwrap_err(), PemProblem::BadCertificate(_)));
        let garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(key(garbage).unwrap_err(), PemProblem::BadKey(_)));
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(key(encrypted).unwrap_err(), PemProblem::EncryptedKey);
    }

    #[test]
    fn a_key_after_its_curve_parameters_is_found() {
        let pair = KeyPair::generate().unwrap();
        let file = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
            pair.serialize_pem()
        );
        assert_eq!(key(file.as_bytes()).unwrap().public_key_raw(), pair.public_key_raw());
    }
}
