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
    /// Methods in upper case that may be sent again; empty is every method. Default: the idempotent ones (RFC 9110, section 9.2.2).
    pub methods: Vec<String>,
    /// How long one attempt may take, if bounded on its own.
    pub per_try_timeout: Option<Duration>,
    /// Whether an attempt that takes longer goes on beside the next one.
    pub hedge: bool,
    /// How long an endpoint may be silent in one attempt, if bounded on its own.
    pub per_try_idle: Option<Duration>,
    /// How long is waited before an attempt.
    pub back_off: BackOff,
    /// The longest wait that an answer may ask for, if answers may.
    pub max_retry_after: Option<Duration>,
    /// How much of a body is kept for another attempt, in bytes; `None`: nobody said it.
    pub max_body: Option<u64>,
}

/// How long is waited before a failed request is sent again: a random part of a time that doubles with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackOff {
    /// The time before the first.
    pub base: Duration,
    /// The time that it does not exceed.
    pub most: Duration,
}

impl BackOff {
    /// What holds where nobody said anything. Source: Envoy's default.
    pub const DEFAULT: Self = Self::up_to_ten_times(Duration::from_millis(25));

    /// From this base, with Envoy's default of how far it grows.
    #[must_use]
    pub const fn up_to_ten_times(base: Duration) -> Self {
        Self { base, most: base.saturating_mul(10) }
    }
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
