//! `allow` and `deny`: who may call.

use lang_diagnostics::{Origin, Spanned};

use crate::model::{Gateway, HttpMatch, Id, Namespace, Service};

/// One `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRule {
    /// Where it is declared.
    pub origin: Origin,
    /// Whom it speaks of, in source order; never empty.
    pub from: Vec<Spanned<Source>>,
    /// Which requests: those that meet any of these; never empty. An empty match is all of them (and the only one
    /// possible on a TCP port).
    pub matches: Vec<HttpMatch>,
}

/// Whom a rule means. Identities carry no cluster, so a cluster is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A service or client, wherever it runs.
    Service(Id<Service>),
    /// An ingress gateway.
    Gateway(Id<Gateway>),
    /// Every identity of a namespace.
    Namespace(Id<Namespace>),
    /// Whoever connects without an identity, at a permissive port.
    Unauthenticated,
}
