//! What a proxy connects to.

use std::net::IpAddr;
use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{OutsideTls, SpiffeId};

use crate::{Locality, ProxyName};

/// A callee port, the application, or a service of the mesh itself.
#[derive(Clone, Debug, Hash)]
pub struct Upstream {
    /// Its name, unique in the proxy: `catalog.istioinaction:80`, `app:8080`, `rate-limit`.
    pub name: String,
    /// What is spoken on its connections.
    pub protocol: UpstreamProtocol,
    /// Groups of endpoints in order of preference: a later group takes over only when every earlier one has no
    /// endpoint left. Never empty. One group's ejections never touch another's.
    pub groups: Vec<Group>,
    /// When a group hands on requests to the next one.
    pub spill: Spill,
    /// Which of their answers are failures.
    pub failing_answers: FailingAnswers,
    /// TLS towards the endpoints; `None`: plain.
    pub tls: Option<UpstreamTls>,
    /// How each endpoint is checked, if it is; over mTLS.
    pub health: Option<HealthPlan>,
    /// Connection pools and circuit breakers, over all groups.
    pub pool: PoolPlan,
    /// Where it comes from: the callee's port, not one of its many calls.
    pub origin: Origin,
}

/// What is spoken on an upstream's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpstreamProtocol {
    /// HTTP/1.1 or HTTP/2, as the downstream speaks; ALPN is left to the proxy.
    HttpLikeDownstream,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Bytes.
    Tcp,
}

/// When a group hands on requests to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spill {
    /// When it has no endpoint left.
    WhenEmpty,
    /// When fewer than five in seven of its endpoints are left: it keeps 1.4 times the share that is left.
    ByShare,
}

impl Spill {
    /// How many percent of its requests a group keeps for each percent of its endpoints that is left, times a hundred.
    /// One healthy endpoint of a thousand is to keep all of them where nothing is handed on before. Source of the other
    /// number: Envoy's default.
    #[must_use]
    pub const fn overprovisioning(self) -> u32 {
        match self {
            Self::WhenEmpty => 100_000,
            Self::ByShare => 140,
        }
    }
}

/// Endpoints of one locality.
#[derive(Clone, Debug, Hash)]
pub struct Group {
    /// The cluster the pods run in: the group's name within the upstream.
    pub name: String,
    /// Where the pods run.
    pub locality: Locality,
    /// The endpoints; never empty.
    pub endpoints: Vec<Endpoint>,
    /// Which of them gets the next request or connection.
    pub balance: GroupBalance,
    /// How failing endpoints are ejected.
    pub ejection: Ejection,
    /// Requests on one connection before it is replaced; `None`: unbounded.
    pub requests_per_connection: Option<u32>,
}

/// Which endpoint of a group gets the next request or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBalance {
    /// All in turn, by weight.
    RoundRobin {
        /// How long a new endpoint's share grows, from a tenth.
        slow_start: Option<Duration>,
    },
    /// Of two at random, the one with fewer requests under way.
    LeastRequest {
        /// How long a new endpoint's share grows, from a tenth.
        slow_start: Option<Duration>,
    },
    /// Any, at random.
    Random,
    /// What has the same hash goes to the same one; what has none, to any. See [`crate::HttpAction::Forward`] for the
    /// property of requests that is hashed.
    Hash {
        /// Points of the ring, at least.
        ring: u32,
    },
}

impl GroupBalance {
    /// In turn, and at once.
    pub const EVENLY: Self = Self::RoundRobin { slow_start: None };
}

/// How endpoints are checked. One that was never checked is unhealthy, and healthy if it passes its first check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthPlan {
    /// What is asked.
    pub check: CheckPlan,
    /// The SNI of checks.
    pub sni: String,
    /// The host of requests: the callee.
    pub host: String,
    /// From the answer to one check to the next check; up to a tenth is added at random.
    pub interval: Duration,
    /// How long a check may take, the connection included.
    pub timeout: Duration,
    /// So many failed checks in a row make an endpoint unhealthy.
    pub unhealthy: u32,
    /// So many passed checks in a row make it healthy again.
    pub healthy: u32,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckPlan {
    /// `GET` of this path over HTTP/1.1, answered with 200 to 399.
    Http {
        /// The path.
        path: String,
    },
    /// `grpc.health.v1.Health/Check`, answered with `SERVING`.
    Grpc {
        /// The service that is asked about; may be empty.
        service: String,
    },
    /// A connection, over which these bytes go.
    Tcp {
        /// What is sent.
        send: Option<String>,
        /// What has to be among what is received.
        receive: Option<String>,
    },
}

