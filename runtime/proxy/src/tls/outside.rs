//! TLS towards servers outside the mesh: the client's side of what any server speaks.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use super::client::OwnCertificate;
use super::files::certificates;
use super::{load_certificate, provider};
use meshd_config::{KeyPair, Origination, TlsVersion};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;

static TLS12_AND_TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What is needed to connect to a server outside, read at one moment.
pub(crate) struct Outside {
    verifier: Arc<Names>,
    versions: &'static [&'static SupportedProtocolVersion],
    shown: Option<Arc<CertifiedKey>>,
}

impl Outside {
    /// Reads roots and certificate. The answer to what is wrong is a sentence.
    pub(crate) fn read(wanted: &Origination) -> Result<Self, String> {
        // The name to ask for is given with each connection.
        let Origination { sni: _, names, ca, certificate, min_version } = wanted;
        let unusable = |why: &dyn std::fmt::Display| format!("`{}` cannot be used: {why}", ca.display());
        let mut roots = RootCertStore::empty();
        for root in certificates(ca).map_err(|error| error.to_string())? {
            roots.add(root).map_err(|error| unusable(&error))?;
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| unusable(&error))?;
        let named = |name: &String| {
            ServerName::try_from(name.clone()).map_err(|error| format!("`{name}` is not a name: {error}"))
        };
        let names = names.iter().map(named).collect::<Result<_, _>>()?;
        let shown = certificate.as_ref().map(|KeyPair { certificate, private_key }| {
            load_certificate(certificate, private_key).map_err(|error| error.to_string())
        });
        Ok(Outside {
            verifier: Arc::new(Names { inner, names }),
            versions: match min_version {
                TlsVersion::Tls12 => TLS12_AND_TLS13,
                TlsVersion::Tls13 => TLS13,
            },
            shown: shown.transpose()?,
        })
    }

    /// The configuration of a connection with `alpn` offered.
    pub(crate) fn config(&self, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
        let Outside { verifier, versions, shown } = self;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Names>::clone(verifier));
        let mut config = match shown {
            Some(key) => builder.with_client_cert_resolver(Arc::new(OwnCertificate(Arc::clone(key)))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        // Every handshake checks the server's certificate as it is now.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// Checks a certificate as for any server, but for one of these names instead of the one that is asked for.
#[derive(Debug)]
struct Names {
    inner: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ServerCertVerifier for Names {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // A certificate for another name is the only fault that another name can mend; without names, every name is wrong.
        let mut last = Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in &self.names {
            match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
                Err(error) => last = error,
                verified @ Ok(_) => return verified,
            }
        }
        Err(last)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
