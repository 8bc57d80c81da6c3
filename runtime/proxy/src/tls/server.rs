//! The server's side of mutual TLS between proxies.

use super::verify::SpiffeVerifier;
use super::{ALPN_HTTP1, ALPN_HTTP2, Credentials, provider_of_mesh};
use meshd_config::PeerPattern;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// What is needed to accept mutual TLS 1.3 from `peers`. TCP chains speak no ALPN, as Envoy's do not.
pub(crate) fn server_config(
    credentials: &Credentials,
    peers: &[PeerPattern],
    http: bool,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let verifier = SpiffeVerifier::new(credentials, peers.to_vec());
    let mut config = ServerConfig::builder_with_provider(provider_of_mesh())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(OwnCertificate(Arc::clone(&credentials.key))));
    if http {
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    }
    config.ignore_client_order = true;
    // A resumed session would not look at the client's certificate again.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Shows the same chain whatever name is asked for: the names of mesh hops are no names of certificates.
#[derive(Debug)]
struct OwnCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
