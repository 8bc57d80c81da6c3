//! Names of the mesh, and clients that prove who they are.

use crate::any_server::AnyServer;
use crate::certificates::Leaf;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The server name of a port of the callee.
pub(crate) fn sni(port: &str) -> String {
    format!("{port}.callee.shop.svc.cluster.local")
}

/// An identity of the mesh.
pub(crate) fn spiffe(service: &str) -> String {
    format!("spiffe://cluster.local/ns/shop/sa/{service}")
}

/// A connection on which both have proven who they are, for HTTP/1.1. That of the server is not the client's subject here.
pub(crate) async fn connect(
    address: SocketAddr,
    name: &str,
    leaf: &Leaf,
) -> std::io::Result<TlsStream<TcpStream>> {
    let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}
