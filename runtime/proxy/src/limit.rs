//! Rate limits at work: which buckets a request touches, and what they say.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::authorize::Asker;
use crate::counters::Found;
use crate::limit_keys::{Kept, values};
use crate::limiter::{Limiter, Question, Verdict};
use crate::metrics::Metrics;
use crate::route::Seen;
use crate::token_bucket::TokenBucket;
use http::{HeaderName, HeaderValue};
use meshd_config::{Bucket, Limit, LimitScope, MOST_KEYS, OnError, UNPRINTABLE, When};
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

    /// After how many seconds asking again is of use, for a request that is refused: at least one.
    pub(crate) fn retry_after(&self) -> HeaderValue {
        HeaderValue::from(self.seconds().max(1))
    }

    /// Rounded up: asking again too early is of no use.
    fn seconds(&self) -> u64 {
        self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0)
    }

    /// The headers.
    pub(crate) fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        let limit = HeaderValue::from_str(&self.limit).unwrap_or(HeaderValue::from_static("0"));
        [
            (HeaderName::from_static("x-ratelimit-limit"), limit),
            (HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(self.remaining)),
            (HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(self.seconds())),
        ]
    }
}

/// A limit with its counters. It outlives reloads that do not change its configuration.
#[derive(Debug)]
pub(crate) struct LimitState {
    /// What the file says about it.
    pub(crate) config: Limit,
    /// One per bucket that this proxy counts.
    counters: Mutex<Vec<Counter>>,
    /// Where each outcome is counted.
    counted: [Found; Outcome::ALL],
}

/// What came of asking a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Within,
    Over,
    WouldBeOver,
    AllowedOnError,
    DeniedOnError,
}

impl Outcome {
    /// How many there are.
    const ALL: usize = Outcome::DeniedOnError as usize + 1;

    /// The word in metrics.
    fn word(self) -> &'static str {
        match self {
            Outcome::Within => "ok",
            Outcome::Over => "over",
            Outcome::WouldBeOver => "would_be_over",
            Outcome::AllowedOnError => "allowed_on_error",
            Outcome::DeniedOnError => "denied_on_error",
        }
    }
}

/// What one bucket counts with.
#[derive(Debug)]
enum Counter {
    /// All that it counts together.
    One(TokenBucket),
    /// Each combination of values for itself; what cannot be told apart together.
    Each { kept: Kept, unprintable: TokenBucket },
}

/// Whose counter of a bucket a request touches.
#[derive(Debug)]
enum Touched {
    /// The one for all.
    All,
    /// That of these values.
    Of(Vec<String>),
    /// That of what cannot be told apart.
    Unprintable,
}

impl Counter {
    fn bucket(&mut self, touched: &Touched, now: Instant) -> &mut TokenBucket {
        match (self, touched) {
            (Counter::One(bucket), _) => bucket,
            (Counter::Each { kept, unprintable: _ }, Touched::Of(values)) => kept.of(values, now),
            (Counter::Each { kept: _, unprintable }, Touched::All | Touched::Unprintable) => unprintable,
        }
    }
}

impl LimitState {
    /// Full buckets.
    pub(crate) fn new(config: &Limit) -> Self {
        let now = Instant::now();
        let counters = match &config.scope {
            LimitScope::Proxy(buckets) => buckets
                .iter()
                .map(|(Bucket { name: _, when: _, keys }, rate)| {
                    let full = TokenBucket::new(*rate, now);
                    if keys.is_empty() {
                        Counter::One(full)
                    } else {
                        Counter::Each { kept: Kept::new(*rate, MOST_KEYS), unprintable: full }
                    }
                })
                .collect(),
            LimitScope::Service {
                upstream: _,
                domain: _,
                descriptor_key: _,
                timeout: _,
                on_error: _,
                buckets: _,
            } => Vec::new(),
        };
        LimitState { config: config.clone(), counters: Mutex::new(counters), counted: Default::default() }
    }

    /// Whether this proxy counts, and not a service for many.
    pub(crate) fn counts_here(&self) -> bool {
        matches!(self.config.scope, LimitScope::Proxy(_))
    }

