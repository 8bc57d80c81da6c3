//! `timeout`: how long a request may take and a stream may stay silent, by protocol. The defaults are made for requests
//! and answers; gRPC calls and TCP connections may be streams, so only what was declared bounds them.

use std::time::Duration;

use meshc_vocabulary::model::Protocol;
use meshc_vocabulary::model::policy::{OrDefault, Timeout};

/// From the request's end to the answer's end.
pub(in crate::lower) fn request(timeout: &Timeout, protocol: Protocol) -> Option<Duration> {
    bound(timeout.request, protocol)
}

/// How long a stream or connection may stay silent.
pub(in crate::lower) fn idle(timeout: &Timeout, protocol: Protocol) -> Option<Duration> {
    bound(timeout.idle, protocol)
}

/// How long the stream of a request with this timeout may stay silent: the default, which bounds what a peer that went
/// away can hold, never cuts a request that was given more time than it.
pub(in crate::lower) fn idle_of_request(
    timeout: &Timeout,
    protocol: Protocol,
    request: Option<Duration>,
) -> Option<Duration> {
    let idle = idle(timeout, protocol)?;
    Some(if timeout.idle.declared.is_some() {
        idle
    } else {
        request.map_or(idle, |request| request.max(idle))
    })
}

fn bound(bound: OrDefault<Option<Duration>>, protocol: Protocol) -> Option<Duration> {
    bound.value.filter(|_| bound.declared.is_some() || bounded_by_default(protocol))
}

const fn bounded_by_default(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http | Protocol::Http2 => true,
        Protocol::Grpc | Protocol::Tcp => false,
    }
}

#[cfg(test)]
mod tests {
    use lang_diagnostics::{FileId, Origin, Span};

    use super::*;

    #[test]
    fn the_default_for_silence_never_cuts_a_request_that_has_more_time() {
        let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        let place = Span::new(FileId(0), 0, 0);
        let timeout = |declared: bool| Timeout {
            request: OrDefault { value: minutes(10), declared: Some(place) },
            idle: OrDefault { value: minutes(5), declared: declared.then_some(place) },
            origin: Origin::new(place, "policy"),
        };
        let idle = |declared, request| idle_of_request(&timeout(declared), Protocol::Http, request);
        assert_eq!(idle(false, minutes(10)), minutes(10));
        assert_eq!(idle(false, minutes(1)), minutes(5));
        assert_eq!(idle(false, None), minutes(5), "a request without a bound is bounded by silence");
        assert_eq!(idle(true, minutes(10)), minutes(5), "what is declared holds");
    }
}