/// One address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The declared address; a name may resolve to several pods.
    pub address: EndpointAddress,
    /// The port.
    pub port: u16,
    /// Relative weight, at least 1.
    pub weight: u32,
    /// How often the endpoint is listed, at least 1: a gateway's is repeated so that HTTP/2 opens several
    /// connections to it and remote pods share evenly.
    pub copies: u32,
    /// Who answers there.
    pub serves: Serves,
}

/// The declared address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointAddress {
    /// An IP address.
    Ip(IpAddr),
    /// A fully qualified DNS name without its final dot; resolvers must not apply search domains.
    Name(String),
}

/// Who answers at an endpoint: how a placement finds its local address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serves {
    /// A listener of another proxy of the mesh.
    Proxy {
        /// The proxy.
        proxy: ProxyName,
        /// The listener's name.
        listener: String,
    },
    /// The application beside this proxy.
    App,
    /// The rate-limit service of the proxy's cluster.
    RateLimit,
    /// A host outside the mesh.
    External {
        /// `namespace.name`, as it is declared.
        external: String,
        /// The number by which callers know the port.
        number: u16,
    },
}

/// Which answers are failures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FailingAnswers {
    /// 502, 503 and 504 (gRPC: UNAVAILABLE): what proxies and overloaded applications answer.
    GatewayErrors,
    /// Every status from 500 to 599 (gRPC: the statuses that stand for them).
    ServerErrors,
    /// Those in one of these ranges, both ends included.
    Statuses(Vec<(u16, u16)>),
}

/// How failing endpoints of a group are ejected. All of them may be. An ejection never refuses a request: when every
/// endpoint of every group is ejected, all are tried.
///
/// A request that takes longer than its timeout is the client's doing as often as the endpoint's, so timeouts never
/// count in a row: only where they are nearly all that an endpoint gives in an interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ejection {
    /// Never: the application itself, the rate-limit service, what a policy exempts.
    Never,
    /// Pods that answer requests.
    Pods {
        /// What ejects one of them.
        judged: PodFailures,
        /// How many of a hundred may be ejected at once, rounded down.
        most: u32,
        /// For how long, and how often it is looked.
        timing: EjectionTiming,
    },
    /// A gateway that passes requests through to several pods: a failure may be one pod's, so only nearly all of them
    /// eject it.
    Gateway {
        /// So many failed connections in a row eject at once, where the data plane can tell them from timeouts.
        consecutive_connections: u32,
        /// Failures of any kind: failing answers, failed connections, resets, timeouts.
        failed: Share,
        /// For how long, and how often it is looked.
        timing: EjectionTiming,
    },
    /// Endpoints to which only connections are opened: for TCP, and for what a gateway passes through.
    Connections {
        /// So many failed connections in a row eject at once.
        consecutive: u32,
        /// For how long, and how often it is looked.
        timing: EjectionTiming,
    },
}

/// What ejects a pod. Envoy's counters are shared, so it is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodFailures {
    /// Failures in a row.
    InARow {
        /// So many failing answers in a row eject at once, and so do failed connections where the data plane can tell
        /// them from timeouts.
        consecutive: u32,
        /// Attempts without any answer: failed connections, resets, timeouts.
        unanswered: Share,
    },
    /// Failures of any kind: failing answers, failed connections, resets, timeouts.
    ByShare {
        /// How many.
        failed: Share,
    },
    /// A rate of successes below that of the others.
    Compared {
        /// By so many thousandths of the standard deviation below the mean.
        deviation: u32,
        /// Of those with at least so many attempts in the interval.
        attempts: u32,
        /// If they are at least so many.
        endpoints: u32,
    },
}

/// The share of failures in one interval that ejects an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// At least so many of a hundred.
    pub percent: u32,
    /// Out of at least so many.
    pub attempts: u32,
}

/// When ejections begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EjectionTiming {
    /// How often it is looked: shares are judged and ejected endpoints return only then.
    pub interval: Duration,
    /// How long an ejection lasts at least; it does not grow.
    pub ejection: Duration,
}

/// TLS towards endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamTls {
    /// mTLS towards the callee's sidecar, TLS 1.3 only.
    Mutual {
        /// The SNI.
        sni: String,
        /// The identities that the callee may prove, in order; never empty.
        peers: Vec<SpiffeId>,
    },
    /// TLS towards a host outside the mesh. Its Secrets are mounted below [`crate::paths::OUTSIDE_TLS`].
    Outside(OutsideTls),
}

/// Connection pools and circuit breakers of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolPlan {
    /// Open connections.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: u32,
    /// Requests under way.
    pub max_requests: u32,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// Share of active requests that may be retries, in percent.
    pub retry_budget_percent: u32,
    /// Retries under way that are always allowed.
    pub min_concurrent_retries: u32,
}