    /// The upstream that is asked, if that is not the service of this cluster.
    pub(crate) fn asks(&self) -> Option<&str> {
        match &self.config.scope {
            LimitScope::Proxy(_) => None,
            LimitScope::Service {
                upstream,
                domain: _,
                descriptor_key: _,
                timeout: _,
                on_error: _,
                buckets: _,
            } => upstream.as_deref(),
        }
    }

    /// Counts the request and says whether it may pass. When a bucket of this proxy refuses it, the others do not count.
    pub(crate) async fn judge(
        &self,
        asker: &Asker<'_>,
        limiter: Option<&dyn Limiter>,
        metrics: &Metrics,
    ) -> Judged {
        let free = Judged { admits: true, left: None };
        let Limit { name: _, matching, audit, scope } = &self.config;
        if !asker.seen.matches(matching) {
            return free;
        }
        let (outcome, admits, left) = match scope {
            LimitScope::Proxy(buckets) => {
                let touched = buckets.iter().map(|(bucket, _)| touched(bucket, asker)).collect();
                let (admits, left) = self.take(touched, Instant::now());
                (if admits { Outcome::Within } else { Outcome::Over }, admits, left)
            }
            // Who is asked was said by `asks`.
            LimitScope::Service { upstream: _, domain, descriptor_key, timeout, on_error, buckets } => {
                let descriptors: Vec<Vec<(String, String)>> =
                    buckets.iter().filter_map(|bucket| descriptor(descriptor_key, bucket, asker)).collect();
                if descriptors.is_empty() {
                    return free;
                }
                let question = Question { domain: domain.clone(), descriptors };
                match (Box::pin(ask(limiter, question, *timeout)).await, on_error) {
                    (Ok(Verdict::Within(quota)), _) => (Outcome::Within, true, quota.map(Left::of_service)),
                    (Ok(Verdict::Over(quota)), _) => (Outcome::Over, false, quota.map(Left::of_service)),
                    (Err(_), OnError::Allow) => (Outcome::AllowedOnError, true, None),
                    (Err(_), OnError::Deny) => (Outcome::DeniedOnError, false, None),
                }
            }
        };
        if *audit {
            self.count(if outcome == Outcome::Over { Outcome::WouldBeOver } else { outcome }, metrics);
            return free;
        }
        self.count(outcome, metrics);
        Judged { admits, left }
    }

    fn count(&self, outcome: Outcome, metrics: &Metrics) {
        if let Some(found) = self.counted.get(outcome as usize) {
            metrics.limits.count(found, &[&self.config.name, outcome.word()]);
        }
    }

    /// Takes one token from the counter of every bucket that is touched, or from none; with what is left in the one that has
    /// least.
    fn take(&self, touched: Vec<Option<Touched>>, now: Instant) -> (bool, Option<Left>) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<&mut TokenBucket> = Vec::new();
        for (counter, touched) in counters.iter_mut().zip(touched) {
            let Some(touched) = touched else { continue };
            let bucket = counter.bucket(&touched, now);
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

/// Which counter of a bucket a request touches, if any.
fn touched(bucket: &Bucket, asker: &Asker<'_>) -> Option<Touched> {
    if !applies(bucket, &asker.seen) {
        return None;
    }
    if bucket.keys.is_empty() {
        return Some(Touched::All);
    }
    Some(values(&bucket.keys, asker).map_or(Touched::Unprintable, Touched::Of))
}

/// The entries that the rate-limit service is asked about for a bucket, if the request touches it.
fn descriptor(descriptor_key: &str, bucket: &Bucket, asker: &Asker<'_>) -> Option<Vec<(String, String)>> {
    let mut entries = vec![(descriptor_key.to_owned(), bucket.name.clone())];
    match touched(bucket, asker)? {
        Touched::All => {}
        Touched::Of(values) => {
            let keys = bucket.keys.iter().map(|key| key.descriptor_key.clone());
            entries.extend(keys.zip(values));
        }
        Touched::Unprintable => {
            let (key, value) = UNPRINTABLE;
            entries.push((key.to_owned(), value.to_owned()));
        }
    }
    Some(entries)
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
    let Bucket { name: _, when, keys: _ } = bucket;
    match when {
        None => true,
        Some(When::Is { header, value }) => seen.values(header).any(|line| line == value.as_bytes()),
        Some(When::NoneOf { header, values }) => {
            !seen.values(header).any(|line| values.iter().any(|value| value.as_bytes() == line))
        }
    }
}
