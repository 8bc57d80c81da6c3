//! Where a proxy listens.

use std::net::SocketAddr;
use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::ProbeKind;

use crate::{Authorization, GlobalLimit, LocalLimit, PeerCheck, VirtualHost};

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name, unique in the proxy: `inbound`, `outbound_istioinaction_catalog_80`, `ingress_http`, `eastwest`,
    /// `readiness`, `metrics`.
    pub name: String,
    /// The declared address in the pod.
    pub address: SocketAddr,
    /// What happens there.
    pub kind: ListenerKind,
    /// Where it comes from.
    pub origin: Origin,
}

/// What happens on a listener.
#[derive(Clone, Debug)]
pub enum ListenerKind {
    /// HTTP from the application or from outside the mesh.
    Http(HttpListener),
    /// TCP from the application.
    Tcp(TcpListener),
    /// mTLS from other proxies, one chain per port of the service.
    Inbound(InboundListener),
    /// mTLS of others, passed through by SNI.
    PassThrough(PassThrough),
    /// `GET /healthz/ready` and the application's probes (port 15021).
    Readiness(StatusListener),
    /// `GET /metrics` (port 15090).
    Metrics,
}

/// HTTP from the application (a sidecar's outbound side) or from outside the mesh (an ingress gateway).
#[derive(Clone, Debug)]
pub struct HttpListener {
    /// Whether clients are strangers: their `x-forwarded-*` and `x-request-id` are replaced.
    pub edge: bool,
    /// The server certificate, if TLS ends here.
    pub tls: Option<ServerTls>,
    /// Hosts and their routes; the most specific host wins. A request for no host is answered with 404.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// The server certificate of an ingress port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The Secret (type `kubernetes.io/tls`) that holds it, mounted below [`crate::paths::SERVER_TLS`].
    pub secret: String,
}

/// TCP from the application.
#[derive(Clone, Debug)]
pub struct TcpListener {
    /// Name of the upstream.
    pub upstream: String,
    /// How long a connection may stay silent.
    pub idle_timeout: Option<Duration>,
}

/// mTLS from other proxies.
#[derive(Clone, Debug)]
pub struct InboundListener {
    /// One chain per port, in order of SNI.
    pub chains: Vec<InboundChain>,
}

/// What happens to connections for one port of the service.
#[derive(Clone, Debug)]
pub struct InboundChain {
    /// The SNI that selects it.
    pub sni: String,
    /// Who may complete the handshake.
    pub peers: PeerCheck,
    /// Whether plain connections are taken too (they carry no SNI; only the service's single permissive port can).
    pub permissive: bool,
    /// What is spoken.
    pub protocol: InboundProtocol,
    /// The application's port.
    pub app: AppPort,
    /// Where it comes from: the port.
    pub origin: Origin,
}

/// What is spoken on an inbound chain.
#[derive(Clone, Debug)]
pub enum InboundProtocol {
    /// HTTP: authorised, then limited, then passed to the application.
    Http {
        /// Whether the application speaks HTTP/2 only.
        app_http2: bool,
        /// Who may call what.
        authorization: Authorization,
        /// Limits that this pod counts.
        local_limits: Vec<LocalLimit>,
        /// Limits that the rate-limit service counts.
        global_limits: Vec<GlobalLimit>,
        /// From the request's end to the answer's end; `None`: unbounded.
        timeout: Option<Duration>,
    },
    /// TCP: whoever completed the handshake.
    Tcp,
}

/// The application's port on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPort {
    /// Name of the upstream whose single endpoint is 127.0.0.1:`port`.
    pub upstream: String,
    /// The port.
    pub port: u16,
}

/// mTLS of others, passed through by SNI. Anything else is closed.
#[derive(Clone, Debug)]
pub struct PassThrough {
    /// How long a client may take to send its ClientHello.
    pub hello_timeout: Duration,
    /// One chain per exported SNI, in order of SNI.
    pub chains: Vec<PassThroughChain>,
}

/// One exported SNI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassThroughChain {
    /// The SNI.
    pub sni: String,
    /// Name of the upstream.
    pub upstream: String,
    /// How many endpoints are tried before the client is closed.
    pub connect_attempts: u32,
    /// Where it comes from: the exported port.
    pub origin: Origin,
}

/// Readiness of the proxy and probes of the application.
#[derive(Clone, Debug, Default)]
pub struct StatusListener {
    /// Probes that are asked of the application on loopback: `GET /app/<kind>`.
    pub probes: Vec<ProbeCheck>,
}

/// One probe of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeCheck {
    /// Which probe: its path here is `/app/liveness`, `/app/readiness` or `/app/startup`.
    pub kind: ProbeKind,
    /// Name of the upstream that is asked.
    pub upstream: String,
    /// Path at the application.
    pub path: String,
    /// How long it may take.
    pub timeout: Duration,
}
