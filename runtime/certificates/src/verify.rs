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
        webpki::Error::UnsupportedSignatureAlgorithmContext(_)
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            String::from("a signature in the chain is neither ECDSA nor RSA with SHA-256, SHA-384 or SHA-512")
        }
        other => spelled_out(&format!("{other:?}")),
    }
}

/// The words of a variant's name, without what it carries: `InvalidSignatureForPublicKey` is "invalid signature for public
/// key".
fn spelled_out(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars().take_while(char::is_ascii_alphanumeric) {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

/// A root as an anchor of trust, if it may sign certificates.
///
/// # Errors
/// What is wrong with it.
pub fn anchor<'a>(root: &'a CertificateDer<'_>) -> Result<TrustAnchor<'a>, Flaw> {
    profile::authority(root)?;
    anchor_from_trusted_cert(root).map_err(|error| Flaw::Unreadable(words(&error)))
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
    let uri = names.iter().find_map(|name| {
        let x509_parser::extensions::GeneralName::URI(uri) = name else { return None };
        Some((*uri).to_owned())
    });
    uri.unwrap_or_else(|| String::from("the workload's certificate"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, GeneralSubtree,
        IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
    };

    use super::*;

    fn authority(name: &str, edit: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        edit(&mut params);
        params
    }

    /// What is said of a workload below an intermediate below a root, each of which can be changed.
    fn said(
        root: impl FnOnce(&mut CertificateParams),
        intermediate: impl FnOnce(&mut CertificateParams),
        leaf: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let keys = [(); 3].map(|()| KeyPair::generate().unwrap());
        let root = authority("Root", root);
        let root_der = root.self_signed(&keys[0]).unwrap().der().clone();
        let intermediate = authority("West", intermediate);
        let signed = intermediate.signed_by(&keys[1], &Issuer::from_params(&root, &keys[0])).unwrap();
        let mut workload = CertificateParams::default();
        workload.distinguished_name = DistinguishedName::new();
        workload.subject_alt_names = vec![SanType::URI("spiffe://a/ns/b/sa/c".try_into().unwrap())];
        workload.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf(&mut workload);
        let own = workload.signed_by(&keys[2], &Issuer::from_params(&intermediate, &keys[1])).unwrap();
        let anchors = match anchor(&root_der) {
            Ok(anchor) => [anchor],
            Err(flaw) => return format!("the root {flaw}"),
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let verdicts = [Purpose::Server, Purpose::Client]
            .map(|purpose| verify(own.der(), &[signed.der().clone()], &anchors, now, purpose));
        assert_eq!(verdicts[0], verdicts[1]);
        verdicts[0].clone().map_or_else(|refusal| refusal.to_string(), |()| String::from("accepted"))
    }

    fn as_made(_: &mut CertificateParams) {}

    fn extension(oid: &[u64], critical: bool) -> CustomExtension {
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(critical);
        extension
    }

    #[test]
    fn a_chain_as_spiffe_asks_for_is_accepted() {
        assert_eq!(said(as_made, as_made, as_made), "accepted");
        let rather =
            |params: &mut CertificateParams| params.custom_extensions.push(extension(&[1, 2, 3], false));
        assert_eq!(said(rather, rather, rather), "accepted", "extensions that are not critical do no harm");
    }

    #[test]
    fn each_flaw_is_named_with_its_certificate() {
        let uri = |text: &str| SanType::URI(text.try_into().unwrap());
        let workload = "`spiffe://a/ns/b/sa/c`";
        let none = said(as_made, as_made, |leaf| leaf.subject_alt_names.clear());
        assert_eq!(
            none,
            "`the workload's certificate` has 0 URIs among its names, and needs exactly one, its SPIFFE id"
        );
        let two = said(as_made, as_made, |leaf| leaf.subject_alt_names.push(uri("https://b")));
        assert_eq!(
            two,
            format!("{workload} has 2 URIs among its names, and needs exactly one, its SPIFFE id")
        );
        let mute = said(as_made, as_made, |leaf| leaf.key_usages.clear());
        assert_eq!(mute, format!("{workload} lacks the key usage digitalSignature"));
        let signs = said(as_made, as_made, |leaf| leaf.key_usages.push(KeyUsagePurpose::CrlSign));
        assert_eq!(
            signs,
            format!("{workload} has the key usage keyCertSign or cRLSign, which only authorities have")
        );
        let authority = said(as_made, as_made, |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        assert_eq!(authority, "the workload's certificate is that of an authority");
        let silent = said(as_made, |west| west.key_usages.clear(), as_made);
        assert_eq!(silent, "`CN=West` lacks the key usage keyCertSign");
        let none = said(as_made, |west| west.is_ca = IsCa::ExplicitNoCa, as_made);
        assert_eq!(none, "an issuer in the chain is no authority");
        assert_eq!(
            said(|root| root.key_usages.clear(), as_made, as_made),
            "the root lacks the key usage keyCertSign"
        );
        let no_root = said(|root| root.is_ca = IsCa::NoCa, as_made, as_made);
        assert_eq!(no_root, "the root is no authority (its basic constraints do not say so)");
    }

    #[test]
    fn an_extension_that_is_not_processed_is_named() {
        // policyConstraints.
        let policy =
            |west: &mut CertificateParams| west.custom_extensions.push(extension(&[2, 5, 29, 36], true));
        let expected = "`CN=West` has the critical extension policyConstraints (2.5.29.36), which meshd does not process";
        assert_eq!(said(as_made, policy, as_made), expected);
        assert_eq!(
            said(policy, as_made, as_made),
            "accepted",
            "of a root only its name, key and name constraints count"
        );
        let names = |params: &mut CertificateParams| {
            let permitted_subtrees = vec![GeneralSubtree::DirectoryName(DistinguishedName::new())];
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        };
        let constrained = "has nameConstraints (2.5.29.30) on subjects or URIs, which meshd does not process";
        assert_eq!(said(as_made, names, as_made), format!("`CN=West` {constrained}"));
        assert_eq!(said(names, as_made, as_made), format!("`the root` {constrained}"));
        let unknown = |leaf: &mut CertificateParams| leaf.custom_extensions.push(extension(&[1, 2, 3], true));
        let expected =
            "`spiffe://a/ns/b/sa/c` has the critical extension 1.2.3, which meshd does not process";
        assert_eq!(said(as_made, as_made, unknown), expected);
    }
}
