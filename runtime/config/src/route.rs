//! Routes, checked: every upstream exists and every host can match.

use crate::matching::{header_name, method};
use crate::rules::Context;
use crate::{Limit, Path, RequestMatch, raw};
use std::time::Duration;

/// What is done with HTTP requests.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Http {
    /// The routes by host.
    pub virtual_hosts: Vec<VirtualHost>,
    /// Limits on every request, before it is routed.
    pub limits: Vec<Limit>,
}

/// The routes of some hosts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VirtualHost {
    /// The name in logs.
    pub name: String,
    /// The hosts.
    pub hosts: Vec<HostPattern>,
    /// The routes, in order.
    pub routes: Vec<Route>,
}

/// Which hosts match, in lower case and without a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// Every host that ends so; the text begins with a dot.
    Suffix(String),
    /// Every host.
    Any,
}

/// Where matching requests go.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Route {
    /// The name in logs, possibly empty.
    pub name: String,
    /// What it matches.
    pub matching: RequestMatch,
    /// The upstreams by weight; the weights sum to at least 1.
    pub to: Vec<WeightedUpstream>,
    /// How long the whole exchange may take; `None` is for ever.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// Limits on its requests.
    pub limits: Vec<Limit>,
    /// Replaces the matched path prefix.
    pub prefix_rewrite: Option<String>,
    /// Header changes on the way there.
    pub request_headers: HeaderEdits,
    /// Header changes on the way back.
    pub response_headers: HeaderEdits,
}

/// An upstream and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeightedUpstream {
    /// The upstream's name, which exists.
    pub upstream: String,
    /// Its share relative to the others.
    pub weight: u32,
}

/// When and how often a failed request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// How many times, on top of the first attempt; at least 1.
    pub attempts: u32,
    /// After which failures.
    pub on: Vec<RetryOn>,
    /// The methods that are tried again.
    pub methods: Vec<String>,
    /// How long one attempt may take.
    pub per_try_timeout: Option<Duration>,
    /// Whether the next attempt goes to the next group at once.
    pub other_localities: bool,
}

pub use raw::RetryOn;

/// Changes to headers, whose names are in lower case: removals first, then replacements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderEdits {
    /// Headers that are removed.
    pub remove: Vec<String>,
    /// Headers that get exactly this value.
    pub set: Vec<(String, String)>,
}

/// The methods that may be repeated without asking; RFC 9110 section 9.2.2.
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];

impl HostPattern {
    /// Whether `host` (lower case, without a port) matches.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(exact) => exact == host,
            HostPattern::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            HostPattern::Any => true,
        }
    }

    fn check(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if lower == "*" {
            return Some(HostPattern::Any);
        }
        let (suffix, rest) = match lower.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, lower.as_str()),
        };
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if rest.is_empty() || !rest.bytes().all(allowed) || (suffix && !rest.starts_with('.')) {
            cx.wrong(at, format!("`{text}` is not a host; write a name, `*.suffix`, or `*`"));
            return None;
        }
        Some(if suffix { HostPattern::Suffix(rest.to_owned()) } else { HostPattern::Exact(rest.to_owned()) })
    }
}

/// Virtual hosts that do not take each other's requests.
pub(crate) fn virtual_hosts(
    cx: &mut Context<'_>,
    raw: &[raw::VirtualHost],
    at: &Path,
) -> Option<Vec<VirtualHost>> {
    let every_host = raw.iter().enumerate().flat_map(|(i, virtual_host)| {
        let at = at.index(i).field("hosts");
        virtual_host.hosts.iter().enumerate().map(move |(j, host)| (host.as_str(), at.index(j)))
    });
    cx.unique("host", every_host);
    cx.each(raw, at, |cx, raw, at| {
        let name = cx.text(&raw.name, &at.field("name"));
        if raw.hosts.is_empty() {
            cx.wrong(&at.field("hosts"), "a virtual host without a host is never reached");
        }
        let hosts = cx.each(&raw.hosts, &at.field("hosts"), |cx, host, at| HostPattern::check(cx, host, at));
        let routes = cx.each(&raw.routes, &at.field("routes"), route);
        Some(VirtualHost { name: name?, hosts: hosts?, routes: routes? })
    })
}

