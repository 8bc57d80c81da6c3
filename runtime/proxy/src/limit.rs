//! Rate limits at work: which buckets a request touches, and what they say.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::limiter::{Limiter, Question, Verdict};
use crate::metrics::Metrics;
use crate::route::Seen;
use crate::token_bucket::TokenBucket;
use http::{HeaderName, HeaderValue};
use meshd_config::{Bucket, Limit, LimitScope, OnError, Rate, When};
use meshd_rate_limit::Quota;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a limit says about a request.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Whether the request may pass.
    pub(crate) admits: bool,
    /// What the client is told about what is left, if there is something to tell.
    pub(crate) left: Option<Left>,
}

/// What is left of a limit, for the headers that Envoy's filters send (their draft 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    limit: String,
    remaining: u64,
    reset: Duration,
}

impl Left {
    fn of_service(quota: Quota) -> Self {
        let Quota { limit, remaining, until_reset } = quota;
        let (requests, seconds) = (limit.requests_per_unit, limit.unit.seconds());
        Left {
            limit: format!("{requests}, {requests};w={seconds}"),
            remaining: remaining.into(),
            reset: until_reset,
        }
    }

    /// How many requests are left.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The headers.
    pub(crate) fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        // Rounded up: asking again too early is of no use.
        let seconds = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        let limit = HeaderValue::from_str(&self.limit).unwrap_or(HeaderValue::from_static("0"));
        [
            (HeaderName::from_static("x-ratelimit-limit"), limit),
            (HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(self.remaining)),
            (HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(seconds)),
        ]
    }
}

/// A limit with its counters. It outlives reloads that do not change its configuration.
#[derive(Debug)]
pub(crate) struct LimitState {
    /// What the file says about it.
    pub(crate) config: Limit,
    /// One per bucket that this proxy counts.
    buckets: Mutex<Vec<TokenBucket>>,
}

impl LimitState {
    /// Full buckets.
    pub(crate) fn new(config: &Limit) -> Self {
        let now = Instant::now();
        let full = |rate: &Rate| {
            let Rate { requests, per } = *rate;
            TokenBucket::new(requests, per, now)
        };
        let buckets = match &config.scope {
            LimitScope::Proxy(buckets) => buckets.iter().map(|(_, rate)| full(rate)).collect(),
            LimitScope::Service { domain: _, descriptor_key: _, timeout: _, on_error: _, buckets: _ } => {
                Vec::new()
            }
        };
        LimitState { config: config.clone(), buckets: Mutex::new(buckets) }
    }

    /// Whether this proxy counts, and not a service for many.
    pub(crate) fn counts_here(&self) -> bool {
        matches!(self.config.scope, LimitScope::Proxy(_))
    }

    /// Counts the request and says whether it may pass. When a bucket of this proxy refuses it, the others do not count.
    pub(crate) async fn judge(
        &self,
        seen: Seen<'_>,
        limiter: Option<&dyn Limiter>,
        metrics: &Metrics,
    ) -> Judged {
        let free = Judged { admits: true, left: None };
        let Limit { name, matching, scope } = &self.config;
        if !seen.matches(matching) {
            return free;
        }
        let (outcome, admits, left) = match scope {
            LimitScope::Proxy(buckets) => {
                let applies: Vec<bool> = buckets.iter().map(|(bucket, _)| applies(bucket, &seen)).collect();
                let (admits, left) = self.take(&applies, Instant::now());
                (if admits { "ok" } else { "over" }, admits, left)
            }
            LimitScope::Service { domain, descriptor_key, timeout, on_error, buckets } => {
                let touched = buckets.iter().filter(|bucket| applies(bucket, &seen));
                let descriptors: Vec<(String, String)> =
                    touched.map(|bucket| (descriptor_key.clone(), bucket.name.clone())).collect();
                if descriptors.is_empty() {
                    return free;
                }
                let question = Question { domain: domain.clone(), descriptors };
                match (ask(limiter, question, *timeout).await, on_error) {
                    (Ok(Verdict::Within(quota)), _) => ("ok", true, quota.map(Left::of_service)),
                    (Ok(Verdict::Over(quota)), _) => ("over", false, quota.map(Left::of_service)),
                    (Err(_), OnError::Allow) => ("allowed_on_error", true, None),
                    (Err(_), OnError::Deny) => ("denied_on_error", false, None),
                }
            }
        };
        metrics.limits.add(&[name, outcome], 1);
        Judged { admits, left }
    }

    /// Takes one token from every bucket that applies, or from none; with what is left in the one that has least.
    fn take(&self, applies: &[bool], now: Instant) -> (bool, Option<Left>) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for (bucket, _) in buckets.iter_mut().zip(applies).filter(|(_, applies)| **applies) {
            if !bucket.take(now) {
                taken.into_iter().for_each(TokenBucket::give_back);
                return (false, Some(left(bucket)));
            }
            taken.push(bucket);
        }
        (true, taken.into_iter().map(|bucket| left(bucket)).min_by_key(|left| left.remaining))
    }
}

fn left(bucket: &TokenBucket) -> Left {
    let (remaining, reset) = bucket.left();
    Left { limit: bucket.capacity().to_string(), remaining, reset }
}

async fn ask(
    limiter: Option<&dyn Limiter>,
    question: Question,
    timeout: Duration,
) -> Result<Verdict, String> {
    let limiter = limiter.ok_or_else(|| String::from("no rate-limit service is configured"))?;
    tokio::time::timeout(timeout, limiter.ask(question))
        .await
        .unwrap_or_else(|_| Err("no answer in time".into()))
}

/// Whether a bucket counts this request. With several lines of a header, each is looked at on its own, as Envoy does.
fn applies(bucket: &Bucket, seen: &Seen<'_>) -> bool {
    let Bucket { name: _, when } = bucket;
    match when {
        None => true,
        Some(When::Is { header, value }) => seen.values(header).any(|line| line == value.as_bytes()),
        Some(When::NoneOf { header, values }) => {
            !seen.values(header).any(|line| values.iter().any(|value| value.as_bytes() == line))
        }
    }
}
