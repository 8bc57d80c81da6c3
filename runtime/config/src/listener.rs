//! Listeners as the proxy uses them.

use crate::filter::Filter;
use crate::{
    ClientRanges, Entrance, HostPattern, Limit, PeerPattern, Retry, SpiffeId, Upgrade, VirtualHost,
    WeightedUpstream,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One listening address.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// The name in logs and metrics.
    pub name: String,
    /// The address; unique in the file.
    pub bind: SocketAddr,
    /// Whether it has no socket of its own: connections reach it through the listener of kind `Redirected`.
    pub redirected: bool,
    /// Whether connections begin with the header of the PROXY protocol.
    pub proxy_protocol: bool,
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
        /// How TLS is ended; `None` is plaintext.
        tls: Option<ServerTls>,
        /// Present where clients may speak HTTP/1.0.
        http10: Option<Http10>,
        /// Who may send requests at all; asked first.
        entrance: Entrance,
        /// Limits of all requests, counted before anything else is decided about them.
        limits: Vec<Limit>,
        /// The routes by host.
        virtual_hosts: Vec<VirtualHost>,
    },
    /// Bytes, forwarded.
    Tcp {
        /// How TLS is ended; `None` forwards what comes.
        tls: Option<ServerTls>,
        /// The upstreams by weight; the weights sum to at least 1.
        to: Vec<WeightedUpstream>,
        /// Whether the others take the share of an upstream of which no endpoint is left.
        failover: bool,
        /// How many endpoints are tried, at least 1.
        max_connect_attempts: u32,
        /// How long a connection may stay silent; `None` is for ever.
        idle_timeout: Option<Duration>,
        /// From which addresses connections are taken; `None` is from all.
        clients: Option<ClientRanges>,
    },
    /// Mutual TLS, ended here.
    Inbound(Inbound),
    /// TLS, forwarded by SNI.
    PassThrough(PassThrough),
    /// The readiness of the proxy, and the application's probes.
    Readiness {
        /// Where it is told whether the proxy takes requests.
        ready_path: String,
        /// Where it is told whether its threads run.
        live_path: String,
        /// The probes.
        probes: Vec<Probe>,
    },
    /// The metrics of the proxy and of the application.
    Metrics {
        /// Where the proxy's own are served.
        path: String,
        /// Where the application serves its own.
        app: Option<AppMetrics>,
    },
    /// Connections meant for the addresses of other listeners.
    Redirected,
}

/// How an ingress sees its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// How many proxies in front are trusted.
    pub trusted_hops: u32,
}

/// Clients that speak HTTP/1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http10 {
    /// The host of requests that name none.
    pub default_host: Option<String>,
}

/// The chains of an inbound listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// One chain per port of the application.
    pub chains: Vec<InboundChain>,
    /// What happens to a connection that is not TLS; `None` closes it.
    pub plaintext: Option<InboundApp>,
}

/// What is done with mutual TLS for certain names.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundChain {
    /// The SNI values in lower case; no other chain has one of them.
    pub sni: Vec<String>,
    /// Whose certificates the handshake accepts; empty is nobody.
    pub peers: Vec<PeerPattern>,
    /// What is behind it.
    pub app: InboundApp,
    /// Whether only health checks come here, which no log has.
    pub checks: bool,
}

/// How the application is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub enum InboundApp {
    /// HTTP.
    Http {
        /// The application.
        upstream: String,
        /// How long it may take to finish its answer; `None` is for ever.
        timeout: Option<Duration>,
        /// What a request may change to.
        upgrades: Vec<Upgrade>,
        /// The gateways whose word on the certificates of their clients is passed on.
        vouching: Vec<SpiffeId>,
        /// Whether the application is told nothing of who called.
        anonymous: bool,
        /// When a request is sent again; `None` is once, where it was not sent because no connection came about.
        retry: Option<Retry>,
        /// What is done with each request, in order.
        filters: Vec<Filter>,
    },
    /// Bytes.
    Tcp {
        /// The upstream's name.
        upstream: String,
        /// How many times it is connected to, at least 1.
        max_connect_attempts: u32,
    },
    /// TLS inside that of the chain, passed on.
    Tls {
        /// The upstream's name.
        upstream: String,
        /// The server names that may be asked for; at least one.
        names: Vec<HostPattern>,
        /// How long a client may take to send the inner ClientHello.
        hello_timeout: Duration,
        /// How many endpoints are tried, at least 1.
        max_connect_attempts: u32,
    },
}

/// The chains of an east-west gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassThrough {
    /// How long a client may take to send its ClientHello.
    pub hello_timeout: Duration,
    /// One chain per exported service and port.
    pub chains: Vec<PassThroughChain>,
}

/// Where TLS for certain names goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassThroughChain {
    /// The server names; no other chain has one of them.
    pub sni: Vec<HostPattern>,
    /// The upstreams by weight; the weights sum to at least 1.
    pub to: Vec<WeightedUpstream>,
    /// Whether the others take the share of one of which no endpoint is left.
    pub failover: bool,
    /// How long a connection may stay silent; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// How many endpoints are tried, at least 1.
    pub max_connect_attempts: u32,
    /// Whether only health checks come here, which no log has.
    pub checks: bool,
    /// From which addresses connections are taken; `None` is from all.
    pub clients: Option<ClientRanges>,
}

/// How TLS of clients outside the mesh is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificates; at least one, and no two have a host in common.
    pub certificates: Vec<ServerCertificate>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
    /// What is offered to clients, in order of preference; at least one.
    pub alpn: Vec<Alpn>,
    /// The certificates that clients are asked for.
    pub clients: Option<ClientCertificates>,
}

/// Certificates of clients outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: the roots that they descend from.
    pub ca: PathBuf,
    /// Whether a client may do without.
    pub presence: ClientCertificate,
    /// Trust domains, in lower case, none of whose SPIFFE ids a certificate may have.
    pub refused_trust_domains: Vec<String>,
}

/// Whether a client shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientCertificate {
    /// Always.
    Required,
    /// If it has one.
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// What a client may choose to speak over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alpn {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

/// A certificate for clients outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The hosts that it is for; at least one.
    pub hosts: Vec<HostPattern>,
    /// PEM: the leaf, followed by the intermediates.
    pub certificate: PathBuf,
    /// PEM: the leaf's private key.
    pub private_key: PathBuf,
}

/// One probe of the application: healthy if it answers with 200 to 399 in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The path here.
    pub path: String,
    /// The application.
    pub upstream: String,
    /// The path at the application.
    pub app_path: String,
    /// How long the application may take.
    pub timeout: Duration,
}

/// Where the application serves its own metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppMetrics {
    /// The path here.
    pub served_at: String,
    /// The application.
    pub upstream: String,
    /// The path at the application.
    pub path: String,
    /// How long the application may take.
    pub timeout: Duration,
}