fn route(cx: &mut Context<'_>, raw: &raw::Route, at: &Path) -> Option<Route> {
    let matching = RequestMatch::check(cx, &raw.matching, &at.field("match"));
    let to = cx.each(&raw.to, &at.field("to"), |cx, to, at| {
        let upstream = cx.upstream(&to.upstream, &at.field("upstream"))?;
        Some(WeightedUpstream { upstream, weight: to.weight.unwrap_or(1) })
    });
    if raw.to.iter().all(|to| to.weight == Some(0)) {
        cx.wrong(&at.field("to"), "no upstream has a weight above 0");
    }
    let timeout =
        cx.optional(raw.timeout.as_ref(), &at.field("timeout"), |cx, time, at| cx.some_time(*time, at));
    let retry = cx.optional(raw.retry.as_ref(), &at.field("retry"), retry);
    let limits = cx.each(&raw.limits, &at.field("limits"), Limit::check);
    let request_headers = HeaderEdits::check(cx, &raw.request_headers, &at.field("request_headers"));
    let response_headers = HeaderEdits::check(cx, &raw.response_headers, &at.field("response_headers"));
    let prefix_rewrite =
        cx.optional(raw.prefix_rewrite.as_ref(), &at.field("prefix_rewrite"), |cx, path, at| {
            if !path.starts_with('/') {
                cx.wrong(at, format!("`{path}` does not begin with `/`"));
                return None;
            }
            if !matches!(raw.matching.path, Some(raw::PathMatch::Prefix(_))) {
                cx.wrong(at, "only the path of a `prefix` match can be rewritten");
                return None;
            }
            Some(path.clone())
        });
    Some(Route {
        name: raw.name.clone(),
        matching: matching?,
        to: to?,
        timeout: timeout?.map(crate::Period::duration),
        retry: retry?,
        limits: limits?,
        prefix_rewrite: prefix_rewrite?,
        request_headers: request_headers?,
        response_headers: response_headers?,
    })
}

fn retry(cx: &mut Context<'_>, raw: &raw::Retry, at: &Path) -> Option<Retry> {
    let attempts = cx.positive(raw.attempts, &at.field("attempts"));
    if raw.on.is_empty() {
        cx.wrong(&at.field("on"), "a retry policy that names no failure never retries");
    }
    let methods = match &raw.methods {
        None => Some(IDEMPOTENT.map(str::to_owned).to_vec()),
        Some(methods) => cx.each(methods, &at.field("methods"), |cx, name, at| method(cx, name, at)),
    };
    for (position, on) in raw.on.iter().enumerate() {
        if let RetryOn::Status(statuses) = on
            && !statuses.iter().all(|status| (100..600).contains(status))
        {
            cx.wrong(&at.field("on").index(position).field("status"), "a status is between 100 and 599");
        }
    }
    let per_try = &at.field("per_try_timeout");
    let per_try_timeout =
        cx.optional(raw.per_try_timeout.as_ref(), per_try, |cx, time, at| cx.some_time(*time, at));
    Some(Retry {
        attempts: attempts?,
        on: raw.on.clone(),
        methods: methods?,
        per_try_timeout: per_try_timeout?.map(crate::Period::duration),
        other_localities: raw.other_localities,
    })
}

impl HeaderEdits {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::HeaderEdits, at: &Path) -> Option<Self> {
        let remove = cx.each(&raw.remove, &at.field("remove"), |cx, name, at| header_name(cx, name, at));
        let set: Vec<_> = raw.set.iter().collect();
        let set: Vec<Option<(String, String)>> = set
            .into_iter()
            .map(|(name, value)| {
                let at = at.field("set").field(name);
                let printable = value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b) || b >= 0x80);
                if !printable {
                    cx.wrong(&at, "a header's value holds no control characters");
                }
                Some((header_name(cx, name, &at)?, value.clone()))
            })
            .collect();
        Some(HeaderEdits { remove: remove?, set: set.into_iter().collect::<Option<_>>()? })
    }
}
