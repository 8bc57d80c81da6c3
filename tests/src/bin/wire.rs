//! Traffic below HTTP for `tests/bench/proxy`; all of it stays on this machine.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mesh_tests::wire::{self, Use};
use mesh_tests::wire2;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

const USAGE: &str = "usage: wire relay BIND UPSTREAM | serve BIND short|bulk|http2
       wire short|bulk ADDRESS HELLO-FILE AT-ONCE SECONDS | idle ADDRESS HELLO-FILE COUNT
       wire handshakes|requests|requests2 ADDRESS NAME CERTIFICATE KEY AT-ONCE SECONDS
       wire idle-tls ADDRESS NAME CERTIFICATE KEY COUNT";

/// Does one thing, and prints how often it was done.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    LocalSet::new().run_until(run()).await
}

async fn run() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        ["relay", bind, upstream] => wire::relay(listen(bind).await?, local(upstream)?).await,
        ["serve", bind, "http2"] => wire2::serve(listen(bind).await?).await,
        ["serve", bind, kind] => wire::serve(listen(bind).await?, of(kind)?).await,
        ["idle", at, hello, count] => {
            let hello = std::fs::read(hello)?;
            let kept = wire::idle(local(at)?, &hello, number(count)?).await?;
            until_told(kept.len())
        }
        ["idle-tls", at, name, certificate, key, count] => {
            let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
            let tls = connector(Path::new(certificate), Path::new(key), &[])?;
            let kept = wire::idle_after_a_request(local(at)?, tls, name, number(count)?).await?;
            until_told(kept.len())
        }
        [kind @ ("handshakes" | "requests" | "requests2"), at, name, certificate, key, at_once, seconds] => {
            let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
            let alpn: &[&[u8]] = if kind == "requests2" { &[b"h2"] } else { &[] };
            let tls = connector(Path::new(certificate), Path::new(key), alpn)?;
            let time = Duration::from_secs(number(seconds)? as u64);
            let (at, at_once) = (local(at)?, number(at_once)?);
            let done = match kind {
                "handshakes" => wire::shake_hands(at, tls, name, at_once, time).await?,
                "requests2" => wire2::ask(at, tls, name, at_once, time).await?,
                _ => wire::ask(at, tls, name, at_once, time).await?,
            };
            println!("{done}");
            Ok(())
        }
        [kind, at, hello, at_once, seconds] => {
            let hello = Arc::from(std::fs::read(hello)?);
            let time = Duration::from_secs(number(seconds)? as u64);
            println!("{}", wire::come(local(at)?, hello, of(kind)?, number(at_once)?, time).await?);
            Ok(())
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    }
}

/// Says how many connections there are. Whoever started this says when that is enough.
fn until_told(count: usize) -> io::Result<()> {
    println!("{count}");
    io::stdin().read(&mut [0]).map(drop)
}

fn of(kind: &str) -> io::Result<Use> {
    match kind {
        "short" => Ok(Use::Short),
        "bulk" => Ok(Use::Bulk),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    }
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(io::Error::other)
}

fn local(text: &str) -> io::Result<SocketAddr> {
    let address: SocketAddr = text.parse().map_err(io::Error::other)?;
    assert!(address.ip().is_loopback(), "{address} is not on this machine");
    Ok(address)
}

async fn listen(text: &str) -> io::Result<TcpListener> {
    TcpListener::bind(local(text)?).await
}

/// Shows a certificate, offers these protocols, and takes whatever the server shows: what is measured is the server.
fn connector(certificate: &Path, key: &Path, alpn: &[&[u8]]) -> io::Result<TlsConnector> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).map_err(io::Error::other)?.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_client_auth_cert(chain.map_err(io::Error::other)?, key)
        .map_err(io::Error::other)?;
    // Each handshake is a whole one.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = alpn.iter().map(|one| one.to_vec()).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Believes every server.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
