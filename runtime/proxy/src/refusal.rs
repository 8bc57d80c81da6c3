//! Answers to requests that are not forwarded, and why.

use crate::authorize::Asker;
use crate::limit::{Judged, Left, LimitState};
use crate::local_reply::Why;
use crate::route::Route;
use crate::worker::Worker;
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::borrow::Cow;
use std::sync::Arc;

/// An answer to a request that is not forwarded.
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Cow<'static, str>,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Envoy's response flags.
    pub(crate) flags: &'static str,
    /// What an operator should know; empty: nothing more.
    pub(crate) details: Cow<'static, str>,
    /// The route that it would have taken, if that is known.
    pub(crate) route: Option<Arc<Route>>,
    /// Why, for those who have words of their own for it.
    pub(crate) why: Why,
}

impl Refusal {
    /// Who asks may not, by this rule.
    pub(crate) fn denied(rule: &str) -> Self {
        let details = format!("rbac_access_denied_matched_policy[{rule}]");
        Refusal::new(StatusCode::FORBIDDEN, "RBAC: access denied", "", details)
    }

    pub(crate) fn new(
        status: StatusCode,
        body: &'static str,
        flags: &'static str,
        details: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (body, details) = (Cow::Borrowed(body), details.into());
        Refusal { status, body, headers: Vec::new(), flags, details, route: None, why: Why::Other }
    }

    /// The same on a route.
    pub(crate) fn on(self, route: &Arc<Route>) -> Self {
        Refusal { route: Some(Arc::clone(route)), ..self }
    }
}

/// Counts a request; what is left of the limit, or why it is refused.
pub(crate) async fn within(
    worker: &Worker,
    limit: &LimitState,
    asker: &Asker<'_>,
) -> Result<Option<Left>, Refusal> {
    let limiter = match limit.asks() {
        None => worker.shared.limiter.load_full(),
        Some(upstream) => {
            let snapshot = worker.shared.snapshot.load();
            snapshot.limiters.get(upstream).map(|(_, limiter)| Arc::clone(limiter))
        }
    };
    let limiter = limiter.as_deref().map(AsRef::as_ref);
    let Judged { admits, left } = limit.judge(asker, limiter, &worker.shared.metrics).await;
    if admits {
        return Ok(left);
    }
    // The texts are those of Envoy's two filters.
    let text = if limit.counts_here() { "local_rate_limited" } else { "" };
    let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, text, "RL", "rate_limited");
    refusal.why = Why::OverLimit;
    refusal.headers.push((HeaderName::from_static("x-envoy-ratelimited"), HeaderValue::from_static("true")));
    refusal.headers.extend(left.iter().map(|left| (header::RETRY_AFTER, left.retry_after())));
    refusal.headers.extend(left.iter().flat_map(Left::headers));
    Err(refusal)
}
