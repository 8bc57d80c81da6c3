//! What the proxy listens on.

use super::filter::Filter;
use super::{ClientRanges, Entrance, Limit, Retry, Upgrade, VirtualHost, WeightedUpstream, is_default};
use crate::Period;
use serde::{Deserialize, Serialize};

/// One listening address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The name in logs and metrics, unique in the file.
    pub name: String,
    /// `ip:port`, unique in the file.
    pub bind: String,
    /// Whether it has no socket of its own: connections reach it through the `redirected` listener.
    #[serde(default, skip_serializing_if = "is_default")]
    pub redirected: bool,
    /// Whether connections begin with the header of the PROXY protocol, version 1 or 2, which says who the client is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub proxy_protocol: bool,
    /// What is done with a connection.
    pub kind: Kind,
}

/// What a listener does with its connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Plaintext HTTP/1.1 or HTTP/2, routed by host and path: the outbound side of a sidecar, and an ingress gateway.
    Http(HttpListener),
    /// Bytes, forwarded to one upstream.
    Tcp(TcpListener),
    /// Mutual TLS from other proxies, ended here, one chain per port of the application.
    Inbound(Inbound),
    /// TLS that is forwarded by SNI and never ended here.
    PassThrough(PassThrough),
    /// Whether the proxy is ready: 200, or 503 while it starts or drains; whether it lives: 200 while every worker runs,
    /// 503 when one is stuck; and the application's probes.
    Readiness(Readiness),
    /// The proxy's metrics in the Prometheus text format, and the application's own.
    Metrics(Metrics),
    /// Connections that the pod's rules redirected here: each is handed to the listener at the address that it was
    /// meant for, and closed if there is none.
    Redirected {},
}

/// A plaintext HTTP listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpListener {
    /// Present on an ingress: clients are strangers, so their address and identity headers are rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,
    /// How TLS is ended; absent means plaintext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// Present where clients may speak HTTP/1.0; others are answered with 426.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http10: Option<Http10>,
    /// Who may send requests at all; asked first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entrance: Entrance,
    /// Limits of all requests, whatever becomes of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Vec<Limit>,
    /// Routes by host; a request for any other host is answered with 404.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// Clients that speak HTTP/1.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http10 {
    /// The host of requests that name none; absent refuses them with 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_host: Option<String>,
}

/// How TLS of clients outside the mesh is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The certificates, of which the one for the host that a client asks for is shown. A request for a host of another
    /// one than was shown is answered with 421.
    pub certificates: Vec<ServerCertificate>,
    /// The oldest version that is accepted; absent means 1.2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub min_version: TlsVersion,
    /// What is offered to clients, in order of preference; absent means `h2`, then `http/1.1`. Empty where bytes are
    /// forwarded, and only there.
    #[serde(default = "both", skip_serializing_if = "is_both")]
    pub alpn: Vec<Alpn>,
    /// The certificates that clients are asked for; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientCertificates>,
}

/// Certificates of clients outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// PEM: the roots that they descend from; read again when it changes.
    pub ca: String,
    /// Whether a client may do without.
    pub presence: ClientCertificate,
    /// A certificate with a SPIFFE id of one of these trust domains is answered with 403.
    pub refused_trust_domains: Vec<String>,
}

/// Whether a client shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// Always.
    Required,
    /// If it has one.
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// 1.3
    #[serde(rename = "1.3")]
    Tls13,
}

/// What a client may choose to speak over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Alpn {
    /// HTTP/1.1
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2
    #[serde(rename = "h2")]
    Http2,
}

fn both() -> Vec<Alpn> {
    vec![Alpn::Http2, Alpn::Http1]
}

fn is_both(alpn: &[Alpn]) -> bool {
    alpn == both()
}

/// A certificate for clients outside the mesh. Both files are PEM, and are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCertificate {
    /// The hosts that it is for: a name, `*.suffix`, or `*`, which also means clients that ask for no host.
    pub hosts: Vec<String>,
    /// The leaf, followed by the intermediates.
    pub certificate: String,
    /// The leaf's private key.
    pub private_key: String,
}

/// How an ingress sees its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// How many proxies in front of this one are trusted to have appended to `x-forwarded-for`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted_hops: u32,
}

/// A listener that forwards bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpListener {
    /// How TLS is ended, with an `alpn` that is empty; absent means that bytes come as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// The upstreams that receive them, of which one is chosen by weight for each connection.
    pub to: Vec<WeightedUpstream>,
    /// Whether the others take the share of an upstream of which no endpoint is left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failover: bool,
    /// How many endpoints are tried before the connection is given up; absent means 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connect_attempts: Option<u32>,
    /// How long a connection may stay silent; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// From which addresses connections are taken; absent means from all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientRanges>,
}

