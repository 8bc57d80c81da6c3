//! What is done with requests and answers on their way, checked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::authorization::Authorization;
use crate::fault::{Abort, Cors, Delay};
use crate::rules::Context;
use crate::{HeaderChanges, Limit, Path, PathChange, raw};

/// One thing that is done with each request.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Tells of those that these rules would refuse.
    Audit(Authorization),
    /// Refuses what exceeds a limit.
    Limit(Limit),
    /// Changes the headers of what is sent on.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of what is answered.
    ResponseHeaders(HeaderChanges),
    /// Sends a copy elsewhere.
    Mirror(Mirror),
    /// Changes the path and the host of what is sent on.
    Rewrite(Rewrite),
    /// Answers preflight requests, and says who may read answers.
    Cors(Cors),
    /// Lets requests wait.
    Delay(Delay),
    /// Refuses requests on purpose.
    Abort(Abort),
}

/// Another path or host for what is sent on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewrite {
    /// The path; its query is kept.
    pub path: Option<PathChange>,
    /// The host, without a port.
    pub host: Option<String>,
}

/// Where copies of requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The upstream's name, which exists.
    pub upstream: String,
    /// How many of a million requests are copied, at most all.
    pub share: u32,
}

/// All requests.
pub(crate) const MILLION: u32 = 1_000_000;

impl Filter {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::Filter, at: &Path) -> Option<Self> {
        match raw {
            raw::filter::Filter::Authorize(raw) => {
                Authorization::check(cx, raw, &at.field("authorize")).map(Filter::Authorize)
            }
            raw::filter::Filter::Audit(raw) => {
                Authorization::check(cx, raw, &at.field("audit")).map(Filter::Audit)
            }
            raw::filter::Filter::Limit(raw) => Limit::check(cx, raw, &at.field("limit")).map(Filter::Limit),
            raw::filter::Filter::RequestHeaders(raw) => {
                HeaderChanges::check(cx, raw, &at.field("request_headers")).map(Filter::RequestHeaders)
            }
            raw::filter::Filter::ResponseHeaders(raw) => {
                HeaderChanges::check(cx, raw, &at.field("response_headers")).map(Filter::ResponseHeaders)
            }
            raw::filter::Filter::Mirror(raw) => {
                Mirror::check(cx, raw, &at.field("mirror")).map(Filter::Mirror)
            }
            raw::filter::Filter::Rewrite(raw) => {
                Rewrite::check(cx, raw, &at.field("rewrite")).map(Filter::Rewrite)
            }
            raw::filter::Filter::Cors(raw) => Cors::check(cx, raw, &at.field("cors")).map(Filter::Cors),
            raw::filter::Filter::Delay(raw) => Delay::check(cx, raw, &at.field("delay")).map(Filter::Delay),
            raw::filter::Filter::Abort(raw) => Abort::check(cx, raw, &at.field("abort")).map(Filter::Abort),
        }
    }
}

impl Rewrite {
    fn check(cx: &mut Context<'_>, raw: &raw::filter::Rewrite, at: &Path) -> Option<Self> {
        let raw::filter::Rewrite { path, host } = raw;
        let path = cx.optional(path.as_ref(), &at.field("path"), PathChange::check);
        let host = cx.optional(host.as_ref(), &at.field("host"), crate::answer::host);
        Some(Rewrite { path: path?, host: host? })
    }
}

impl Mirror {
    fn check(cx: &mut Context<'_>, raw: &raw::filter::Mirror, at: &Path) -> Option<Self> {
        let raw::filter::Mirror { upstream, share } = raw;
        let share = share.unwrap_or(MILLION);
        if share > MILLION {
            cx.wrong(&at.field("share"), format!("must be at most {MILLION}"));
        }
        Some(Mirror { upstream: cx.upstream(upstream, &at.field("upstream"))?, share })
    }
}
