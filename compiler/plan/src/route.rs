//! HTTP routing.

use std::sync::Arc;
use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::answer::Scheme;
use meshc_vocabulary::model::policy::{BackOff, GrpcStatus, HashKey};
use meshc_vocabulary::model::{DeadShare, HttpMatch, Upgrade};

use crate::filter::{Filter, PathChange};
use crate::{Entrance, Limit};

/// Routes for a set of host names.
#[derive(Clone, Debug, Hash)]
pub struct VirtualHost {
    /// Its name, unique in the listener.
    pub name: String,
    /// Host names in lower case without port, whatever port a request names beside them; `*.example.org` matches any
    /// one or more leading labels, `*` everything.
    pub hosts: Arc<[String]>,
    /// Who may send requests that one of its routes takes.
    pub entrance: Entrance,
    /// Limits of the requests that one of its routes takes, all of them together: counted after it is clear who may ask,
    /// before anything else is done.
    pub limits: Vec<Limit>,
    /// Ordered; the first that matches wins. No match is answered with 404.
    pub routes: Vec<HttpRoute>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One route.
#[derive(Clone, Debug, Hash)]
pub struct HttpRoute {
    /// Which requests.
    pub matches: HttpMatch,
    /// What is done with each of them before it is sent on, in order.
    pub filters: Vec<Filter>,
    /// What happens to them.
    pub action: HttpAction,
    /// Where it comes from.
    pub origin: Origin,
}

/// What happens to a matched request.
#[derive(Clone, Debug, Hash)]
pub enum HttpAction {
    /// It is sent on.
    Forward {
        /// Upstreams with relative weights; never empty.
        to: Vec<WeightedUpstream>,
        /// What becomes of the share of one that is dead. Where the others take it, at most four have a weight.
        dead_share: DeadShare,
        /// What decides together which endpoint gets it, at upstreams whose groups are balanced by hash.
        hash: Vec<HashKey>,
        /// From the request's end to the answer's end; `None`: unbounded.
        timeout: Option<Duration>,
        /// How long the stream may stay silent; `None`: unbounded.
        idle_timeout: Option<Duration>,
        /// When it is sent again. Always present: without a declared retry, once on a failed connection to another
        /// host.
        retry: RetryPlan,
        /// What a request may change to.
        upgrades: Vec<Upgrade>,
        /// Whether a call of gRPC ends with the time that its client gave it.
        deadlines: Deadlines,
    },
    /// The client is told another address.
    Redirect(Redirect),
    /// The client gets an answer that is the same for every request.
    Respond(Respond),
}

impl HttpAction {
    /// Names of the upstreams that requests may go to.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        let to = match self {
            Self::Forward {
                to,
                dead_share: _,
                hash: _,
                timeout: _,
                idle_timeout: _,
                retry: _,
                upgrades: _,
                deadlines: _,
            } => to.as_slice(),
            Self::Redirect(_) | Self::Respond(_) => &[],
        };
        to.iter().map(|one| one.upstream.as_str())
    }
}

impl HttpAction {
    /// Whether the proxy answers by itself.
    #[must_use]
    pub fn answers(&self) -> bool {
        match self {
            HttpAction::Forward { .. } => false,
            HttpAction::Redirect(_) | HttpAction::Respond(_) => true,
        }
    }
}

/// Another address for the client. What is absent is as in the request, and so is the query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The host, which then has no port but the one below.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The port in the place of that of the request's host, if that has one: the usual one of the scheme.
    pub usual_port: Option<u16>,
    /// The path.
    pub path: Option<PathChange>,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Respond {
    /// The status: 200 to 599, but none of 300 to 399.
    pub status: u16,
    /// The body, possibly empty.
    pub body: String,
    /// What the body is.
    pub content_type: Option<String>,
}

/// Whether a request's own time bounds it (`grpc-timeout`, in gRPC's protocol). It never may take longer than the route's
/// timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadlines {
    /// Requests are no calls of gRPC.
    Unknown,
    /// The client's time counts, and what is left of it is passed on.
    OfGrpc,
}

/// An upstream and its share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeightedUpstream {
    /// Name of the upstream.
    pub upstream: String,
    /// Relative weight; of those of a route at least one is not 0.
    pub weight: u32,
}

/// When a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryPlan {
    /// How often; 0 is never, whatever failed.
    pub attempts: u32,
    /// What counts as a failure, each at most once, in order.
    pub when: Vec<RetryReason>,
    /// Where the next attempt goes.
    pub elsewhere: Elsewhere,
    /// Methods that may be sent again once the request may have reached an application; a connection that could not
    /// be opened is retried for every method. Upper case; empty means every method.
    pub methods: Vec<String>,
    /// How long one attempt may take, if bounded on its own.
    pub per_try_timeout: Option<Duration>,
    /// Whether an attempt that takes longer goes on beside the next one, and the first answer of any counts: for these methods,
    /// whatever counts as a failure.
    pub hedge: bool,
    /// How long an endpoint may be silent in one attempt, if bounded on its own.
    pub per_try_idle: Option<Duration>,
    /// How long is waited before an attempt that follows an answer.
    pub back_off: BackOff,
    /// The longest wait that an answer may ask for, if answers may.
    pub max_retry_after: Option<Duration>,
    /// How much of a body is kept for another attempt, in bytes.
    pub max_body: u64,
}

/// How much of a body is kept where nobody said it, in bytes, at gateways and sidecars; a larger one is sent once. Without a
/// number, Envoy keeps what a connection buffers, which differs between the two. meshd has the same.
pub const REPLAYED_BODY: u64 = 64 * 1024;

/// What counts as a failure of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetryReason {
    /// Any answer from 500 to 599, and every failure without an answer.
    ServerError,
    /// One of these statuses, in order; never empty.
    Statuses(Vec<u16>),
    /// One of these statuses of gRPC, in order, which come in a header beside 200; never empty.
    Grpc(Vec<GrpcStatus>),
    /// The connection could not be opened.
    ConnectFailure,
    /// The connection ended before an answer.
    Reset,
}

/// Where the next attempt of a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Elsewhere {
    /// To another endpoint of the only group there is.
    SameGroup,
    /// To another endpoint of the same group first; every second attempt leaves the groups that were tried.
    AfterAnotherEndpoint,
    /// To the next group at once: this was asked for, or the nearest group has a single endpoint.
    AtOnce,
}
