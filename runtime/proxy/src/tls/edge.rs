//! TLS of clients outside the mesh: certificates by host, and for which hosts the one that was shown is good.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use super::{ALPN_HTTP1, ALPN_HTTP2, load_certificate, provider};
use crate::hosts::Hosts;
use meshd_config::{Alpn, ServerCertificate, ServerTls, TlsVersion};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// How TLS of clients outside the mesh is ended.
#[derive(Debug)]
pub(crate) struct EdgeTls {
    /// For the handshake.
    pub(crate) config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl EdgeTls {
    /// Reads the certificates. The answer to what is wrong is a sentence.
    pub(crate) fn load(tls: &ServerTls) -> Result<Self, String> {
        let ServerTls { certificates: wanted, min_version, alpn } = tls;
        let mut certificates = Certificates::default();
        for one in wanted {
            let ServerCertificate { hosts, certificate, private_key } = one;
            let key = load_certificate(certificate, private_key).map_err(|error| error.to_string())?;
            certificates.by_host.add(hosts, certificates.keys.len());
            certificates.keys.push(key);
        }
        let versions: &[_] = match min_version {
            TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let certificates = Arc::new(certificates);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificates>::clone(&certificates);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = alpn.iter().map(|one| offered(*one).to_vec()).collect();
        Ok(EdgeTls { config: Arc::new(config), certificates })
    }

    /// Whether a client that asked for `name` in the handshake was shown the certificate for `host`, or there is none for
    /// that: a request for a host of another certificate belongs on another connection (RFC 9110, section 7.4).
    pub(crate) fn is_for(&self, name: Option<&str>, host: &str) -> bool {
        match self.certificates.by_host.find(host) {
            Some(wanted) => self.certificates.chosen(name) == Some(wanted),
            None => true,
        }
    }
}

const fn offered(alpn: Alpn) -> &'static [u8] {
    match alpn {
        Alpn::Http1 => ALPN_HTTP1,
        Alpn::Http2 => ALPN_HTTP2,
    }
}

/// Chains with their keys, by host.
#[derive(Debug, Default)]
struct Certificates {
    by_host: Hosts<usize>,
    keys: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    fn chosen(&self, name: Option<&str>) -> Option<usize> {
        match name {
            Some(name) => self.by_host.find(name),
            None => self.by_host.any(),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.keys.get(self.chosen(hello.server_name())?).cloned()
    }
}
