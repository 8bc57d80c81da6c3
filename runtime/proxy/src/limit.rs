//! Rate limits at work: which buckets a request touches, and what they say.

use crate::limiter::{Limiter, Question, Verdict};
use crate::metrics::Metrics;
use crate::route::Seen;
use crate::token_bucket::TokenBucket;
use meshd_config::{Bucket, Limit, LimitScope, OnError, When};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

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
        let buckets = match &config.scope {
            LimitScope::Proxy(buckets) => {
                buckets.iter().map(|(_, rate)| TokenBucket::new(rate.requests, rate.per, now)).collect()
            }
            _ => Vec::new(),
        };
        LimitState { config: config.clone(), buckets: Mutex::new(buckets) }
    }

    /// Whether the request may pass. It is counted either way, except by buckets of this proxy when another refuses.
    pub(crate) async fn admits(
        &self,
        seen: Seen<'_>,
        limiter: Option<&dyn Limiter>,
        metrics: &Metrics,
    ) -> bool {
        if !seen.matches(&self.config.matching) {
            return true;
        }
        let (outcome, admitted) = match &self.config.scope {
            LimitScope::Proxy(buckets) => {
                let applies: Vec<bool> = buckets.iter().map(|(bucket, _)| applies(bucket, &seen)).collect();
                if self.take(&applies, Instant::now()) { ("ok", true) } else { ("over", false) }
            }
            LimitScope::Service { domain, descriptor_key, timeout, on_error, buckets } => {
                let touched = buckets.iter().filter(|bucket| applies(bucket, &seen));
                let descriptors: Vec<(String, String)> =
                    touched.map(|bucket| (descriptor_key.clone(), bucket.name.clone())).collect();
                if descriptors.is_empty() {
                    return true;
                }
                let question = Question { domain: domain.clone(), descriptors };
                match (ask(limiter, question, *timeout).await, on_error) {
                    (Ok(Verdict::Within), _) => ("ok", true),
                    (Ok(Verdict::Over), _) => ("over", false),
                    (Err(_), OnError::Allow) => ("allowed_on_error", true),
                    (Err(_), OnError::Deny) => ("denied_on_error", false),
                }
            }
            // The enum is closed here but open to its crate's next version; what is unknown is not admitted.
            _ => ("over", false),
        };
        metrics.limits.add(&[&self.config.name, outcome], 1);
        admitted
    }

    /// Takes one token from every bucket that applies, or from none.
    fn take(&self, applies: &[bool], now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for (bucket, _) in buckets.iter_mut().zip(applies).filter(|(_, applies)| **applies) {
            if !bucket.take(now) {
                taken.into_iter().for_each(TokenBucket::give_back);
                return false;
            }
            taken.push(bucket);
        }
        true
    }
}

async fn ask(
    limiter: Option<&dyn Limiter>,
    question: Question,
    timeout: std::time::Duration,
) -> Result<Verdict, String> {
    let limiter = limiter.ok_or_else(|| String::from("no rate-limit service is configured"))?;
    tokio::time::timeout(timeout, limiter.ask(question))
        .await
        .unwrap_or_else(|_| Err("no answer in time".into()))
}

/// Whether a bucket counts this request. With several lines of a header, each is looked at on its own, as Envoy does.
fn applies(bucket: &Bucket, seen: &Seen<'_>) -> bool {
    match &bucket.when {
        None => true,
        Some(When::Is { header, value }) => seen.values(header).any(|line| line == value),
        Some(When::NoneOf { header, values }) => {
            !seen.values(header).any(|line| values.iter().any(|value| value == line))
        }
        // The enum is closed here but open to its crate's next version.
        Some(_) => true,
    }
}
