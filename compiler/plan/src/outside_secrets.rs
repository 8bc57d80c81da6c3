//! The Secrets that a proxy needs for TLS towards hosts outside the mesh.

use std::collections::BTreeSet;

use meshc_vocabulary::model::OutsideTls;

use crate::{ProxyPlan, UpstreamTls};

/// The Secrets for TLS towards hosts outside, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideSecrets<'p> {
    /// Those with roots.
    pub roots: BTreeSet<&'p str>,
    /// Those with a key pair.
    pub pairs: BTreeSet<&'p str>,
}

impl OutsideSecrets<'_> {
    /// All of them, each once.
    #[must_use]
    pub fn all(&self) -> BTreeSet<&str> {
        self.roots.union(&self.pairs).copied().collect()
    }
}

impl ProxyPlan {
    /// The Secrets that its TLS towards hosts outside needs.
    #[must_use]
    pub fn outside_secrets(&self) -> OutsideSecrets<'_> {
        let mut secrets = OutsideSecrets::default();
        for upstream in &self.upstreams {
            match &upstream.tls {
                Some(UpstreamTls::Outside(OutsideTls {
                    sni: _,
                    names: _,
                    ca,
                    client,
                    minimum_version: _,
                })) => {
                    secrets.roots.insert(ca);
                    secrets.pairs.extend(client.as_deref());
                }
                Some(UpstreamTls::Mutual { sni: _, peers: _ }) | None => {}
            }
        }
        secrets
    }
}
