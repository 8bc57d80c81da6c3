//! `timeout`: how long a request may take and a stream may stay silent, by protocol. The defaults are made for requests
//! and answers; gRPC calls and TCP connections may be streams, so only what was declared bounds them.

use std::time::Duration;

use meshc_vocabulary::model::Protocol;
use meshc_vocabulary::model::policy::Timeout;

/// From the request's end to the answer's end.
pub(in crate::lower) fn request(timeout: &Timeout, protocol: Protocol) -> Option<Duration> {
    timeout.request.filter(|_| timeout.request_declared || bounded_by_default(protocol))
}

/// How long a stream or connection may stay silent.
pub(in crate::lower) fn idle(timeout: &Timeout, protocol: Protocol) -> Option<Duration> {
    timeout.idle.filter(|_| timeout.idle_declared || bounded_by_default(protocol))
}

const fn bounded_by_default(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http | Protocol::Http2 => true,
        Protocol::Grpc | Protocol::Tcp => false,
    }
}
