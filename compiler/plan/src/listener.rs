//! Where a proxy listens.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{
    ClientCertificate, DeadShare, Http10, HttpVersion, ProbeKind, SpiffeId, TlsVersion, Upgrade,
    contains_host,
};

use crate::filter::Filter;
use crate::{ClientRanges, Entrance, Limit, PeerCheck, RetryPlan, VirtualHost, WeightedUpstream};

/// One listening socket.
#[derive(Clone, Debug, Hash)]
pub struct Listener {
    /// Its name, unique in the proxy: `inbound`, `outbound_istioinaction_catalog_80`, `ingress_http`, `eastwest`,
    /// `outbound` (redirected connections), `readiness`, `metrics`.
    pub name: String,
    /// The declared address in the pod.
    pub address: SocketAddr,
    /// How connections get there.
    pub socket: Socket,
    /// Whether connections begin with the PROXY protocol's header, which says who the client is.
    pub proxy_protocol: bool,
    /// What happens there.
    pub kind: ListenerKind,
    /// Where it comes from.
    pub origin: Origin,
}

/// How connections get to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socket {
    /// The proxy opens a socket at the address.
    Own,
    /// No socket: the [`ListenerKind::Redirected`] listener hands over the connections whose original destination is
    /// the address. Locally placed, where nothing is redirected, it is a socket like any other
    /// ([`crate::Placement::binds`]).
    Redirected,
}

/// What happens on a listener.
#[derive(Clone, Debug, Hash)]
pub enum ListenerKind {
    /// HTTP from the application or from outside the mesh.
    Http(HttpListener),
    /// TCP from the application.
    Tcp(TcpListener),
    /// mTLS from other proxies, one chain per port of the service.
    Inbound(InboundListener),
    /// mTLS of others, passed through by SNI.
    PassThrough(PassThrough),
    /// Connections that the pod's rules redirected (port 15001): each goes to the listener of its original
    /// destination, and is closed if there is none.
    Redirected,
    /// `GET /healthz/ready`, `GET /healthz/live` and the application's probes (port 15021).
    Readiness(StatusListener),
    /// `GET /metrics` (port 15090), and `GET /app/metrics` for the application's own.
    Metrics(MetricsListener),
}

impl ListenerKind {
    /// How TLS of clients outside the mesh ends here, if it does.
    #[must_use]
    pub fn server_tls(&self) -> Option<&ServerTls> {
        match self {
            Self::Http(http) => http.tls.as_ref(),
            Self::Tcp(tcp) => tcp.tls.as_ref(),
            Self::Inbound(_)
            | Self::PassThrough(_)
            | Self::Redirected
            | Self::Readiness(_)
            | Self::Metrics(_) => None,
        }
    }
}

/// HTTP from the application (a sidecar's outbound side) or from outside the mesh (an ingress gateway).
#[derive(Clone, Debug, Hash)]
pub struct HttpListener {
    /// Whether clients are strangers: their `x-forwarded-*` and `x-request-id` are replaced.
    pub edge: bool,
    /// How TLS ends here, if it does.
    pub tls: Option<ServerTls>,
    /// Whether clients may speak HTTP/1.0. Others are answered with 426.
    pub http10: Option<Http10>,
    /// Who may send requests at all; asked first.
    pub entrance: Entrance,
    /// Limits of all requests, counted before anything else is decided about them.
    pub limits: Vec<Limit>,
    /// Hosts and their routes; the most specific host wins. A request for no host is answered with 404. All callers of
    /// a callee port in one cluster and namespace share one value.
    pub virtual_hosts: Arc<[VirtualHost]>,
}

/// How an ingress port ends TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The server certificates, in order; never empty, and no two are for the same host.
    pub certificates: Vec<ServerCertificate>,
    /// The oldest version that is accepted.
    pub minimum_version: TlsVersion,
    /// What is offered to clients, in order of preference; empty only where what is carried is no HTTP.
    pub alpn: Vec<HttpVersion>,
    /// What certificates of clients must be, if they are asked for.
    pub clients: Option<ClientCertificates>,
}

