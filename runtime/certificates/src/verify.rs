//! Verifying the chain that a peer shows.

use std::cell::RefCell;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert, aws_lc_rs as algorithms};

use crate::extension::extensions;
use crate::profile::{self, Flaw, parse};

/// Algorithms of signatures in certificates: those of the keys that [`profile`] accepts.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P256_SHA512,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P384_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Which end of the connection the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It accepted the connection.
    Server,
    /// It made the connection.
    Client,
}

/// Why a chain is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not verify.
    #[error("{}", words(.0))]
    Chain(webpki::Error),
    /// An extension in it keeps it from being verified.
    #[error("`{subject}` has {extension}")]
    Extension {
        /// The certificate.
        subject: String,
        /// The extension, and what about it cannot be processed.
        extension: String,
    },
    /// A certificate in it is not what it should be.
    #[error("`{subject}` {flaw}")]
    Flaw {
        /// The certificate.
        subject: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
}

fn words(error: &webpki::Error) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, growing enum; webpki's own name says what the rest is"
    )]
    match error {
        webpki::Error::CertExpired { .. } => String::from("a certificate has expired"),
        webpki::Error::CertNotValidYet { .. } => String::from("a certificate is not valid yet"),
        webpki::Error::UnknownIssuer => String::from("no chain of signatures leads to a trusted root"),
        webpki::Error::CaUsedAsEndEntity => {
            String::from("the workload's certificate is that of an authority")
        }
        webpki::Error::EndEntityUsedAsCa => String::from("an issuer in the chain is no authority"),
        webpki::Error::PathLenConstraintViolated => {
            String::from("the chain is longer than a path length allows")
        }
        other => format!("{other:?}"),
    }
}

/// A root as an anchor of trust, if it may sign certificates.
///
/// # Errors
/// What is wrong with it.
pub fn anchor<'a>(root: &'a CertificateDer<'_>) -> Result<TrustAnchor<'a>, Flaw> {
    profile::authority(root)?;
    anchor_from_trusted_cert(root).map_err(|error| Flaw::Unreadable(format!("{error:?}")))
}

/// Verifies what a peer shows, its own certificate and then those between it and a root, against roots from
/// [`anchor`]. Who the peer is remains to be compared with who is expected.
///
/// # Errors
/// Why it is refused.
pub fn verify(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    now: UnixTime,
    purpose: Purpose,
) -> Result<(), Refusal> {
    let explain = |error| explain(error, leaf, intermediates, anchors);
    let certificate = EndEntityCert::try_from(leaf).map_err(explain)?;
    let usage = match purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };
    // Where several ways lead to a root, one without a flaw will do.
    let flawed = RefCell::new(None);
    let every_issuer_may_sign = |path: &VerifiedPath<'_>| {
        for issuer in path.intermediate_certificates() {
            let der = issuer.der();
            if let Err(flaw) = profile::authority(&der) {
                *flawed.borrow_mut() = Some(Refusal::Flaw { subject: subject(&der), flaw });
                return Err(webpki::Error::EndEntityUsedAsCa);
            }
        }
        Ok(())
    };
    let verified = certificate.verify_for_usage(
        ALGORITHMS,
        anchors,
        intermediates,
        now,
        usage,
        None,
        Some(&every_issuer_may_sign),
    );
    if let Err(error) = verified {
        return Err(flawed.take().unwrap_or_else(|| explain(error)));
    }
    profile::leaf(leaf).map_err(|flaw| Refusal::Flaw { subject: subject(leaf), flaw })
}

/// The extension that an error of webpki is about, since the error does not say.
fn explain(
    error: webpki::Error,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
) -> Refusal {
    let unsupported = error == webpki::Error::UnsupportedCriticalExtension;
    let constrained = error == webpki::Error::NameConstraintViolation;
    if !(unsupported || constrained) {
        return Refusal::Chain(error);
    }
    for der in std::iter::once(leaf).chain(intermediates) {
        let Ok(certificate) = parse(der) else { continue };
        for extension in extensions(&certificate) {
            let name = extension.name();
            let extension = if unsupported && extension.is_unknown_to_meshd() {
                format!("the critical extension {name}, which meshd does not process")
            } else if constrained && extension.constrains_workloads() {
                format!("{name} on subjects or URIs, which meshd does not process")
            } else {
                continue;
            };
            return Refusal::Extension { subject: subject(der), extension };
        }
    }
    if constrained && anchors.iter().any(|anchor| anchor.name_constraints.is_some()) {
        let extension =
            String::from("nameConstraints (2.5.29.30) on subjects or URIs, which meshd does not process");
        return Refusal::Extension { subject: String::from("the root"), extension };
    }
    Refusal::Chain(error)
}

/// The subject as text; for a workload, which has none, its URI.
fn subject(der: &[u8]) -> String {
    let Ok(certificate) = parse(der) else { return String::from("a certificate") };
    let subject = certificate.subject().to_string();
    if !subject.is_empty() {
        return subject;
    }
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let uri = names.iter().find_map(|name| match name {
        x509_parser::extensions::GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    uri.unwrap_or_else(|| String::from("the workload's certificate"))
}
