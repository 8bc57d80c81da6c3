//! What stands in for hosts outside the mesh shows certificates of its own making, and whoever connects to it finds roots
//! and certificates of the same making in the place of the declared Secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshc_driver::system_time;
use meshc_local::ExternalAddress;
use meshc_pki::OutsideRoot;
use meshc_plan::{OutsideSecrets, Placement, ProxyPlan, paths};
use meshc_vocabulary::model::{OutsideTls, Protocol};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::files::put;
use super::mount::{private_directory, private_file};
use crate::disk::WallClock;
use crate::exit::{Context, Failure};

/// The certificates of all hosts outside, and of those who call them.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Where applications find the root of servers that they begin TLS with themselves.
    file: PathBuf,
    servers: OutsideRoot,
    clients: OutsideRoot,
    /// Name of the Secret → certificate and key that proxies show.
    shown: BTreeMap<String, (String, String)>,
}

impl Outside {
    /// Fresh ones; what applications trust goes below the mesh's directory.
    pub(crate) fn new(home: &Path) -> Result<Self, Failure> {
        let root = |name: &str| {
            let made = OutsideRoot::new(name, system_time(&WallClock));
            made.context(|| format!("make the root of {name}"))
        };
        let directory = home.join("outside-tls");
        let file = directory.join("ca.crt");
        let (servers, clients) = (root("meshc up, servers outside")?, root("meshc up, clients outside")?);
        private_directory(&directory)
            .and_then(|()| private_file(&file, servers.certificate().as_bytes()))
            // To make more servers that are believed.
            .and_then(|()| private_file(&file.with_extension("key"), servers.key().as_bytes()))
            .context(|| format!("write `{}`", file.display()))?;
        Ok(Self { file, servers, clients, shown: BTreeMap::new() })
    }

    /// What an application trusts that begins TLS with a host outside.
    pub(crate) fn roots(&self) -> &Path {
        &self.file
    }

    /// Puts the Secrets in place that a proxy needs.
    pub(crate) fn furnish(&mut self, proxy: &ProxyPlan, placement: &Placement) -> Result<(), Failure> {
        let secrets = proxy.outside_secrets();
        let OutsideSecrets { roots, pairs } = &secrets;
        for secret in secrets.all() {
            let mut files = BTreeMap::new();
            if roots.contains(secret) {
                files.insert(String::from("ca.crt"), self.servers.certificate().as_bytes().to_vec());
            }
            if pairs.contains(secret) {
                let (certificate, key) = self.pair(secret)?;
                files.insert(String::from("tls.crt"), certificate.into_bytes());
                files.insert(String::from("tls.key"), key.into_bytes());
            }
            put(proxy, placement, &format!("{}/{secret}", paths::OUTSIDE_TLS), &files)?;
        }
        Ok(())
    }

    /// The certificate in the place of a Secret: it says the Secret's name.
    fn pair(&mut self, secret: &str) -> Result<(String, String), Failure> {
        if let Some(known) = self.shown.get(secret) {
            return Ok(known.clone());
        }
        let made = self.clients.client(&format!("https://{secret}.example/"), secret);
        let made = made.context(|| format!("make a certificate for `{secret}`"))?;
        self.shown.insert(secret.to_owned(), made.clone());
        Ok(made)
    }

    /// How an address ends TLS; `None` where none is spoken.
    pub(crate) fn acceptor(&self, address: &ExternalAddress) -> Result<Option<TlsAcceptor>, Failure> {
        let ExternalAddress { external, hosts, number: _, declared: _, protocol, tls, address: _ } = address;
        let own = match (tls, protocol) {
            (Some(_), _) | (None, Protocol::Tls) => hosts.clone(),
            (None, Protocol::Http | Protocol::Http2 | Protocol::Grpc | Protocol::Tcp) => return Ok(None),
        };
        let mut names = own;
        let mut asks = false;
        if let Some(OutsideTls { sni: _, names: expected, ca: _, client, minimum_version: _ }) = tls {
            names.extend(expected.iter().cloned());
            asks = client.is_some();
        }
        names.sort();
        names.dedup();
        let made = self.servers.server(&names);
        let (certificate, key) = made.context(|| format!("make a certificate for `{external}`"))?;
        let speaks_http = match protocol {
            Protocol::Http | Protocol::Http2 | Protocol::Grpc | Protocol::Tls => true,
            Protocol::Tcp => false,
        };
        let made = self.server(&certificate, &key, asks, speaks_http);
        made.context(|| format!("use the certificate for `{external}`")).map(Some)
    }

    fn server(
        &self,
        certificate: &str,
        key: &str,
        asks: bool,
        speaks_http: bool,
    ) -> Result<TlsAcceptor, Unusable> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.clients.certificate().as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| Unusable(error.to_string()))?)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(chain, key)?;
        if speaks_http {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Why a certificate that was just made cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(String);

impl From<tokio_rustls::rustls::Error> for Unusable {
    fn from(error: tokio_rustls::rustls::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<tokio_rustls::rustls::pki_types::pem::Error> for Unusable {
    fn from(error: tokio_rustls::rustls::pki_types::pem::Error) -> Self {
        Self(error.to_string())
    }
}
