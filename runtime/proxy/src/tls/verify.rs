//! Who a certificate says its holder is, and whether that is to be believed.

use crate::tls::provider;
use meshd_config::{PeerPattern, SpiffeId};
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};

/// Whoever is at the other end of a connection, proven by the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its identity.
    pub(crate) spiffe: SpiffeId,
    /// SHA-256 of its leaf certificate in DER, in lower-case hexadecimal.
    pub(crate) hash: String,
}

/// The peer of an accepted connection.
pub(crate) fn peer_of(chain: &[CertificateDer<'_>]) -> Option<Peer> {
    let leaf = chain.first()?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
    let hash = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Peer { spiffe: leaf_identity(leaf)?, hash })
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

/// The roots as anchors; certificates that cannot be one are left out.
pub(crate) fn trust_anchors<'a>(roots: &'a [CertificateDer<'_>]) -> Vec<TrustAnchor<'a>> {
    roots.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok()).collect()
}

/// Checks the other end of both kinds of connection: the chain leads to a root, is valid now, and names an identity
/// that is expected here. No name but the SPIFFE id counts.
#[derive(Debug)]
pub(crate) struct SpiffeVerifier {
    roots: Vec<CertificateDer<'static>>,
    expected: Vec<PeerPattern>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SpiffeVerifier {
    pub(crate) fn new(roots: Vec<CertificateDer<'static>>, expected: Vec<PeerPattern>) -> Arc<Self> {
        Arc::new(SpiffeVerifier { roots, expected, algorithms: provider().signature_verification_algorithms })
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Error> {
        let certificate = EndEntityCert::try_from(leaf).map_err(|error| chain_error(&error))?;
        let anchors = trust_anchors(&self.roots);
        certificate
            .verify_for_usage(self.algorithms.all, &anchors, intermediates, now, usage, None, None)
            .map_err(|error| chain_error(&error))?;
        let identity = leaf_identity(leaf);
        let expected = identity.is_some_and(|id| self.expected.iter().any(|pattern| pattern.matches(&id)));
        if expected { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }
}

/// The error of rustls for an error of webpki, so that logs and alerts say what an operator can act on.
fn chain_error(error: &webpki::Error) -> Error {
    use webpki::Error as Webpki;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, growing enum; the rest is one case for us"
    )]
    let reason = match error {
        Webpki::CertExpired { .. } => CertificateError::Expired,
        Webpki::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Webpki::UnknownIssuer => CertificateError::UnknownIssuer,
        Webpki::PathLenConstraintViolated => CertificateError::InvalidPurpose,
        Webpki::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Webpki::BadDer | Webpki::BadDerTime => CertificateError::BadEncoding,
        _ => CertificateError::BadSignature,
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
        self.verify(leaf, intermediates, now, KeyUsage::client_auth())
            .map(|()| ClientCertVerified::assertion())
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
        self.verify(leaf, intermediates, now, KeyUsage::server_auth())
            .map(|()| ServerCertVerified::assertion())
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
