//! The document as a whole, and what holds for the entire proxy.

use super::{Listener, Upstream, is_default};
use crate::Period;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of the schema, [`crate::VERSION`] when written by this build.
    pub version: u32,
    /// Who this proxy is, for logs and metrics.
    pub node: Node,
    /// The certificate that this proxy shows; absent on a pass-through gateway, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// Where it can send, by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upstreams: BTreeMap<String, Upstream>,
    /// The service that counts for limits with `scope` `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_service: Option<RateLimitService>,
    /// How names are resolved; absent means the defaults of [`Dns`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// What the proxy may use; absent means the defaults of [`Bounds`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Where the access log goes; absent means no access log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
    /// Where the configuration dump and endpoint state are served; absent means nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<Admin>,
}

/// Who a proxy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The proxy's name, unique in its cluster.
    pub name: String,
    /// The cluster it runs in.
    pub cluster: String,
    /// Further facts, repeated in the configuration dump and nowhere else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub data: BTreeMap<String, String>,
}

/// The files of the proxy's own certificate. Each is PEM, and each is read again when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The leaf, followed by the intermediates.
    pub certificate: String,
    /// The leaf's private key.
    pub private_key: String,
    /// The roots that peers are verified against.
    pub trust_bundle: String,
}

/// The rate-limit service, which speaks Envoy's `ratelimit.v3` over plaintext gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitService {
    /// `host:port`.
    pub address: String,
}

/// What the proxy may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Memory in bytes, that of the kernel for its sockets included: the limit of its container. Connections are closed
    /// before it is reached. Absent means that nothing is closed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How many connections from clients may be open, at least 1.
    pub connections: u32,
}

/// How names are resolved. Endpoints given as addresses are never looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Servers as `ip:port`; none means those of `/etc/resolv.conf`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub servers: Vec<String>,
    /// Which addresses are asked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub family: Family,
    /// How often every name is asked for again.
    pub refresh: Period,
    /// How soon a name is asked for again that had no answer; absent means 1 s, and never more than `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_after_failure: Option<Period>,
    /// How long one question may take.
    pub timeout: Period,
    /// How many times an unanswered question is asked, at least 1.
    pub tries: u32,
}

/// Families of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4, and IPv6 for names that have no IPv4 addresses.
    Ipv4Preferred,
}

/// Where the access log goes: one JSON object per request or connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(String),
}

/// Where the administration interface listens. It is never reachable from another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Admin {
    /// `ip:port` with a loopback address.
    Tcp(String),
    /// The path of a unix socket.
    Unix(String),
}
