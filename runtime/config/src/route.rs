//! Routes, checked: every upstream exists and every host can match.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::filter::Filter;
use crate::matching::{header_name, method};
use crate::rules::Context;
use crate::{Answer, Entrance, Limit, Path, RequestMatch, raw};
use std::time::Duration;

/// The routes of some hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualHost {
    /// The name in logs.
    pub name: String,
    /// The hosts.
    pub hosts: Vec<HostPattern>,
    /// Who may send requests that one of its routes takes.
    pub entrance: Entrance,
    /// Limits of the requests that one of its routes takes, counted after it is clear who may ask.
    pub limits: Vec<Limit>,
    /// The routes, in order.
    pub routes: Vec<Route>,
}

/// How long is waited before the first retry after an answer. Source: Envoy's default.
const BACK_OFF: Duration = Duration::from_millis(25);

/// How much of a body is kept where the file does not say it, in bytes. The compiler gives Envoy the same number.
pub const REPLAYED_BODY: u64 = 64 * 1024;

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
pub struct Route {
    /// The name in logs, possibly empty.
    pub name: String,
    /// What it matches.
    pub matching: RequestMatch,
    /// The upstreams by weight; the weights sum to at least 1. None where there is an answer.
    pub to: Vec<WeightedUpstream>,
    /// What decides which endpoint gets a request, in groups that are balanced by hash.
    pub hash: Vec<HashKey>,
    /// What this proxy answers by itself.
    pub answer: Option<Answer>,
    /// Whether the others take the share of an upstream of which no endpoint is left.
    pub failover: bool,
    /// How long the whole exchange may take; `None` is for ever.
    pub timeout: Option<Duration>,
    /// How long neither side may send anything; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// What a request may change to.
    pub upgrades: Vec<Upgrade>,
    /// Whether a request ends with the time that it names itself, and passes on what is left of it.
    pub grpc_deadlines: bool,
    /// What is done with each request, in order.
    pub filters: Vec<Filter>,
}

/// An upstream and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedUpstream {
    /// The upstream's name, which exists.
    pub upstream: String,
    /// Its share relative to the others.
    pub weight: u32,
}

/// When and how often a failed request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How many times, on top of the first attempt; at least 1.
    pub attempts: u32,
    /// After which failures.
    pub on: Vec<RetryOn>,
    /// The methods that are tried again once an application may have seen the request.
    pub methods: Methods,
    /// How long one attempt may take.
    pub per_try_timeout: Option<Duration>,
    /// Whether an attempt that takes longer goes on beside the next one; then it is said how long.
    pub hedge: bool,
    /// How long an endpoint that has the whole request may be silent in one attempt.
    pub per_try_idle: Option<Duration>,
    /// How long is waited at most before the first attempt that follows an answer.
    pub back_off: Duration,
    /// Where that stops to grow; not shorter.
    pub max_back_off: Duration,
    /// The longest wait that an answer may ask for.
    pub max_retry_after: Option<Duration>,
    /// How much of a request's body is kept for another attempt, in bytes.
    pub max_body: u64,
    /// Whether the next attempt goes to the next group at once.
    pub other_localities: bool,
}

pub use raw::{CookieKey, CookieLife, GrpcStatus, HashKey, RetryOn, Upgrade};

/// Methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every method.
    All,
    /// These.
    These(Vec<String>),
}

impl Methods {
    /// Whether `method` is among them.
    #[must_use]
    pub fn contains(&self, method: &str) -> bool {
        match self {
            Methods::All => true,
            Methods::These(these) => these.iter().any(|this| this == method),
        }
    }
}

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

    pub(crate) fn check(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<Self> {
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
        if rest.contains(':') && !(rest.starts_with('[') && rest.ends_with(']')) {
            cx.wrong(at, format!("`{text}` has a port, and hosts are matched without theirs"));
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
        virtual_host.hosts.iter().enumerate().map(move |(j, host)| (host.to_ascii_lowercase(), at.index(j)))
    });
    cx.unique("host", every_host);
    cx.each(raw, at, |cx, raw, at| {
        let raw::VirtualHost { name, hosts, entrance, limits, routes } = raw;
        let name = cx.text(name, &at.field("name"));
        if hosts.is_empty() {
            cx.wrong(&at.field("hosts"), "a virtual host without a host is never reached");
        }
        let hosts = cx.each(hosts, &at.field("hosts"), |cx, host, at| HostPattern::check(cx, host, at));
        let entrance = Entrance::check(cx, entrance, &at.field("entrance"));
        let limits = Limit::all(cx, limits, &at.field("limits"));
        let routes = cx.each(routes, &at.field("routes"), route);
        Some(VirtualHost {
            name: name?,
            hosts: hosts?,
            entrance: entrance?,
            limits: limits?,
            routes: routes?,
        })
    })
}