/// The certificates that clients of an ingress port show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificates {
    /// The Secret with the roots that they descend from, under the key `ca.crt`, mounted below [`crate::paths::SERVER_TLS`].
    pub secret: String,
    /// Whether a client may do without.
    pub presence: ClientCertificate,
    /// The trust domains of the mesh, in order, where requests are taken: a certificate with a SPIFFE id of one of them is answered with 403, since an
    /// application could take it for a workload's.
    pub refused: Vec<String>,
}

/// A server certificate of an ingress port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerCertificate {
    /// The Secret (type `kubernetes.io/tls`) that holds it, mounted below [`crate::paths::SERVER_TLS`].
    pub secret: String,
    /// The hosts that it is for, as [`VirtualHost::hosts`] are written; never empty.
    pub hosts: Vec<String>,
}

impl ServerCertificate {
    /// Hosts that a client may ask for who knows of no route: those that it is for, and any at all for `*`.
    pub fn hosts_to_ask_for(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| if host == "*" { "localhost" } else { host.as_str() })
    }
}

impl ServerTls {
    /// The Secrets of its own certificates, each once, in order of name.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.certificates.iter().map(|certificate| certificate.secret.as_str()).collect()
    }

    /// Position of the certificate that a client is shown who asks for what a host pattern means: the one whose pattern
    /// is the most specific of those that contain it.
    #[must_use]
    pub fn chosen(&self, host: &str) -> Option<usize> {
        let all = self.certificates.iter().enumerate();
        let patterns =
            all.flat_map(|(position, one)| one.hosts.iter().map(move |pattern| (pattern, position)));
        let fitting = patterns.filter(|(pattern, _)| contains_host(pattern, host));
        // A longer pattern that contains the host is contained in every shorter one that does.
        fitting.max_by_key(|(pattern, _)| pattern.len()).map(|(_, position)| position)
    }
}

/// TCP from the application, or from outside the mesh.
#[derive(Clone, Debug, Hash)]
pub struct TcpListener {
    /// How TLS ends here, if it does.
    pub tls: Option<ServerTls>,
    /// Upstreams with relative weights, of which one is drawn for each connection; never empty.
    pub to: Vec<WeightedUpstream>,
    /// How many endpoints are tried before the client is closed.
    pub connect_attempts: u32,
    /// What becomes of the share of one that is dead. Where the others take it, at most four have a weight.
    pub dead_share: DeadShare,
    /// How long a connection may stay silent.
    pub idle_timeout: Option<Duration>,
    /// From which addresses connections are taken; `None`: from all.
    pub clients: Option<ClientRanges>,
}

/// mTLS from other proxies.
#[derive(Clone, Debug, Hash)]
pub struct InboundListener {
    /// One chain per port, in order of SNI.
    pub chains: Vec<InboundChain>,
}

/// What happens to connections for one port of the service.
#[derive(Clone, Debug, Hash)]
pub struct InboundChain {
    /// The SNI that selects it.
    pub sni: String,
    /// The SNI that selects it too: that of the subset whose pods these are. Who means all pods of the service and who
    /// means these are told apart by nothing else.
    pub subset_sni: Option<String>,
    /// Who may complete the handshake.
    pub peers: PeerCheck,
    /// What is spoken over mTLS.
    pub protocol: InboundProtocol,
    /// What is spoken on plain connections, if they are accepted: they carry no SNI and no identity, so only the service's
    /// single permissive port can, and only the rules for callers without an identity apply.
    pub plain: Option<InboundProtocol>,
    /// The application's port.
    pub app: AppPort,
    /// What its connections carry.
    pub carries: Carried,
    /// Where it comes from: the port.
    pub origin: Origin,
}

/// What connections from other proxies carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carried {
    /// What applications and clients send.
    Calls,
    /// Health checks, which are in no log.
    Checks,
}

