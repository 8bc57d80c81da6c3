//! Who a proxy is and whom it trusts.

use meshc_vocabulary::model::SpiffeId;

/// The identity of a proxy. The key pair lies at [`crate::paths::CERTIFICATE`] and [`crate::paths::PRIVATE_KEY`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The SPIFFE id that its certificate carries.
    pub spiffe: SpiffeId,
    /// The Secret that holds it: `mesh-id-<account>`.
    pub secret: String,
}

/// Which peers may complete a handshake. The chain is always verified against the trust bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerCheck {
    /// Any identity of these trust domains, in order; requests are authorised later.
    TrustDomains(Vec<String>),
    /// Only these identities, in order: for TCP, where the handshake is the only place to refuse in time.
    Exactly(Vec<SpiffeId>),
    /// Nobody: no one has declared a call to this port.
    Nobody,
}
