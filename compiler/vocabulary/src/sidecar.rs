//! What a sidecar takes in its pod: no application can have it besides.

/// mTLS from other proxies.
pub const INBOUND_PORT: u16 = 15006;
/// Readiness and the application's probes.
pub const READINESS_PORT: u16 = 15021;
/// Prometheus metrics.
pub const METRICS_PORT: u16 = 15090;

/// What it opens on all addresses of its pod, and what for.
pub const PORTS: [(u16, &str); 3] =
    [(INBOUND_PORT, "mTLS"), (READINESS_PORT, "readiness and probes"), (METRICS_PORT, "metrics")];
