//! Requests that go wrong on purpose, and who may read answers, checked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::filter::MILLION;
use crate::rules::Context;
use crate::{HeaderMatch, Path, ValueMatch, raw};
use std::time::Duration;

pub use raw::filter::Refused;

/// Who may read answers, in the words of the headers that say it; the empty string is a header that is not sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    /// The origins that may.
    pub allow_origins: Vec<ValueMatch>,
    /// `access-control-allow-methods`
    pub allow_methods: String,
    /// `access-control-allow-headers`
    pub allow_headers: String,
    /// `access-control-expose-headers`
    pub expose_headers: String,
    /// `access-control-max-age`
    pub max_age: String,
    /// `access-control-allow-credentials`
    pub allow_credentials: bool,
}

/// Requests that wait before they are sent on.
#[derive(Debug, Clone, PartialEq)]
pub struct Delay {
    /// Which requests, all conditions at once.
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them, at most all.
    pub share: u32,
    /// How long.
    pub time: Duration,
}

/// Requests that are refused on purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Abort {
    /// Which requests, all conditions at once.
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them, at most all.
    pub share: u32,
    /// How.
    pub with: Refused,
}

impl Cors {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::Cors, at: &Path) -> Option<Self> {
        let raw::filter::Cors {
            allow_origins,
            allow_methods,
            allow_headers,
            expose_headers,
            max_age,
            allow_credentials,
        } = raw;
        for (name, value) in [
            ("allow_methods", allow_methods),
            ("allow_headers", allow_headers),
            ("expose_headers", expose_headers),
            ("max_age", max_age),
        ] {
            if value.chars().any(char::is_control) {
                cx.wrong(&at.field(name), "a header's value has no control characters");
            }
        }
        let at = at.field("allow_origins");
        Some(Cors {
            allow_origins: cx.each(allow_origins, &at, ValueMatch::check)?,
            allow_methods: allow_methods.clone(),
            allow_headers: allow_headers.clone(),
            expose_headers: expose_headers.clone(),
            max_age: max_age.clone(),
            allow_credentials: *allow_credentials,
        })
    }
}

impl Delay {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::Delay, at: &Path) -> Option<Self> {
        let raw::filter::Delay { headers, share, time } = raw;
        self::share(cx, *share, at);
        let time = cx.some_time(*time, &at.field("time"));
        let headers = cx.each(headers, &at.field("headers"), HeaderMatch::check);
        Some(Delay { headers: headers?, share: *share, time: time?.duration() })
    }
}

impl Abort {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::Abort, at: &Path) -> Option<Self> {
        let raw::filter::Abort { headers, share, with } = raw;
        self::share(cx, *share, at);
        let fits = match with {
            Refused::Status(status) => (400..600).contains(status),
            Refused::Grpc(status) => (1..=16).contains(status),
        };
        if !fits {
            cx.wrong(&at.field("with"), "a status is between 400 and 599, and one of gRPC between 1 and 16");
        }
        let headers = cx.each(headers, &at.field("headers"), HeaderMatch::check);
        Some(Abort { headers: headers?, share: *share, with: *with })
    }
}

fn share(cx: &mut Context<'_>, share: u32, at: &Path) {
    if share > MILLION {
        cx.wrong(&at.field("share"), format!("must be at most {MILLION}"));
    }
}
