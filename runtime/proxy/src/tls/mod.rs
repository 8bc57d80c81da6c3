//! Mutual TLS with SPIFFE identities: what is loaded, what is shown, who is believed.

mod client;
mod edge;
mod files;
mod known;
mod outside;
mod server;
mod shared;
mod stream;
mod verify;

pub(crate) use client::client_config;
pub(crate) use edge::{Asked, ClientCertificate, EdgeTls, client_of};
pub(crate) use files::{Credentials, Loaded, load, load_certificate};
pub(crate) use outside::Outside;
pub(crate) use server::server_config;
pub(crate) use stream::{End, OfClient, TlsStream, ToServer};
pub(crate) use verify::{Peer, peer_of};

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The one crypto provider of the process, always passed explicitly.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The same between proxies, where both ends prefer what costs a handshake least: the key schedule of AES-128-GCM hashes with
/// SHA-256, which processors have instructions for, that of AES-256-GCM with SHA-384. Keys are agreed on curves of 128 bits of
/// strength in either case.
pub(crate) fn provider_of_mesh() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// ALPN of a hop that carries HTTP/2.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// ALPN of a hop that carries HTTP/1.1.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

/// What went wrong in a handshake, for people: where a certificate was refused, which one and why.
pub(crate) fn problem(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        // rustls shows such an error with the names of its types around it.
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(refusal))) => {
            format!("invalid peer certificate: {refusal}")
        }
        Some(_) | None => error.to_string(),
    }
}
