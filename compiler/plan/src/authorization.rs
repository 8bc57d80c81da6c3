//! Who may call what.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::AddressRange;
use meshc_vocabulary::model::{HttpMatch, SpiffeId};

/// Authorization of requests on one port. A request that any `deny` rule matches is refused; otherwise it passes if
/// any `allow` rule matches, and is refused if none does. Refused is 403 with the body `RBAC: access denied`.
#[derive(Clone, Debug, Default, Hash)]
pub struct Authorization {
    /// Rules that refuse, in order of name: of several that match, the first one is named.
    pub deny: Vec<AccessRule>,
    /// Rules that admit, in source order; empty: nobody may call.
    pub allow: Vec<AccessRule>,
}

/// Which clients outside the mesh may send requests to an ingress gateway, or for a host that it serves.
#[derive(Clone, Debug, Default, Hash)]
pub struct Entrance {
    /// Rules that are enforced; `None`: everybody may.
    pub rules: Option<Authorization>,
    /// Rules that are tried.
    pub tried: Option<Audit>,
}

/// Rules that are tried on requests that were admitted: whoever they would refuse passes, and is counted and logged.
#[derive(Clone, Debug, Hash)]
pub struct Audit {
    /// Rules that would refuse, in order of name: of several that match, the first one is named.
    pub deny: Vec<AccessRule>,
    /// Rules of which one would have to admit a request that no `deny` matches; `None`: whoever comes would be admitted.
    pub allow: Option<Vec<AccessRule>>,
}

/// What is named where a request is refused, or would be, because no rule admits it. Comes after every rule's name.
pub const NO_RULE: &str = "none";

/// One rule: any of the principals together with the requests, but for the exceptions.
#[derive(Clone, Debug, Hash)]
pub struct AccessRule {
    /// Its name, unique in the port: for statistics and logs.
    pub name: String,
    /// Who, in order; never empty.
    pub principals: Vec<Principal>,
    /// Which requests.
    pub requests: AccessRequests,
    /// Which of them it does not mean.
    pub except: Vec<AccessException>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Which requests: those that meet a condition of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccessRequests {
    /// The host, lower case, without a port; `*.example.org` is any one or more leading labels. Empty: any.
    pub hosts: Vec<String>,
    /// The address that connects is in one of these. Empty: any.
    pub addresses: Vec<AddressRange>,
    /// The address of the client, as those in front of a gateway say whom it trusts, is in one of these. Empty: any.
    pub client_addresses: Vec<AddressRange>,
    /// Those that meet any of these. Empty: any.
    pub matches: Vec<HttpMatch>,
}

/// Requests that a rule does not mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessException {
    /// Whose; empty: everybody's.
    pub principals: Vec<Principal>,
    /// Which of them.
    pub requests: AccessRequests,
}

impl AccessRule {
    /// All conditions on requests, exceptions included.
    pub fn matches(&self) -> impl Iterator<Item = &HttpMatch> {
        let excepted = self.except.iter().flat_map(|except| &except.requests.matches);
        self.requests.matches.iter().chain(excepted)
    }
}

/// Who.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Clients outside the mesh, at an ingress gateway, with this URI or DNS name in their certificate.
    Client(ClientName),
    /// Everybody on this chain: on a plain one, callers without an identity.
    Anyone,
}

/// A name in a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientName {
    /// Exactly this one.
    Exact(String),
    /// One that begins so.
    Prefix(String),
}
