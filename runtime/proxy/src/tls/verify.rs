//! Who a certificate says its holder is, and whether that is to be believed.

use super::Credentials;
use super::known::Known;
use crate::tls::provider;
use meshd_certificates::{Purpose, Refusal};
use meshd_config::{PeerPattern, SpiffeId};
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::sync::Arc;
use webpki::EndEntityCert;

/// Whoever is at the other end of a connection, proven by the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its identity.
    pub(crate) spiffe: SpiffeId,
    /// The same as text.
    name: String,
    /// SHA-256 of its leaf certificate in DER, in lower-case hexadecimal.
    pub(crate) hash: String,
}

impl Peer {
    /// Of this identity, with a leaf of this hash.
    pub(crate) fn new(spiffe: SpiffeId, hash: String) -> Self {
        Peer { name: spiffe.to_string(), spiffe, hash }
    }

    /// Its identity as text.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The peer of an accepted connection.
pub(crate) fn peer_of(chain: &[CertificateDer<'_>]) -> Option<Peer> {
    let leaf = chain.first()?;
    Some(Peer::new(leaf_identity(leaf)?, fingerprint(leaf)))
}

/// SHA-256 of a certificate in DER, in lower-case hexadecimal.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The identity in a leaf: its one URI, which must be a SPIFFE id (X.509-SVID section 2).
pub(crate) fn leaf_identity(leaf: &CertificateDer<'_>) -> Option<SpiffeId> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut names = certificate.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(only), None) => SpiffeId::parse(only),
        (Some(_) | None, _) => None,
    }
}

/// The roots as anchors; certificates that may not sign others are left out.
pub(crate) fn trust_anchors<'a>(roots: &'a [CertificateDer<'_>]) -> Vec<TrustAnchor<'a>> {
    roots.iter().filter_map(|root| meshd_certificates::anchor(root).ok()).collect()
}

/// Checks the other end of both kinds of connection: the chain leads to a root, is valid now, consists of certificates
/// that SPIFFE allows, and names an identity that is expected here. No name but the SPIFFE id counts.
#[derive(Debug)]
pub(crate) struct SpiffeVerifier {
    roots: Vec<CertificateDer<'static>>,
    expected: Vec<PeerPattern>,
    known: Known,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SpiffeVerifier {
    pub(crate) fn new(credentials: &Credentials, expected: Vec<PeerPattern>) -> Arc<Self> {
        Arc::new(SpiffeVerifier {
            roots: credentials.roots.clone(),
            expected,
            known: Known::new(&credentials.chains),
            algorithms: provider().signature_verification_algorithms,
        })
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<(), Error> {
        self.known.or_verify((leaf, intermediates), now, purpose, || {
            let anchors = trust_anchors(&self.roots);
            meshd_certificates::verify(leaf, intermediates, &anchors, now, purpose)
                .map_err(handshake_error)?;
            let identity = leaf_identity(leaf);
            let expected =
                identity.is_some_and(|id| self.expected.iter().any(|pattern| pattern.matches(&id)));
            if expected { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
        })
    }
}

/// The error of rustls for a refusal, so that logs and alerts say what an operator can act on.
fn handshake_error(refusal: Refusal) -> Error {
    use webpki::Error as Webpki;
    let reason = match &refusal {
        Refusal::Chain(Webpki::CertExpired { .. }) => CertificateError::Expired,
        Refusal::Chain(Webpki::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        Refusal::Chain(Webpki::UnknownIssuer) => CertificateError::UnknownIssuer,
        Refusal::Chain(Webpki::InvalidSignatureForPublicKey) => CertificateError::BadSignature,
        Refusal::Chain(Webpki::BadDer | Webpki::BadDerTime) => CertificateError::BadEncoding,
        Refusal::Chain(_) | Refusal::Extension { .. } | Refusal::Flaw { .. } => {
            CertificateError::Other(OtherError(Arc::new(refusal)))
        }
    };
    reason.into()
}

impl ClientCertVerifier for SpiffeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(leaf, intermediates, now, Purpose::Client).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for SpiffeVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(leaf, intermediates, now, Purpose::Server).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
