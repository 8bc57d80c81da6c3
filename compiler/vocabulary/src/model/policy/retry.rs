//! `retry`: which failed requests are sent again, and where.

use std::time::Duration;

use lang_diagnostics::Origin;

/// Retries of failed requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Where it is declared.
    pub origin: Origin,
    /// How often a request may be sent again; 0 is never, whatever failed.
    pub attempts: u32,
    /// What counts as a failure.
    pub when: Vec<RetryOn>,
    /// Whether the next attempt goes to the next locality.
    pub other_localities: bool,
    /// Methods in upper case that may be sent again. Default: the idempotent ones (RFC 9110, section 9.2.2).
    pub methods: Vec<String>,
    /// How long one attempt may take, if bounded on its own.
    pub per_try_timeout: Option<Duration>,
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetryOn {
    /// A status of this class: `StatusClass(5)` is `5xx`; it includes resets and failed connections, as Envoy's does.
    StatusClass(u8),
    /// Exactly this status.
    Status(u16),
    /// The connection could not be opened.
    ConnectFailure,
    /// The connection ended before an answer.
    Reset,
    /// This status of gRPC, which comes in a header beside 200.
    Grpc(GrpcStatus),
}

/// The statuses of gRPC that may be worth another attempt. Source: gRPC's status codes, those that Envoy retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrpcStatus {
    /// 1.
    Cancelled,
    /// 4.
    DeadlineExceeded,
    /// 8, which stands for 429.
    ResourceExhausted,
    /// 13, which stands for 500.
    Internal,
    /// 14, which stands for 502, 503 and 504.
    Unavailable,
}
