//! Rate limits, ready to be asked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::matching::header_name;
use crate::rules::Context;
use crate::{Path, RequestMatch, raw};
use std::time::Duration;

pub use raw::OnError;

/// Limits on matching requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The policy's name.
    pub name: String,
    /// Which requests are limited.
    pub matching: RequestMatch,
    /// Who counts what.
    pub scope: LimitScope,
}

/// Who counts what.
#[derive(Debug, Clone, PartialEq)]
pub enum LimitScope {
    /// This proxy, in memory.
    Proxy(Vec<(Bucket, Rate)>),
    /// The rate-limit service.
    Service {
        /// The domain of the descriptors.
        domain: String,
        /// The key of every descriptor.
        descriptor_key: String,
        /// How long the service may take.
        timeout: Duration,
        /// What happens while the service does not answer.
        on_error: OnError,
        /// The descriptors and when they are sent.
        buckets: Vec<Bucket>,
    },
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name, and the value of its descriptor.
    pub name: String,
    /// Which requests it counts; `None` is all.
    pub when: Option<When>,
}

/// A condition on one header, whose name is in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// The header has exactly this value.
    Is {
        /// The header's name.
        header: String,
        /// Its value.
        value: String,
    },
    /// The header is absent or has any other value.
    NoneOf {
        /// The header's name.
        header: String,
        /// The values that do not count.
        values: Vec<String>,
    },
}

/// So many requests in so long a time, both more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; also the size of a burst.
    pub requests: u64,
    /// In which time they are granted again.
    pub per: Duration,
}

impl Limit {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Limit, at: &Path) -> Option<Self> {
        let raw::Limit { name, matching, scope, buckets } = raw;
        let name = cx.text(name, &at.field("name"));
        let matching = RequestMatch::check(cx, matching, &at.field("match"));
        let scope = LimitScope::check(cx, scope, buckets, at);
        let names = buckets.iter().enumerate();
        cx.unique(
            "bucket",
            names.map(|(i, b)| (b.name.as_str(), at.field("buckets").index(i).field("name"))),
        );
        Some(Limit { name: name?, matching: matching?, scope: scope? })
    }
}

impl LimitScope {
    fn check(cx: &mut Context<'_>, scope: &raw::LimitScope, raw: &[raw::Bucket], at: &Path) -> Option<Self> {
        let buckets_at = at.field("buckets");
        if raw.is_empty() {
            cx.wrong(&buckets_at, "a limit needs a bucket");
            return None;
        }
        match scope {
            raw::LimitScope::Proxy {} => {
                let buckets = cx.each(raw, &buckets_at, |cx, bucket, at| {
                    let rate = Rate::check(cx, bucket.rate, &at.field("rate"));
                    Some((Bucket::check(cx, bucket, at)?, rate?))
                });
                Some(LimitScope::Proxy(buckets?))
            }
            raw::LimitScope::Service { domain, descriptor_key, timeout, on_error } => {
                let at = at.field("scope").field("service");
                if !cx.has_rate_limit_service {
                    cx.wrong(&at, "the file names no `rate_limit_service` to ask");
                }
                let domain = cx.text(domain, &at.field("domain"));
                let descriptor_key = cx.text(descriptor_key, &at.field("descriptor_key"));
                let timeout = cx.some_time(*timeout, &at.field("timeout"));
                let buckets = cx.each(raw, &buckets_at, Bucket::check);
                Some(LimitScope::Service {
                    domain: domain?,
                    descriptor_key: descriptor_key?,
                    timeout: timeout?.duration(),
                    on_error: *on_error,
                    buckets: buckets?,
                })
            }
        }
    }
}

impl Bucket {
    fn check(cx: &mut Context<'_>, raw: &raw::Bucket, at: &Path) -> Option<Self> {
        // The rate is read where it is known whether one is needed.
        let raw::Bucket { name, when, rate: _ } = raw;
        let name = cx.text(name, &at.field("name"));
        let when = cx.optional(when.as_ref(), &at.field("when"), |cx, when, at| match when {
            raw::When::Is { header, value } => {
                let header = header_name(cx, header, &at.field("is").field("header"))?;
                Some(When::Is { header, value: value.clone() })
            }
            raw::When::NoneOf { header, values } => {
                let header = header_name(cx, header, &at.field("none_of").field("header"))?;
                Some(When::NoneOf { header, values: values.clone() })
            }
        });
        Some(Bucket { name: name?, when: when? })
    }
}

impl Rate {
    fn check(cx: &mut Context<'_>, raw: Option<raw::Rate>, at: &Path) -> Option<Self> {
        let Some(raw) = raw else {
            cx.wrong(at, "a bucket that this proxy counts needs a rate");
            return None;
        };
        let raw::Rate { requests, per } = raw;
        let requests = cx.positive(requests, &at.field("requests"));
        let per = cx.some_time(per, &at.field("per"));
        Some(Rate { requests: requests?, per: per?.duration() })
    }
}
