//! `timeout`: how long a request may take, by protocol.

use std::time::Duration;

use meshc_vocabulary::model::Protocol;
use meshc_vocabulary::model::policy::Timeout;

/// From the request's end to the answer's end. Only a declared timeout bounds gRPC, whose calls may be streams.
pub(in crate::lower) fn request(timeout: &Timeout, protocol: Protocol) -> Option<Duration> {
    match protocol {
        Protocol::Http | Protocol::Http2 => timeout.request,
        Protocol::Grpc | Protocol::Tcp => timeout.request.filter(|_| timeout.request_declared),
    }
}
