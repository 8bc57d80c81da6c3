//! How an attempt ended, whose fault it was, and what the client is told.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use http::{HeaderMap, StatusCode};
use meshd_config::{GrpcStatus, Retry, RetryOn};

use crate::outlier::Report;

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
    /// The endpoint takes no more requests beside those it has, and has not looked at this one.
    Refused,
    /// The connection ended before an answer began.
    Reset,
    /// It ended because other clients had broken off requests on it.
    CutOff,
    /// What came back is no answer.
    Protocol,
    /// One attempt took too long.
    AttemptTimeout,
    /// The whole exchange took too long.
    Timeout,
    /// It took longer than the client said it would wait.
    Deadline,
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
            Failure::Refused => (
                unavailable,
                "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
            ),
            Failure::NotSent | Failure::Reset | Failure::CutOff => (
                unavailable,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            ),
            Failure::Protocol => (
                StatusCode::BAD_GATEWAY,
                "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            ),
            Failure::AttemptTimeout | Failure::Timeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream request timeout")
            }
            Failure::Deadline => (StatusCode::REQUEST_TIMEOUT, "downstream duration timeout"),
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
            Failure::Refused => "UR",
            Failure::NotSent | Failure::Reset | Failure::CutOff => "UC",
            Failure::Protocol => "UPE",
            Failure::AttemptTimeout | Failure::Timeout => "UT",
            Failure::Deadline => "DT",
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
            Failure::Refused => "refused",
            Failure::NotSent | Failure::Reset | Failure::CutOff => "reset",
            Failure::Protocol => "protocol_error",
            Failure::AttemptTimeout | Failure::Timeout | Failure::Deadline | Failure::SilentUpstream => {
                "timeout"
            }
            Failure::SilentClient | Failure::BadBody => "client",
        }
    }

    /// What it tells about the endpoint, if anything. That a client is slow or that the proxy's own limits are reached
    /// says nothing about it.
    pub(crate) fn report(self) -> Option<Report> {
        match self {
            Failure::Connect => Some(Report::Unconnected),
            Failure::Reset | Failure::Protocol | Failure::AttemptTimeout | Failure::Timeout => {
                Some(Report::Unanswered)
            }
            Failure::NotSent
            | Failure::Refused
            | Failure::CutOff
            | Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::Deadline
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => None,
        }
    }

    /// Whether no application can have seen the request.
    pub(crate) fn was_not_sent(self) -> bool {
        match self {
            Failure::Connect | Failure::NotSent | Failure::Refused => true,
            Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::CutOff
            | Failure::Reset
            | Failure::Protocol
            | Failure::AttemptTimeout
            | Failure::Timeout
            | Failure::Deadline
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => false,
        }
    }

    /// Whether another attempt may end differently. The limits of an upstream are not one endpoint's, and a retry
    /// would only add to what they hold back; time that is over stays over.
    fn is_worth_retrying(self) -> bool {
        match self {
            Failure::Connect
            | Failure::NotSent
            | Failure::Refused
            | Failure::Reset
            | Failure::CutOff
            | Failure::Protocol
            | Failure::AttemptTimeout => true,
            Failure::NoHealthyUpstream
            | Failure::Overflow
            | Failure::Timeout
            | Failure::Deadline
            | Failure::SilentClient
            | Failure::SilentUpstream
            | Failure::BadBody => false,
        }
    }
}

/// The status that counts for ejection: gRPC answers failures with 200 and says what happened in a header of its own.
/// Source of the mapping: the gRPC status codes, as Envoy translates them, except DEADLINE_EXCEEDED: a client chooses its
/// deadline, and must not be able to eject an endpoint with it.
pub(crate) fn counted_status(status: StatusCode, headers: &HeaderMap) -> u16 {
    let said = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
    match said {
        None => status.as_u16(),
        Some(2 | 13 | 15) => 500,
        Some(12) => 501,
        Some(14) => 503,
        Some(0) => 200,
        Some::<u32>(_) => 400,
    }
}

/// What it is decided by whether an answer is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// The answer's status.
    pub(crate) status: StatusCode,
    /// The status of gRPC in its headers, if it is one that can be asked for.
    pub(crate) grpc: Option<GrpcStatus>,
}

impl Told {
    /// What an answer tells.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let said = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
        let grpc = match said {
            Some(1) => Some(GrpcStatus::Cancelled),
            Some(4) => Some(GrpcStatus::DeadlineExceeded),
            Some(8) => Some(GrpcStatus::ResourceExhausted),
            Some(13) => Some(GrpcStatus::Internal),
            Some(14) => Some(GrpcStatus::Unavailable),
            None | Some::<u32>(_) => None,
        };
        Told { status, grpc }
    }
}

