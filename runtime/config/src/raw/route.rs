//! Routes: which request goes where, and what may be tried when that fails.

use super::filter::Filter;
use super::{Answer, Entrance, Limit, is_default};
use crate::Period;
use serde::{Deserialize, Serialize};

/// The routes of some hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualHost {
    /// The name in logs and metrics.
    pub name: String,
    /// Exact names, `*.suffix`, or `*`; without a port, which is ignored when matching. The longest match wins.
    pub hosts: Vec<String>,
    /// Who may send requests that one of its routes takes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entrance: Entrance,
    /// Limits of the requests that one of its routes takes, all of them together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Vec<Limit>,
    /// The first route that matches is taken; none is 404.
    pub routes: Vec<Route>,
}

/// Where matching requests go: `to` upstreams, or nowhere with an `answer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The name in logs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: String,
    /// What it matches; empty matches every request.
    #[serde(default, rename = "match", skip_serializing_if = "is_default")]
    pub matching: RequestMatch,
    /// The upstreams, of which one is chosen by weight.
    #[serde(default, skip_serializing_if = "is_default")]
    pub to: Vec<WeightedUpstream>,
    /// The properties that decide together which endpoint gets a request, in groups that are balanced by hash.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hash: Vec<HashKey>,
    /// What this proxy answers by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Whether the others take the share of an upstream of which no endpoint is left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failover: bool,
    /// How long the whole exchange may take, retries included; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// How long neither side may send anything; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// When to try again; absent means only once, on another endpoint, after a failed connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What a request may change to; absent means nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upgrades: Vec<Upgrade>,
    /// Whether a request ends with the time that it names itself (`grpc-timeout`), and passes on what is left of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grpc_deadlines: bool,
    /// What is done with each request, in order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filters: Vec<Filter>,
}

/// The property of a request that decides which endpoint gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HashKey {
    /// All lines of the header of this name, in any order.
    Header(String),
    /// A cookie.
    Cookie(CookieKey),
    /// The client's address, told by as many proxies before this one as are trusted.
    Source {
        /// How many.
        trusted_hops: u32,
    },
    /// The first parameter of the query of this name, as it is sent.
    Query(String),
}

/// A cookie that decides which endpoint gets a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CookieKey {
    /// Its name.
    pub name: String,
    /// How long one lives that is set with the answer to a request without it; absent means that none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<CookieLife>,
}

/// How long a cookie lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CookieLife {
    /// Until the client ends.
    Session,
    /// So long, in whole seconds.
    For(Period),
}

/// A protocol that a request may change to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upgrade {
    /// WebSocket (RFC 6455; RFC 8441 over HTTP/2).
    WebSocket,
}

/// An upstream and its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedUpstream {
    /// The upstream's name.
    pub upstream: String,
    /// Its share relative to the others; absent means 1, 0 means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

/// Properties of a request; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestMatch {
    /// The normalised path without the query; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// Methods of those that are forwarded; none means any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub methods: Vec<String>,
    /// Headers, all of which must match.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<HeaderMatch>,
    /// Parameters of the query, all of which must match.
    #[serde(default, skip_serializing_if = "is_default")]
    pub queries: Vec<QueryMatch>,
    /// What may not hold, none of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not: Vec<NotMatch>,
}

/// A condition that may not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NotMatch {
    /// The path.
    Path(PathMatch),
    /// The method is one of these.
    Methods(Vec<String>),
}

/// A match on the normalised path without the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PathMatch {
    /// This path.
    Exact(String),
    /// This path, and every path below it: `/items` matches `/items` and `/items/1`, not `/itemsfoo`.
    Prefix(String),
    /// Every path whose text begins so: `/items` matches `/itemsfoo`.
    StartsWith(String),
    /// Every path that this regular expression matches as a whole.
    Regex(String),
}

/// A match on one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// The header's name, in any case.
    pub name: String,
    /// Whether no line of the header may match, instead of one that must.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not: bool,
    /// What its value must be.
    pub value: ValueMatch,
}

/// A match on one parameter of the query, which is compared as it is sent, escapes included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryMatch {
    /// The parameter's name.
    pub name: String,
    /// Whether no parameter of this name may match, instead of one that must.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not: bool,
    /// What its value must be; without an equals sign it is empty.
    pub value: QueryValue,
}

/// A match on a parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum QueryValue {
    /// Any value, but the parameter must be there.
    Present,
    /// This value.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// A value that this regular expression matches as a whole.
    Regex(String),
}

/// A match on a header's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueMatch {
    /// This value, case included.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// A value that this regular expression matches as a whole.
    Regex(String),
    /// Any value, but the header must be there.
    Present,
}

/// When and how often a failed request is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many times, on top of the first attempt; 0 is never, whatever failed.
    pub attempts: u32,
    /// After which failures.
    pub on: Vec<RetryOn>,
    /// Methods that are tried again once an application may have seen the request; `*` is every method. A connection that
    /// could not be made is tried again for every method.
    pub methods: Vec<String>,
    /// How long one attempt may take; absent means as long as the route's timeout leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<Period>,
    /// Whether an attempt that takes longer goes on beside the next one, and the first answer of any counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hedge: bool,
    /// How long an endpoint that has the whole request may be silent in one attempt; absent means as long as the route lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_try_idle: Option<Period>,
    /// How long is waited at most before the first attempt that follows an answer; absent means 25ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_off: Option<Period>,
    /// Where that stops to grow; absent means ten times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_back_off: Option<Period>,
    /// The longest wait that an answer may ask for (`retry-after`, `x-ratelimit-reset`); absent means that none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retry_after: Option<Period>,
    /// How much of a request's body is kept for another attempt, in bytes; absent means 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u64>,
    /// Whether the next attempt goes to the next group at once, instead of another endpoint of the same group.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_localities: bool,
}

/// A failure after which a request is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RetryOn {
    /// The connection could not be made.
    ConnectFailure,
    /// The connection ended before an answer began.
    Reset,
    /// Any answer from 500 to 599, and every failure without an answer.
    #[serde(rename = "5xx")]
    ServerError,
    /// 502, 503 or 504.
    GatewayError,
    /// One of these statuses.
    Status(Vec<u16>),
    /// One of these statuses of gRPC, which come in a header beside 200.
    Grpc(Vec<GrpcStatus>),
}

/// The statuses of gRPC that may be worth another attempt. Source: gRPC's status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrpcStatus {
    /// 1.
    Cancelled,
    /// 4.
    DeadlineExceeded,
    /// 8.
    ResourceExhausted,
    /// 13.
    Internal,
    /// 14.
    Unavailable,
}
