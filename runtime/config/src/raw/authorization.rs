//! Who may do what.

use super::{RequestMatch, is_default};
use serde::{Deserialize, Serialize};

/// Who may do what. A matching `deny` wins over everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Requests that are refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deny: Vec<Rule>,
    /// Requests that are admitted; absent means all, an empty list means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<Rule>>,
}

/// Which clients outside the mesh may send requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entrance {
    /// Rules that are enforced; absent means that everybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Authorization>,
    /// Rules that are tried on requests that may be sent: what they would refuse is counted and logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Authorization>,
}

/// From which addresses connections are taken: the most specific range that has an address decides; none refuses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRanges {
    /// Ranges such as `10.0.0.0/8`, of clients who may connect.
    pub admitted: Vec<String>,
    /// Those of clients who may not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: Vec<String>,
}

/// A request that matches one of the callers and one of each list that is there, but none of the exceptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name in logs and metrics.
    pub name: String,
    /// SPIFFE ids, or prefixes that end in `*`; `*` is anyone.
    pub principals: Vec<String>,
    /// URIs or DNS names in certificates of clients outside the mesh, or prefixes that end in `*`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clients: Vec<String>,
    /// Hosts without a port, exact or `*.suffix`; none means any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
    /// Ranges such as `10.0.0.0/8`, of which one has the address that connected; none means any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub addresses: Vec<String>,
    /// Ranges of which one has the address of the client: behind as many proxies as an edge listener trusts; none means any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_addresses: Vec<String>,
    /// What is requested; none means anything.
    #[serde(default, skip_serializing_if = "is_default")]
    pub matches: Vec<RequestMatch>,
    /// What is not meant although it matches the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub except: Vec<Exception>,
}

/// Requests that a rule does not mean: those that match one of each list that is there, of which at least one must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Whose, as in a rule; none means everybody's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub principals: Vec<String>,
    /// For which hosts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
    /// From which addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub addresses: Vec<String>,
    /// Of clients with which addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_addresses: Vec<String>,
    /// What is requested.
    #[serde(default, skip_serializing_if = "is_default")]
    pub matches: Vec<RequestMatch>,
}