/// What is spoken on an inbound chain. Nothing is timed here, neither requests nor silence: the caller's side knows
/// the route, and a second clock would only cut a longer route short.
#[derive(Clone, Debug, Hash)]
pub enum InboundProtocol {
    /// HTTP, passed to the application.
    Http {
        /// Whether the application speaks HTTP/2 only.
        app_http2: bool,
        /// What a request may change to.
        upgrades: Vec<Upgrade>,
        /// The gateways whose word on the certificates of their clients is passed on, in order. If there are any, a request
        /// of anybody else who says something of that kind is answered with 403: proxies of the mesh never do.
        vouching: Vec<SpiffeId>,
        /// What the application is told of the caller.
        told: Told,
        /// What is sent again, where there is more than one endpoint to send it to; an application on loopback is one.
        retry: Option<RetryPlan>,
        /// What is done with each request, in order.
        filters: Vec<Filter>,
    },
    /// TCP: whoever completed the handshake.
    Tcp {
        /// How many times the application is connected to before the client is closed.
        connect_attempts: u32,
    },
    /// TLS inside the mesh's own, which is passed on: whoever completed the handshake, for these server names only.
    /// Anything else is closed.
    Tls {
        /// The names, `*.example.org` among them; never empty.
        names: Vec<String>,
        /// How long a caller may take to send the inner ClientHello, once it has proved who it is.
        hello_timeout: Duration,
        /// How many endpoints are tried before the client is closed.
        connect_attempts: u32,
    },
}

/// What is said of a caller to whom requests are passed on to, in `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// Who it proved to be.
    Caller,
    /// Nothing, whatever it says itself.
    Nothing,
}

/// The application's port on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppPort {
    /// Name of the upstream whose single endpoint is 127.0.0.1:`port`.
    pub upstream: String,
    /// The port.
    pub port: u16,
}

/// mTLS of others, passed through by SNI. Anything else is closed. Silence is not timed: that is the caller's affair.
#[derive(Clone, Debug, Hash)]
pub struct PassThrough {
    /// How long a client may take to send its ClientHello.
    pub hello_timeout: Duration,
    /// One chain per exported SNI, in order of SNI, or per route of an ingress.
    pub chains: Vec<PassThroughChain>,
}

/// Where TLS for some server names goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PassThroughChain {
    /// The names: those of an export, or hosts of a route, `*.example.org` and `*` among them; never empty.
    pub names: Vec<String>,
    /// Upstreams with relative weights, of which one is drawn for each connection; never empty.
    pub to: Vec<WeightedUpstream>,
    /// What becomes of the share of an upstream of which no endpoint is left.
    pub dead_share: DeadShare,
    /// How long a connection may stay silent; that of an export is the caller's affair.
    pub idle_timeout: Option<Duration>,
    /// How many endpoints are tried before the client is closed.
    pub connect_attempts: u32,
    /// What its connections carry.
    pub carries: Carried,
    /// From which addresses connections are taken; `None`: from all.
    pub clients: Option<ClientRanges>,
    /// Where it comes from: the exported port.
    pub origin: Origin,
}

/// Readiness of the proxy and probes of the application.
#[derive(Clone, Debug, Default, Hash)]
pub struct StatusListener {
    /// Probes that are asked of the application on loopback: `GET /app/<kind>`.
    pub probes: Vec<ProbeCheck>,
}

/// One probe of the application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeCheck {
    /// Which probe: its path here is [`crate::paths::probe_path`].
    pub kind: ProbeKind,
    /// Name of the upstream that is asked.
    pub upstream: String,
    /// Path at the application.
    pub path: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// Metrics of the proxy and of the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetricsListener {
    /// The application's own metrics, if it has any.
    pub app: Option<AppMetrics>,
}

/// Where the application serves its own metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppMetrics {
    /// Name of the upstream that is asked.
    pub upstream: String,
    /// Path at the application.
    pub path: String,
}