/// The listener that ends mutual TLS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// One chain per port of the application, selected by SNI. An SNI of no chain is closed.
    pub chains: Vec<InboundChain>,
    /// What happens to a connection that is not TLS; absent means it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<InboundApp>,
}

/// What is done with mutual TLS for certain names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundChain {
    /// The SNI values of this chain.
    pub sni: Vec<String>,
    /// Whose certificates the handshake accepts: SPIFFE ids, or prefixes that end in `*`. An empty list is nobody, and
    /// `*` is every identity that the trust bundle vouches for.
    pub peers: Vec<String>,
    /// What is behind it.
    pub app: InboundApp,
    /// Whether only health checks come here, which no log has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checks: bool,
}

/// How the application behind a chain is spoken to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InboundApp {
    /// HTTP/1.1 or HTTP/2.
    Http(InboundHttp),
    /// Bytes. Who may connect is decided by `peers`, in the handshake.
    Tcp {
        /// The application.
        upstream: String,
        /// How many times it is connected to before the client is closed; absent means once, since it is one endpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_connect_attempts: Option<u32>,
    },
    /// TLS inside the mutual TLS of the chain, passed on for certain server names: of hosts outside the mesh, at a gateway
    /// that connects to them. Another name, none, and bytes that are no TLS are closed.
    Tls {
        /// Where it goes, the inner ClientHello included.
        upstream: String,
        /// The server names that may be asked for: names, `*.suffix`, or `*`, which also means clients that send none.
        names: Vec<String>,
        /// How long a client may take to send the inner ClientHello; absent means 5 s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hello_timeout: Option<Period>,
        /// How many endpoints are tried before the connection is given up; absent means 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_connect_attempts: Option<u32>,
    },
}

/// HTTP towards the application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundHttp {
    /// The application.
    pub upstream: String,
    /// How long the application may take to finish its answer; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// What a request may change to; absent means nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upgrades: Vec<Upgrade>,
    /// SPIFFE ids of the gateways whose word on the certificates of their clients is passed on. If there are any, a request of
    /// anybody else who says something of that kind is answered with 403.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vouching: Vec<String>,
    /// Whether the application is told nothing of who called; absent means that it is told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anonymous: bool,
    /// When a request is sent again; absent means once, where it was not sent because no connection came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What is done with each request, in order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filters: Vec<Filter>,
}

/// The listener of an east-west gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassThrough {
    /// How long a client may take to send its ClientHello; absent means 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_timeout: Option<Period>,
    /// One chain per exported service and port. An SNI of no chain is closed.
    pub chains: Vec<PassThroughChain>,
}

/// Where TLS for certain names goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassThroughChain {
    /// The SNI values of this chain: names, `*.suffix`, or `*`, which also means clients that send none.
    pub sni: Vec<String>,
    /// Where the bytes go, the first flight included: one of these by weight.
    pub to: Vec<WeightedUpstream>,
    /// Whether the others take the share of one of which no endpoint is left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failover: bool,
    /// How long a connection may stay silent; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many endpoints are tried before the connection is given up; absent means 3, so that a live gateway in front
    /// of some dead pods does not look dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connect_attempts: Option<u32>,
    /// Whether only health checks come here, which no log has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checks: bool,
    /// From which addresses connections are taken; absent means from all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientRanges>,
}

/// The readiness listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// Where it is told whether the proxy takes requests; absent means `/healthz/ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_path: Option<String>,
    /// Where it is told whether its threads run; absent means `/healthz/live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_path: Option<String>,
    /// Probes that are asked of the application.
    #[serde(default, skip_serializing_if = "is_default")]
    pub probes: Vec<Probe>,
}

/// One probe of the application: healthy if it answers with 200 to 399 in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The path here, such as `/app/liveness`.
    pub path: String,
    /// The application.
    pub upstream: String,
    /// The path at the application.
    pub app_path: String,
    /// How long the application may take.
    pub timeout: Period,
}

/// The metrics listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Where the proxy's own are served; absent means `/metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where the application serves its own metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppMetrics>,
}

/// Where the application serves its own metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppMetrics {
    /// The path here; absent means `/app/metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_at: Option<String>,
    /// The application.
    pub upstream: String,
    /// The path at the application.
    pub path: String,
    /// How long the application may take; absent means 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}