/// Whether a policy asks for another attempt after this answer or failure.
pub(crate) fn wants_retry(retry: &Retry, method: &str, outcome: Result<Told, Failure>) -> bool {
    // How often, for how long and where is decided by whoever sends the attempts.
    let Retry {
        attempts: _,
        on,
        methods,
        per_try_timeout: _,
        hedge: _,
        per_try_idle: _,
        back_off: _,
        max_back_off: _,
        max_retry_after: _,
        max_body: _,
        other_localities: _,
    } = retry;
    // A request that no application can have seen is tried again whatever else is declared, for every method.
    if outcome.is_err_and(Failure::was_not_sent) {
        return true;
    }
    if !methods.contains(method) {
        return false;
    }
    on.iter().any(|on| match (on, outcome) {
        (RetryOn::ServerError, Ok(told)) => told.status.is_server_error(),
        (RetryOn::ServerError | RetryOn::GatewayError, Err(failure)) => failure.is_worth_retrying(),
        (RetryOn::GatewayError, Ok(told)) => (502..=504).contains(&told.status.as_u16()),
        (RetryOn::Status(statuses), Ok(told)) => statuses.contains(&told.status.as_u16()),
        (RetryOn::Grpc(statuses), Ok(told)) => told.grpc.is_some_and(|status| statuses.contains(&status)),
        (RetryOn::ConnectFailure, Err(failure)) => failure.was_not_sent(),
        (RetryOn::Reset, Err(failure)) => {
            matches!(
                failure,
                Failure::Reset
                    | Failure::CutOff
                    | Failure::NotSent
                    | Failure::Refused
                    | Failure::Protocol
                    | Failure::AttemptTimeout
            )
        }
        (RetryOn::Status(_) | RetryOn::Grpc(_), Err(_))
        | (RetryOn::ConnectFailure | RetryOn::Reset, Ok(_)) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(on: &str) -> Retry {
        let text = format!(
            r#"{{"version":1,"node":{{"name":"n","cluster":"c"}},"listeners":[{{"name":"l","bind":"127.0.0.1:1","kind":{{"http":
            {{"virtual_hosts":[{{"name":"v","hosts":["*"],"routes":[{{"to":[{{"upstream":"u"}}],
            "retry":{{"attempts":1,"on":["{on}"],"methods":["GET","PUT"]}}}}]}}]}}}}}}],"upstreams":{{"u":
            {{"connect_timeout":"1s","pool":{{"max_connections":1,"max_pending":1,"max_requests":1}},
             "groups":[{{"name":"g","endpoints":[{{"host":"127.0.0.1","port":1}}]}}]}}}}}}"#
        );
        let config = meshd_config::Config::read(&text).unwrap();
        let meshd_config::Kind::Http { virtual_hosts, .. } = &config.listeners[0].kind else {
            panic!("HTTP")
        };
        virtual_hosts[0].routes[0].retry.clone().unwrap()
    }

    #[test]
    fn only_what_may_end_differently_is_tried_again() {
        for on in ["5xx", "gateway_error"] {
            let retry = retry(on);
            for failure in [Failure::Connect, Failure::NotSent, Failure::Reset, Failure::AttemptTimeout] {
                assert!(wants_retry(&retry, "GET", Err(failure)), "{on}: {failure:?}");
            }
            for failure in [
                Failure::NoHealthyUpstream,
                Failure::Overflow,
                Failure::Timeout,
                Failure::SilentClient,
                Failure::SilentUpstream,
                Failure::BadBody,
            ] {
                assert!(!wants_retry(&retry, "GET", Err(failure)), "{on}: {failure:?}");
            }
            assert!(!wants_retry(&retry, "POST", Err(Failure::Reset)), "an application may have seen it");
            assert!(wants_retry(&retry, "POST", Err(Failure::Connect)), "nobody can have seen it");
        }
        for (on, wanted) in [("reset", true), ("connect_failure", false)] {
            assert_eq!(wants_retry(&retry(on), "GET", Err(Failure::AttemptTimeout)), wanted, "{on}");
        }
    }

    #[test]
    fn grpc_tells_its_failures_in_a_header() {
        let known = [
            ("14", Some(GrpcStatus::Unavailable)),
            ("13", Some(GrpcStatus::Internal)),
            ("8", Some(GrpcStatus::ResourceExhausted)),
            ("4", Some(GrpcStatus::DeadlineExceeded)),
            ("1", Some(GrpcStatus::Cancelled)),
        ];
        for (said, as_if) in known.into_iter().chain([("0", None), ("2", None), ("5", None)]) {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static(said),
            )]);
            assert_eq!(Told::of(StatusCode::OK, &headers).grpc, as_if, "{said}");
        }
    }

    #[test]
    fn grpc_hides_its_failures_in_a_header() {
        for (said, counted) in [("0", 200), ("14", 503), ("13", 500), ("4", 400), ("5", 400), ("what", 200)] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static(said),
            )]);
            assert_eq!(counted_status(StatusCode::OK, &headers), counted, "{said}");
        }
        assert_eq!(counted_status(StatusCode::BAD_GATEWAY, &HeaderMap::new()), 502);
    }
}
