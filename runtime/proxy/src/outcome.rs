//! How an attempt ended, whose fault it was, and what the client is told.

use http::StatusCode;
use meshd_config::{Retry, RetryOn};

/// An attempt that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Every endpoint is ejected or unknown.
    NoHealthyUpstream,
    /// The limits of the upstream are reached.
    Overflow,
    /// The endpoint could not be connected to.
    Connect,
    /// The connection was gone before the request was sent.
    NotSent,
    /// The connection ended before an answer began.
    Reset,
    /// One attempt took too long.
    AttemptTimeout,
    /// The whole exchange took too long.
    Timeout,
    /// Nothing moved for too long before an answer began: the client stopped in the middle of its request.
    SilentClient,
    /// The same with a whole request: there is no answer.
    SilentUpstream,
    /// The client broke off, or what it sent is no body.
    BadBody,
}

impl Failure {
    /// The answer that the client gets for it. The texts are Envoy's, because operators search for them.
    pub(crate) fn answer(self) -> (StatusCode, &'static str) {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Failure::NoHealthyUpstream => (unavailable, "no healthy upstream"),
            Failure::Overflow => (
                unavailable,
                "upstream connect error or disconnect/reset before headers. reset reason: overflow",
            ),
            Failure::Connect => (
                unavailable,
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
            ),
            Failure::NotSent | Failure::Reset => (
                unavailable,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            ),
            Failure::AttemptTimeout | Failure::Timeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream request timeout")
            }
            Failure::SilentClient => (StatusCode::REQUEST_TIMEOUT, "stream timeout"),
            Failure::SilentUpstream => (StatusCode::GATEWAY_TIMEOUT, "stream timeout"),
            Failure::BadBody => (StatusCode::BAD_REQUEST, ""),
        }
    }

    /// The flag in the access log, as Envoy spells it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Failure::NoHealthyUpstream => "UH",
            Failure::Overflow => "UO",
            Failure::Connect => "UF",
            Failure::NotSent | Failure::Reset => "UC",
            Failure::AttemptTimeout | Failure::Timeout => "UT",
            Failure::SilentClient | Failure::SilentUpstream => "SI",
            Failure::BadBody => "DPE",
        }
    }

    /// The word in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Failure::NoHealthyUpstream => "no_healthy_upstream",
            Failure::Overflow => "overflow",
            Failure::Connect => "connect_failure",
            Failure::NotSent | Failure::Reset => "reset",
            Failure::AttemptTimeout | Failure::Timeout | Failure::SilentUpstream => "timeout",
            Failure::SilentClient | Failure::BadBody => "client",
        }
    }

    /// Whether it says something about the endpoint.
    pub(crate) fn is_local_origin(self) -> bool {
        match self {
            Failure::Connect | Failure::Reset | Failure::AttemptTimeout | Failure::Timeout => true,
            Failure::NotSent
            | Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => false,
        }
    }

    /// Whether no application can have seen the request.
    pub(crate) fn was_not_sent(self) -> bool {
        match self {
            Failure::Connect | Failure::NotSent => true,
            Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::Reset
            | Failure::AttemptTimeout
            | Failure::Timeout
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => false,
        }
    }

    /// Whether another attempt may end differently. The limits of an upstream are not one endpoint's, and a retry
    /// would only add to what they hold back; time that is over stays over.
    fn is_worth_retrying(self) -> bool {
        match self {
            Failure::Connect | Failure::NotSent | Failure::Reset | Failure::AttemptTimeout => true,
            Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::Timeout
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => false,
        }
    }
}

/// Whether a policy asks for another attempt after this answer or failure.
pub(crate) fn wants_retry(retry: &Retry, method: &str, outcome: Result<StatusCode, Failure>) -> bool {
    // A request that no application can have seen is tried again whatever else is declared, for every method.
    if outcome.is_err_and(Failure::was_not_sent) {
        return true;
    }
    if !retry.methods.contains(method) {
        return false;
    }
    retry.on.iter().any(|on| match (on, outcome) {
        (RetryOn::ServerError, Ok(status)) => status.is_server_error(),
        (RetryOn::ServerError | RetryOn::GatewayError, Err(failure)) => failure.is_worth_retrying(),
        (RetryOn::GatewayError, Ok(status)) => (502..=504).contains(&status.as_u16()),
        (RetryOn::Status(statuses), Ok(status)) => statuses.contains(&status.as_u16()),
        (RetryOn::ConnectFailure, Err(failure)) => failure.was_not_sent(),
        (RetryOn::Reset, Err(failure)) => failure == Failure::Reset || failure == Failure::NotSent,
        (RetryOn::Status(_), Err(_)) | (RetryOn::ConnectFailure | RetryOn::Reset, Ok(_)) => false,
    })
}
