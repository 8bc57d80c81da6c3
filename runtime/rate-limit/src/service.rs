//! Decides questions: finds the rules, counts the hits, compares.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::counters::{Counters, CountersDown, Increment, key};
use crate::metrics::{Metrics, RuleCounts, count};
use crate::rules::{Allowance, Rule, Rules};
use crate::window::Window;
use crate::{Descriptor, Limit, Quota};

/// What a proxy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) domain: String,
    pub(crate) descriptors: Vec<Asked>,
}

/// One descriptor of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) descriptor: Descriptor,
    /// How many hits to add.
    pub(crate) hits: u32,
    /// A limit that the asker brings, in the place of a rule's.
    pub(crate) limit: Option<Limit>,
}

/// What is said about one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it is over its limit.
    pub(crate) over: bool,
    /// The limit and what is left of it, if there is one.
    pub(crate) quota: Option<Quota>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The question makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The hits cannot be counted.
    #[error(transparent)]
    CountersDown(#[from] CountersDown),
}

/// The deciding part of a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) counters: Counters,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A limit to be applied to one descriptor.
struct Applied {
    limit: Limit,
    window: Window,
    /// Whether exceeding it has no consequence.
    shadow: bool,
    /// Where to count the answer; limits that askers bring have no counts of their own.
    counts: Option<Arc<RuleCounts>>,
}

impl Service {
    /// One verdict per descriptor, in the question's order. All limits are counted, also when one of them is exceeded.
    pub(crate) async fn judge(&self, question: &Question) -> Result<Vec<Verdict>, Refusal> {
        if let Some(problem) = problem(question) {
            count(&self.metrics.invalid_questions);
            return Err(Refusal::Invalid(problem));
        }
        let now = self.clock.now();
        let applied: Vec<Option<Applied>> =
            question.descriptors.iter().map(|asked| self.apply(&question.domain, asked, now)).collect();
        let increments: Vec<Increment> = question
            .descriptors
            .iter()
            .zip(&applied)
            .filter_map(|(asked, applied)| {
                let Applied { limit, window, .. } = applied.as_ref()?;
                let key = key(&question.domain, &asked.descriptor, limit.unit, *window);
                Some(Increment { key, hits: asked.hits, window: *window })
            })
            .collect();
        // Without limits there is nothing to count, and nothing that could be down.
        let values = if increments.is_empty() {
            Vec::new()
        } else {
            let counted = self.counters.add(&increments, now).await;
            counted.inspect_err(|_| count(&self.metrics.counter_failures))?
        };
        let mut values = values.into_iter();
        Ok(applied
            .into_iter()
            .map(|applied| match applied.and_then(|applied| Some((applied, values.next()?))) {
                Some((applied, value)) => applied.verdict(value, now),
                None => Verdict { over: false, quota: None },
            })
            .collect())
    }

    fn apply(&self, domain: &str, asked: &Asked, now: Duration) -> Option<Applied> {
        if let Some(limit) = asked.limit {
            let window = Window::at(now, limit.unit);
            return Some(Applied { limit, window, shadow: false, counts: None });
        }
        let Some(rule) = self.rules.load().find(domain, &asked.descriptor) else {
            count(&self.metrics.unknown_descriptors);
            return None;
        };
        let Rule { allowance, shadow, counts, name: _ } = &*rule;
        match allowance {
            Allowance::Unlimited => {
                count(&counts.within);
                None
            }
            Allowance::Limited(limit) => Some(Applied {
                limit: *limit,
                window: Window::at(now, limit.unit),
                shadow: *shadow,
                counts: Some(Arc::clone(counts)),
            }),
        }
    }
}

impl Applied {
    fn verdict(&self, value: u64, now: Duration) -> Verdict {
        let left = u64::from(self.limit.requests_per_unit).checked_sub(value);
        let over = left.is_none();
        if let Some(counts) = &self.counts {
            count(if over { &counts.over } else { &counts.within });
        }
        let quota = Quota {
            limit: self.limit,
            remaining: left.map_or(0, |left| u32::try_from(left).unwrap_or(u32::MAX)),
            until_reset: self.window.left(now),
        };
        Verdict { over: over && !self.shadow, quota: Some(quota) }
    }
}

/// What makes a question senseless, if anything.
fn problem(question: &Question) -> Option<&'static str> {
    if question.domain.is_empty() {
        return Some("the rate limit domain must not be empty");
    }
    if question.descriptors.is_empty() {
        return Some("the list of rate limit descriptors must not be empty");
    }
    let empty = question.descriptors.iter().any(|asked| asked.descriptor.entries.is_empty());
    empty.then_some("a rate limit descriptor must have an entry")
}
