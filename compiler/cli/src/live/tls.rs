//! TLS as a client of the mesh: towards gateways as somebody outside, and towards a callee's sidecar as another proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::exit::{Context, Failure};

/// Whom a client trusts.
pub(super) enum Trust<'a> {
    /// What the certificates in these files vouch for.
    Files(&'a [PathBuf]),
    /// Whoever listens: its address comes from the mesh itself, and the question is whether it takes this client.
    Anybody,
}

/// The settings of a client that shows a certificate, or none, and asks for a protocol, unless that is empty.
pub(super) fn client(
    trust: &Trust<'_>,
    shown: Option<(&Path, &Path)>,
    protocol: &[u8],
) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let doing = || String::from("begin TLS");
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().context(doing)?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Files(files) => {
            let mut roots = RootCertStore::empty();
            for file in *files {
                for root in certificates(file)? {
                    roots.add(root).context(doing)?;
                }
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().context(doing)?
        }
        Trust::Anybody => Arc::new(Anybody(provider)),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match shown {
        Some((certificate, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).context(|| reading(key))?;
            builder.with_client_auth_cert(certificates(certificate)?, private).context(doing)?
        }
        None => builder.with_no_client_auth(),
    };
    if !protocol.is_empty() {
        config.alpn_protocols = vec![protocol.to_vec()];
    }
    Ok(Arc::new(config))
}

/// The first bytes of a client that asks for a name, where nobody is meant to answer them.
pub(super) fn hello(name: &str) -> Option<Vec<u8>> {
    let config = client(&Trust::Anybody, None, b"http/1.1").ok()?;
    let mut connection = ClientConnection::new(config, ServerName::try_from(name.to_owned()).ok()?).ok()?;
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = CertificateDer::pem_file_iter(file).context(|| reading(file))?;
    found.collect::<Result<_, _>>().context(|| reading(file))
}

fn reading(file: &Path) -> String {
    format!("read `{}`", file.display())
}

/// Takes any certificate, and only a real signature.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
