//! The client's side of mutual TLS.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use super::verify::SpiffeVerifier;
use super::{Credentials, provider_of_mesh};
use meshd_config::{PeerPattern, Tls};
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// What is needed to connect to endpoints that must prove one of `tls.peers`, with `alpn` offered.
pub(crate) fn client_config(
    credentials: &Credentials,
    tls: &Tls,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    // The name to ask for is given with each connection.
    let Tls { sni: _, peers } = tls;
    let expected = peers.iter().cloned().map(PeerPattern::Exact).collect();
    let verifier = SpiffeVerifier::new(credentials, expected);
    let mut config = ClientConfig::builder_with_provider(provider_of_mesh())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(OwnCertificate(Arc::clone(&credentials.key))));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // Every handshake checks the peer's certificate as it is now.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Shows the same chain to everyone.
#[derive(Debug)]
pub(super) struct OwnCertificate(pub(super) Arc<CertifiedKey>);

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
