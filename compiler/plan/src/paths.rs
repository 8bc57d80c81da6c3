//! Ports, file paths and paths of requests inside a pod, the same for both data planes. Ports follow Istio's conventions
//! where it has them, so that operators find what they know.

use meshc_vocabulary::model::ProbeKind;

pub use meshc_vocabulary::sidecar::{INBOUND_PORT, METRICS_PORT, READINESS_PORT};

/// Redirected outbound connections, with `capture = redirect`.
pub const OUTBOUND_PORT: u16 = 15001;
/// Virtual addresses of callees with `capture = redirect`: reserved for future use (RFC 1112, section 4), so that no
/// network has a host there.
pub const REDIRECTED_RANGE: &str = "240.240.0.0/16";
/// The same where pods have IPv6 addresses alone: set aside for what is to be discarded (RFC 6666), so that no network has
/// a host there either.
pub const REDIRECTED_RANGE_V6: &str = "100::/64";
/// East-west gateways.
pub const EAST_WEST_PORT: u16 = meshc_vocabulary::EAST_WEST_PORT;
/// The rate-limit service: gRPC, HTTP (health) and debugging, as envoyproxy/ratelimit has them.
pub use meshc_vocabulary::RATE_LIMIT_GRPC_PORT;
/// Health and metrics of the rate-limit service.
pub const RATE_LIMIT_HTTP_PORT: u16 = 8080;
/// Debugging of the rate-limit service.
pub const RATE_LIMIT_DEBUG_PORT: u16 = 6070;

/// Whether the proxy takes requests, at [`READINESS_PORT`]: 503 as soon as it drains.
pub const READY_PATH: &str = "/healthz/ready";
/// Whether the proxy's threads run, at [`READINESS_PORT`].
pub const LIVE_PATH: &str = "/healthz/live";
/// The proxy's own metrics, at [`METRICS_PORT`].
pub const METRICS_PATH: &str = "/metrics";
/// The application's metrics, at [`METRICS_PORT`].
pub const APP_METRICS_PATH: &str = "/app/metrics";

/// Where a probe of the application is served, at [`READINESS_PORT`].
#[must_use]
pub const fn probe_path(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "/app/liveness",
        ProbeKind::Readiness => "/app/readiness",
        ProbeKind::Startup => "/app/startup",
    }
}

/// Directory of the proxy's configuration: a ConfigMap, mounted as a directory so that edits arrive.
pub const CONFIG: &str = "/etc/mesh/config";
/// Directory of the identity: the Secret `mesh-id-<account>`.
pub const IDENTITY: &str = "/etc/mesh/identity";
/// The certificate and its intermediates.
pub const CERTIFICATE: &str = "/etc/mesh/identity/tls.crt";
/// The private key.
pub const PRIVATE_KEY: &str = "/etc/mesh/identity/tls.key";
/// Directory of the trust bundle: the ConfigMap [`TRUST_CONFIG_MAP`].
pub const TRUST: &str = "/etc/mesh/trust";
/// The roots of every trust domain of the mesh.
pub const TRUST_BUNDLE: &str = "/etc/mesh/trust/roots.pem";
/// The same roots in the form in which Envoy follows them.
pub const TRUST_SECRET: &str = "/etc/mesh/trust/envoy.yaml";
/// Directory below which each server certificate of an ingress port is mounted under its Secret's name.
pub const SERVER_TLS: &str = "/etc/mesh/server-tls";
/// Directory below which each Secret for TLS towards hosts outside is mounted under its name: roots as `ca.crt`, or a key
/// pair as `tls.crt` and `tls.key`.
pub const OUTSIDE_TLS: &str = "/etc/mesh/outside-tls";
/// Directory of sockets and other run-time files: an `emptyDir` that the application does not mount.
pub const RUN: &str = "/var/run/mesh";
/// The admin socket.
pub const ADMIN_SOCKET: &str = "/var/run/mesh/admin.sock";
/// The socket at which a gateway's drain ticks.
pub const DRAIN_SOCKET: &str = "/var/run/mesh/drain.sock";
/// The admin socket of what drains a gateway.
pub const DRAIN_ADMIN_SOCKET: &str = "/var/run/mesh/drain-admin.sock";
/// Name of the ConfigMap with the trust bundle, in every namespace that has a proxy.
pub const TRUST_CONFIG_MAP: &str = "mesh-trust";
/// Name of the rate-limit service in the mesh's namespace.
pub use meshc_vocabulary::RATE_LIMIT_SERVICE;
