//! TLS of clients outside the mesh: certificates by host, and for which hosts the one that was shown is good.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use super::files::certificates;
use super::verify::fingerprint;
use super::{ALPN_HTTP1, ALPN_HTTP2, load_certificate, provider};
use crate::hosts::Hosts;
use meshd_config::{self as config, Alpn, ClientCertificates, ServerCertificate, ServerTls, TlsVersion};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use webpki::EndEntityCert;

/// How TLS of clients outside the mesh is ended.
#[derive(Debug)]
pub(crate) struct EdgeTls {
    /// For the handshake.
    pub(crate) config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    /// Trust domains none of whose SPIFFE ids a client's certificate may have, if clients are asked for certificates.
    refused: Vec<String>,
}

impl EdgeTls {
    /// Reads the certificates. The answer to what is wrong is a sentence.
    pub(crate) fn load(tls: &ServerTls) -> Result<Self, String> {
        let ServerTls { certificates: wanted, min_version, alpn, clients } = tls;
        let mut shown = Certificates::default();
        for one in wanted {
            let ServerCertificate { hosts, certificate, private_key } = one;
            let key = load_certificate(certificate, private_key).map_err(|error| error.to_string())?;
            shown.by_host.add(hosts, shown.keys.len());
            shown.keys.push(key);
        }
        let versions: &[_] = match min_version {
            TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let certificates = Arc::new(shown);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificates>::clone(&certificates);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?;
        let (mut config, refused) = match clients {
            None => (builder.with_no_client_auth().with_cert_resolver(resolver), Vec::new()),
            Some(clients) => {
                let ClientCertificates { ca, presence, refused_trust_domains } = clients;
                let verifier = verifier(ca, *presence)?;
                let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
                // A resumed session would not look at the client's certificate again.
                config.send_tls13_tickets = 0;
                config.session_storage = Arc::new(NoServerSessionStorage {});
                (config, refused_trust_domains.clone())
            }
        };
        config.alpn_protocols = alpn.iter().map(|one| offered(*one).to_vec()).collect();
        Ok(EdgeTls { config: Arc::new(config), certificates, refused })
    }

    /// The same for one handshake, with what remembers which host the client asks for.
    pub(crate) fn listening(&self) -> (Arc<ServerConfig>, Arc<Asked>) {
        let asked = Arc::new(Asked { certificates: Arc::clone(&self.certificates), name: Mutex::default() });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Asked>::clone(&asked);
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = resolver;
        (Arc::new(config), asked)
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

/// Whoever descends from the roots in a file.
fn verifier(ca: &Path, presence: config::ClientCertificate) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let unusable = |why: String| format!("`{}` {why}", ca.display());
    let mut roots = RootCertStore::empty();
    for root in certificates(ca).map_err(|error| error.to_string())? {
        roots.add(root).map_err(|error| unusable(format!("cannot be used: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = match presence {
        config::ClientCertificate::Required => builder,
        config::ClientCertificate::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| unusable(format!("cannot be used: {error}")))
}

/// What the certificate of a client outside the mesh says. It has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// SHA-256 of the certificate in DER, in lower-case hexadecimal.
    pub(crate) hash: String,
    /// Its URIs.
    pub(crate) uris: Vec<String>,
    /// Its DNS names.
    pub(crate) names: Vec<String>,
}

/// What the certificate of a client outside the mesh says.
pub(crate) fn client_of(chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
    let leaf = chain.first()?;
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    Some(ClientCertificate {
        hash: fingerprint(leaf),
        uris: certificate.valid_uri_names().map(str::to_owned).collect(),
        names: certificate.valid_dns_names().map(str::to_owned).collect(),
    })
}

impl EdgeTls {
    /// Whether services may be told of a certificate: nothing in it could be taken for a workload of the mesh, nor one name
    /// for several, in the header that tells them.
    pub(crate) fn may_be_told(&self, client: &ClientCertificate) -> bool {
        let ClientCertificate { hash: _, uris, names } = client;
        let is_of_mesh = |uri: &String| {
            let uri = uri.to_ascii_lowercase();
            let id = uri.strip_prefix("spiffe://");
            id.and_then(|id| id.split_once('/'))
                .is_some_and(|(domain, _)| self.refused.iter().any(|one| one == domain))
        };
        let is_clear = |name: &String| !name.contains([',', ';', '"', '=']);
        uris.iter().all(|uri| is_clear(uri) && !is_of_mesh(uri)) && names.iter().all(is_clear)
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

/// The certificates in one handshake.
#[derive(Debug)]
pub(crate) struct Asked {
    certificates: Arc<Certificates>,
    name: Mutex<Option<String>>,
}

impl Asked {
    /// The host that the client asked for.
    pub(crate) fn name(&self) -> Option<String> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Asked {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = hello.server_name().map(str::to_owned);
        self.certificates.resolve(hello)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.keys.get(self.chosen(hello.server_name())?).cloned()
    }
}
