//! Rate limits, ready to be asked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::matching::header_name;
use crate::rules::Context;
use crate::{Path, RequestMatch, raw};
use std::time::Duration;

pub use raw::{KeyOf, OnError};

/// The entry of a descriptor for requests that cannot be told apart: some byte in what is looked at is no printable ASCII.
pub const UNPRINTABLE: (&str, &str) = ("unprintable", "true");

/// How many counters are kept for one bucket with keys; of more, those that were used last.
pub const MOST_KEYS: usize = 10_000;

/// How many bytes of a value tell counters apart.
pub const KEY_LENGTH: usize = 256;

/// How many leading bits of an IPv6 address tell clients apart. The compiler gives Envoy the same number.
pub const IPV6_PREFIX: u8 = 64;

/// What stands for a value that is missing or empty.
pub const NO_VALUE: &str = "-";

/// Limits on matching requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The policy's name.
    pub name: String,
    /// Which requests are limited.
    pub matching: RequestMatch,
    /// Whether it only counts: what it would refuse passes.
    pub audit: bool,
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
        /// The upstream that is the service, which exists; `None`: the `rate_limit_service` of the file.
        upstream: Option<String>,
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
    /// What there is a counter for each value of; empty: there is one.
    pub keys: Vec<LimitKey>,
}

/// Something that requests have a value of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitKey {
    /// The key of the descriptor's entry.
    pub descriptor_key: String,
    /// What it is; names of headers in lower case.
    pub of: KeyOf,
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

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; 0 admits none.
    pub requests: u64,
    /// In which time they are granted again.
    pub per: Duration,
    /// How many may come at once; 0 where none are admitted, and only there.
    pub burst: u64,
}

impl Limit {
    /// Limits of one place, each with a name of its own.
    pub(crate) fn all(cx: &mut Context<'_>, raw: &[raw::Limit], at: &Path) -> Option<Vec<Self>> {
        let names = raw.iter().enumerate();
        cx.unique("limit", names.map(|(i, limit)| (limit.name.as_str(), at.index(i).field("name"))));
        cx.each(raw, at, Limit::check)
    }

    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Limit, at: &Path) -> Option<Self> {
        let raw::Limit { name, matching, audit, scope, buckets } = raw;
        let name = cx.text(name, &at.field("name"));
        let matching = RequestMatch::check(cx, matching, &at.field("match"));
        let scope = LimitScope::check(cx, scope, buckets, at);
        let names = buckets.iter().enumerate();
        cx.unique(
            "bucket",
            names.map(|(i, b)| (b.name.as_str(), at.field("buckets").index(i).field("name"))),
        );
        Some(Limit { name: name?, matching: matching?, audit: *audit, scope: scope? })
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
            raw::LimitScope::Service { upstream, domain, descriptor_key, timeout, on_error } => {
                let at = at.field("scope").field("service");
                let upstream = cx
                    .optional(upstream.as_ref(), &at.field("upstream"), |cx, name, at| cx.upstream(name, at));
                if !cx.has_rate_limit_service && upstream == Some(None) {
                    cx.wrong(&at, "the file names no `rate_limit_service` to ask");
                }
                let domain = cx.text(domain, &at.field("domain"));
                let descriptor_key = cx.text(descriptor_key, &at.field("descriptor_key"));
                let timeout = cx.some_time(*timeout, &at.field("timeout"));
                let buckets = cx.each(raw, &buckets_at, Bucket::check);
                Some(LimitScope::Service {
                    upstream: upstream?,
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
        let raw::Bucket { name, when, keys, rate: _ } = raw;
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
        let keys = cx.each(keys, &at.field("keys"), LimitKey::check);
        Some(Bucket { name: name?, when: when?, keys: keys? })
    }
}

impl LimitKey {
    fn check(cx: &mut Context<'_>, raw: &raw::LimitKey, at: &Path) -> Option<Self> {
        let raw::LimitKey { descriptor_key, of } = raw;
        let descriptor_key = cx.text(descriptor_key, &at.field("descriptor_key"));
        let of_at = at.field("of");
        let of = match of {
            KeyOf::Caller | KeyOf::Address | KeyOf::Client | KeyOf::Path => Some(of.clone()),
            KeyOf::Header(name) => header_name(cx, name, &of_at.field("header")).map(KeyOf::Header),
            KeyOf::Cookie(name) => cx.text(name, &of_at.field("cookie")).map(KeyOf::Cookie),
            KeyOf::Query(name) => cx.text(name, &of_at.field("query")).map(KeyOf::Query),
        };
        Some(LimitKey { descriptor_key: descriptor_key?, of: of? })
    }
}

impl Rate {
    fn check(cx: &mut Context<'_>, raw: Option<raw::Rate>, at: &Path) -> Option<Self> {
        let Some(raw) = raw else {
            cx.wrong(at, "a bucket that this proxy counts needs a rate");
            return None;
        };
        let raw::Rate { requests, per, burst } = raw;
        let per = cx.some_time(per, &at.field("per"));
        let burst = match burst {
            None => Some(requests),
            Some(_) if requests == 0 => {
                cx.wrong(&at.field("burst"), "a rate of 0 admits none at once either");
                None
            }
            Some(burst) => cx.positive(burst, &at.field("burst")),
        };
        Some(Rate { requests, per: per?.duration(), burst: burst? })
    }
}
