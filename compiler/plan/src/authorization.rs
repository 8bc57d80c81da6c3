//! Who may call what.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{HttpMatch, SpiffeId};

/// Authorization of requests on one port. A request that any `deny` rule matches is refused; otherwise it passes if
/// any `allow` rule matches, and is refused if none does. Refused is 403 with the body `RBAC: access denied`.
#[derive(Clone, Debug, Default)]
pub struct Authorization {
    /// Rules that refuse, in source order.
    pub deny: Vec<AccessRule>,
    /// Rules that admit, in source order; empty: nobody may call.
    pub allow: Vec<AccessRule>,
}

/// One rule: any of the principals together with the match.
#[derive(Clone, Debug)]
pub struct AccessRule {
    /// Its name, unique in the port: for statistics and logs.
    pub name: String,
    /// Who, in order; never empty.
    pub principals: Vec<Principal>,
    /// Which requests: those that meet any of these; never empty.
    pub matches: Vec<HttpMatch>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Who.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Exactly this identity.
    Identity(SpiffeId),
    /// Every identity of a namespace.
    Namespace {
        /// The trust domain.
        trust_domain: String,
        /// The namespace.
        namespace: String,
    },
    /// Everybody on this chain: on a plain one, callers without an identity.
    Anyone,
}
