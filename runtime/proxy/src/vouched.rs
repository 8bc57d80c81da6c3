//! What the gateways of the mesh say of certificates that their own clients show.

use crate::app::HttpApp;
use crate::headers::FORWARDED_CLIENT_CERT;
use crate::tls::Peer;
use http::{HeaderMap, HeaderValue};

/// What a peer says of its own client's certificate.
pub(crate) enum Vouched {
    /// Nothing that matters.
    Nothing,
    /// It is believed.
    Word(HeaderValue),
    /// It says something where only gateways do.
    Forged,
}

/// What a peer says of its own client's certificate. Proxies of the mesh say nothing of the kind, but gateways that ask
/// their clients for certificates.
pub(crate) fn vouched(app: &HttpApp, peer: Option<&Peer>, headers: &HeaderMap) -> Vouched {
    match (headers.get(FORWARDED_CLIENT_CERT), peer) {
        (Some(said), Some(peer)) if app.vouching.contains(&peer.spiffe) => Vouched::Word(said.clone()),
        (Some(_), Some(_)) if !app.vouching.is_empty() => Vouched::Forged,
        (Some(_) | None, Some(_) | None) => Vouched::Nothing,
    }
}
