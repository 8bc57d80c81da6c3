//! SPIFFE identities of workloads.

use std::fmt;

/// `spiffe://<trust domain>/ns/<namespace>/sa/<account>`, the form that Istio uses
/// (SPIFFE-ID specification, section 2). It carries no cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    /// The trust domain, such as `cluster.local`.
    pub trust_domain: String,
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The service account.
    pub account: String,
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "spiffe://{}/ns/{}/sa/{}", self.trust_domain, self.namespace, self.account)
    }
}
