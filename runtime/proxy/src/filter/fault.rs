//! Requests that wait or are refused on purpose.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::local_reply::Why;
use crate::route::{Seen, is_drawn};
use http::StatusCode;
use meshd_config::HeaderMatch;
use meshd_config::fault::{Abort, Delay, Refused};
use std::time::Duration;

/// What the client is told; Envoy's text, because operators search for it.
pub(crate) const TEXT: &str = "fault filter abort";

/// How long a request waits, if it is one of those that do.
pub(crate) fn delayed(delay: &Delay, seen: &Seen<'_>) -> Option<Duration> {
    let Delay { headers, share, time } = delay;
    chosen(headers, *share, seen).then_some(*time)
}

/// How a request is refused, if it is one of those that are.
pub(crate) fn aborted(abort: &Abort, seen: &Seen<'_>) -> Option<(StatusCode, Why)> {
    let Abort { headers, share, with } = abort;
    chosen(headers, *share, seen).then(|| match with {
        Refused::Status(status) => {
            (StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Why::Other)
        }
        // Only who speaks it is refused so.
        Refused::Grpc(status) => (StatusCode::OK, Why::Grpc(*status)),
    })
}

fn chosen(headers: &[HeaderMatch], share: u32, seen: &Seen<'_>) -> bool {
    headers.iter().all(|header| seen.header(header)) && is_drawn(share)
}
