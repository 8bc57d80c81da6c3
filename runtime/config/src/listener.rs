//! Listeners as the proxy uses them.

use crate::{HeaderEdits, Http, Limit, PeerPattern, RequestMatch};
use std::net::SocketAddr;
use std::time::Duration;

/// One listening address.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Listener {
    /// The name in logs and metrics.
    pub name: String,
    /// The address; unique in the file.
    pub bind: SocketAddr,
    /// What is done with a connection.
    pub kind: Kind,
}

/// What a listener does with its connections.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Plaintext HTTP, routed.
    Http {
        /// Present on an ingress.
        edge: Option<Edge>,
        /// The routes.
        http: Http,
    },
    /// Bytes, forwarded.
    Tcp {
        /// The upstream's name.
        upstream: String,
        /// How many endpoints are tried, at least 1.
        max_connect_attempts: u32,
    },
    /// Mutual TLS, ended here.
    Inbound(Inbound),
    /// TLS, forwarded by SNI.
    PassThrough(PassThrough),
    /// The readiness probe.
    Readiness,
    /// The metrics page.
    Metrics,
}

/// How an ingress sees its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// How many proxies in front are trusted.
    pub trusted_hops: u32,
}

/// The chains of an inbound listener.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inbound {
    /// One chain per port of the application.
    pub chains: Vec<InboundChain>,
    /// What happens to a connection that is not TLS; `None` closes it.
    pub plaintext: Option<InboundApp>,
}

/// What is done with mutual TLS for certain names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InboundChain {
    /// The SNI values in lower case; no other chain has one of them.
    pub sni: Vec<String>,
    /// Whose certificates the handshake accepts; empty means every identity of the trust bundle.
    pub peers: Vec<PeerPattern>,
    /// What is behind it.
    pub app: InboundApp,
}

/// How the application is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub enum InboundApp {
    /// HTTP.
    Http {
        /// One virtual host with one route: the application.
        http: Http,
        /// Who may do what.
        authorization: Option<Authorization>,
    },
    /// Bytes.
    Tcp {
        /// The upstream's name.
        upstream: String,
    },
}

/// Who may do what; a matching `deny` wins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Authorization {
    /// Requests that are refused.
    pub deny: Vec<Rule>,
    /// Requests that are admitted; `None` is all.
    pub allow: Option<Vec<Rule>>,
}

/// One of the principals, doing one of the things.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The name in logs.
    pub name: String,
    /// Who.
    pub principals: Vec<PeerPattern>,
    /// What; empty is anything.
    pub matches: Vec<RequestMatch>,
}

/// The chains of an east-west gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassThrough {
    /// One chain per exported service and port.
    pub chains: Vec<PassThroughChain>,
}

/// Where TLS for certain names goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassThroughChain {
    /// The SNI values in lower case; no other chain has one of them.
    pub sni: Vec<String>,
    /// The upstream's name.
    pub upstream: String,
    /// How many endpoints are tried, at least 1.
    pub max_connect_attempts: u32,
}

/// The request, its time limit and header changes, as an inbound route needs them.
pub(crate) struct AppRoute {
    pub(crate) upstream: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) request_headers: HeaderEdits,
    pub(crate) response_headers: HeaderEdits,
}
