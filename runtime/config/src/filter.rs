//! What is done with requests and answers on their way, checked.

use crate::listener::Authorization;
use crate::rules::Context;
use crate::{HeaderChanges, Limit, Path, raw};

/// One thing that is done with each request.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Refuses what exceeds a limit.
    Limit(Limit),
    /// Changes the headers of what is sent on.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of what is answered.
    ResponseHeaders(HeaderChanges),
}

impl Filter {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::Filter, at: &Path) -> Option<Self> {
        match raw {
            raw::filter::Filter::Authorize(raw) => {
                Authorization::check(cx, raw, &at.field("authorize")).map(Filter::Authorize)
            }
            raw::filter::Filter::Limit(raw) => Limit::check(cx, raw, &at.field("limit")).map(Filter::Limit),
            raw::filter::Filter::RequestHeaders(raw) => {
                HeaderChanges::check(cx, raw, &at.field("request_headers")).map(Filter::RequestHeaders)
            }
            raw::filter::Filter::ResponseHeaders(raw) => {
                HeaderChanges::check(cx, raw, &at.field("response_headers")).map(Filter::ResponseHeaders)
            }
        }
    }
}