fn route(cx: &mut Context<'_>, raw: &raw::Route, at: &Path) -> Option<Route> {
    let raw::Route {
        name,
        matching,
        to,
        failover,
        hash,
        answer,
        timeout,
        idle_timeout,
        retry,
        upgrades,
        grpc_deadlines,
        filters,
    } = raw;
    let matching = RequestMatch::check(cx, matching, &at.field("match"));
    let to = match answer {
        Some(_) if to.is_empty() => Some(Vec::new()),
        Some(_) => {
            cx.wrong(&at.field("to"), "a request that is answered here is not sent on");
            None
        }
        None => weighted(cx, to, &at.field("to")),
    };
    let answer = cx.optional(answer.as_ref(), &at.field("answer"), Answer::check);
    let hash = cx.each(hash, &at.field("hash"), self::hash);
    let timeout = cx.optional(timeout.as_ref(), &at.field("timeout"), |cx, time, at| cx.some_time(*time, at));
    let idle_at = &at.field("idle_timeout");
    let idle_timeout = cx.optional(idle_timeout.as_ref(), idle_at, |cx, time, at| cx.some_time(*time, at));
    let retry = cx.optional(retry.as_ref(), &at.field("retry"), self::retry);
    let filters = cx.each(filters, &at.field("filters"), Filter::check);
    Some(Route {
        name: name.clone(),
        matching: matching?,
        to: to?,
        hash: hash?,
        answer: answer?,
        failover: *failover,
        timeout: timeout?.map(crate::Period::duration),
        idle_timeout: idle_timeout?.map(crate::Period::duration),
        retry: retry?,
        upgrades: upgrades.clone(),
        grpc_deadlines: *grpc_deadlines,
        filters: filters?,
    })
}

/// A property that requests can have.
fn hash(cx: &mut Context<'_>, raw: &raw::HashKey, at: &Path) -> Option<HashKey> {
    match raw {
        raw::HashKey::Header(name) => header_name(cx, name, &at.field("header")).map(HashKey::Header),
        raw::HashKey::Cookie(CookieKey { name, set }) => {
            let at = at.field("cookie");
            // A cookie's name is made of the same characters, but its case counts.
            let name = header_name(cx, name, &at.field("name")).map(|_| name.clone());
            if let Some(CookieLife::For(life)) = set {
                cx.some_time(*life, &at.field("set"))?;
            }
            Some(HashKey::Cookie(CookieKey { name: name?, set: *set }))
        }
        raw::HashKey::Source { trusted_hops } => Some(HashKey::Source { trusted_hops: *trusted_hops }),
        raw::HashKey::Query(name) => cx.text(name, &at.field("query")).map(HashKey::Query),
    }
}

/// Upstreams and their shares, of which one is chosen.
pub(crate) fn weighted(
    cx: &mut Context<'_>,
    to: &[raw::WeightedUpstream],
    at: &Path,
) -> Option<Vec<WeightedUpstream>> {
    if to.iter().all(|to| to.weight == Some(0)) {
        cx.wrong(at, "no upstream has a weight above 0");
    }
    cx.each(to, at, |cx, to, at| {
        let raw::WeightedUpstream { upstream, weight } = to;
        let upstream = cx.upstream(upstream, &at.field("upstream"))?;
        Some(WeightedUpstream { upstream, weight: weight.unwrap_or(1) })
    })
}

pub(crate) fn retry(cx: &mut Context<'_>, raw: &raw::Retry, at: &Path) -> Option<Retry> {
    let raw::Retry {
        attempts,
        on,
        methods,
        per_try_timeout,
        hedge,
        per_try_idle,
        back_off,
        max_back_off,
        max_retry_after,
        max_body,
        other_localities,
    } = raw;
    if on.is_empty() {
        cx.wrong(&at.field("on"), "a retry policy that names no failure never retries");
    }
    let methods = if methods.iter().any(|name| name == "*") {
        Some(Methods::All)
    } else {
        cx.each(methods, &at.field("methods"), |cx, name, at| method(cx, name, at)).map(Methods::These)
    };
    for (position, on) in on.iter().enumerate() {
        if let RetryOn::Status(statuses) = on
            && !statuses.iter().all(|status| (100..600).contains(status))
        {
            cx.wrong(&at.field("on").index(position).field("status"), "a status is between 100 and 599");
        }
    }
    let per_try = &at.field("per_try_timeout");
    let per_try_timeout =
        cx.optional(per_try_timeout.as_ref(), per_try, |cx, time, at| cx.some_time(*time, at));
    if *hedge && per_try_timeout.is_none_or(|time| time.is_none()) {
        cx.wrong(&at.field("hedge"), "without `per_try_timeout` it is not said when another attempt is sent");
    }
    let mut time = |time: &Option<crate::Period>, name| {
        cx.optional(time.as_ref(), &at.field(name), |cx, time, at| cx.some_time(*time, at))
    };
    let (per_try_idle, back_off) = (time(per_try_idle, "per_try_idle"), time(back_off, "back_off"));
    let (most, after) = (time(max_back_off, "max_back_off"), time(max_retry_after, "max_retry_after"));
    let back_off = back_off?.map_or(BACK_OFF, crate::Period::duration);
    let max_back_off = most?.map_or(back_off.saturating_mul(10), crate::Period::duration);
    if max_back_off < back_off {
        cx.wrong(&at.field("max_back_off"), "the longest wait is shorter than the first one");
    }
    Some(Retry {
        per_try_idle: per_try_idle?.map(crate::Period::duration),
        back_off,
        max_back_off,
        max_retry_after: after?.map(crate::Period::duration),
        max_body: max_body.unwrap_or(REPLAYED_BODY),
        attempts: *attempts,
        on: on.clone(),
        methods: methods?,
        per_try_timeout: per_try_timeout?.map(crate::Period::duration),
        hedge: *hedge,
        other_localities: *other_localities,
    })
}
