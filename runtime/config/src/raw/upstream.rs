//! Upstreams: groups of endpoints in order of preference, and how they are treated.

use super::{TlsVersion, is_default};
use crate::Period;
use serde::{Deserialize, Serialize};

/// Somewhere to send to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The protocol spoken to it over HTTP; absent means the one that the client speaks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Period,
    /// Groups in order of preference: the first with a usable endpoint gets the request, unless it hands it on.
    pub groups: Vec<Group>,
    /// When a group hands on requests to the next one; absent means when it has no usable endpoint.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spill: Spill,
    /// How its endpoints are checked; absent means that only requests tell how they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Its limits.
    pub pool: Pool,
    /// How many retries may run at once; absent means 20 % of the active requests, and never fewer than 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudget>,
}

/// When a group hands on requests to the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spill {
    /// When it has no usable endpoint.
    #[default]
    WhenEmpty,
    /// When fewer than five in seven are usable: it keeps 1.4 times the share that is.
    ByShare,
}

/// The HTTP version spoken to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// What the client speaks.
    #[default]
    Downstream,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, without upgrade when there is no TLS.
    Http2,
}

/// Endpoints that are equally good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name in logs and metrics, usually the cluster's, unique in its upstream.
    pub name: String,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Which of them gets the next request or connection; absent means all in turn.
    #[serde(default, skip_serializing_if = "is_default")]
    pub balance: Balance,
    /// How long an endpoint that is new takes to get its full share, from a tenth of it; absent means no time. In turn
    /// and by load only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<Period>,
    /// When an endpoint is left out for a while; absent means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier: Option<Outlier>,
    /// Mutual TLS towards the endpoints; absent means plaintext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// TLS towards the endpoints as towards any server; absent means none. Not together with `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origination: Option<Origination>,
    /// Requests on one connection before it is replaced; absent means no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_connection: Option<u32>,
}

/// Which endpoint gets the next request or connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// All in turn, by weight.
    #[default]
    RoundRobin,
    /// Of two at random by weight, the one with fewer requests under way.
    LeastRequest,
    /// Any, at random by weight.
    Random,
    /// By the hash of what the request's route names; without it, at random.
    Hash,
}

/// One endpoint, or all those behind one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// An address, or a name, which is complete: no search domains are appended, with or without a final dot.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Its share relative to the others; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// How many times it is listed, so that as many connections are spread behind it; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
}

/// When an endpoint is left out for a while. When all endpoints of all groups are, all are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outlier {
    /// Which answers are failures.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failing_answers: FailingAnswers,
    /// How many failing answers in a row eject; absent means that they do not count in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_answers: Option<u32>,
    /// How many failed connections in a row eject; absent means that they do not count in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_connections: Option<u32>,
    /// The share of failures in one interval that ejects; absent means that shares are not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_share: Option<FailingShare>,
    /// How much worse than the others an endpoint has to be in one interval; absent means that they are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// How many of a hundred endpoints of the group may be ejected at once, rounded down; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ejected: Option<u32>,
    /// How often shares are judged and ejected endpoints return.
    pub interval: Period,
    /// How long an ejection lasts at least.
    pub ejection: Period,
}

/// Which answers are failures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailingAnswers {
    /// None.
    #[default]
    None,
    /// 502, 503 and 504; of gRPC's statuses UNAVAILABLE.
    GatewayErrors,
    /// From 500 to 599; of gRPC's statuses those that stand for them, except DEADLINE_EXCEEDED, since a client chooses
    /// its deadline.
    #[serde(rename = "5xx")]
    ServerErrors,
    /// Those in one of these ranges, both ends included; of gRPC's statuses those that stand for them.
    Statuses(Vec<(u16, u16)>),
}

/// A rate of successes below that of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// By so many thousandths of the standard deviation below the mean.
    pub deviation: u32,
    /// Of those with at least so many attempts in the interval, at least 1.
    pub attempts: u32,
    /// If they are at least so many, at least 2.
    pub endpoints: u32,
}

/// A share of failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailingShare {
    /// At least so many of a hundred attempts, from 1 to 100.
    pub percent: u32,
    /// Out of at least so many in the interval.
    pub attempts: u32,
    /// Whether failing answers count, beside attempts without an answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answers: bool,
}

/// Checks of each endpoint, over mutual TLS. One that was never checked is unhealthy; it is healthy if it passes its first
/// check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// The SNI of checks.
    pub sni: String,
    /// From the answer to one check to the next one; up to a tenth is added at random.
    pub interval: Period,
    /// How long a check may take, the connection included.
    pub timeout: Period,
    /// How many failed checks in a row make an endpoint unhealthy, at least 1.
    pub unhealthy: u32,
    /// How many passed checks in a row make it healthy again, at least 1.
    pub healthy: u32,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// A GET request over HTTP/1.1, answered with 200 to 399.
    Http {
        /// Its host.
        host: String,
        /// Its path.
        path: String,
    },
    /// A call of `grpc.health.v1.Health/Check`, answered with `SERVING`.
    Grpc {
        /// Its host.
        host: String,
        /// The service that is asked about; absent means the server as a whole.
        #[serde(default, skip_serializing_if = "is_default")]
        service: String,
    },
    /// A connection, and what is said on it.
    Tcp {
        /// What is sent; absent means nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        send: Option<String>,
        /// What has to be among the first 64 KiB that are received; absent means nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receive: Option<String>,
    },
}

/// Mutual TLS towards endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The SNI to send.
    pub sni: String,
    /// The SPIFFE ids of which the endpoint must prove one.
    pub peers: Vec<String>,
}

/// TLS towards servers outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origination {
    /// The SNI to send.
    pub sni: String,
    /// The DNS names of which the server's certificate must be for one.
    pub names: Vec<String>,
    /// File with the roots that its certificate descends from.
    pub ca: String,
    /// The certificate that is shown to it; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<KeyPair>,
    /// The oldest version that is spoken; absent means 1.2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub min_version: TlsVersion,
}

/// Files with a certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// The chain.
    pub certificate: String,
    /// The key.
    pub private_key: String,
}

/// The limits of an upstream, summed over its groups. What exceeds them is answered with 503 at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Connections.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending: u32,
    /// Requests in flight.
    pub max_requests: u32,
    /// How long an unused connection is kept; absent means an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
}

/// How many retries may run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Percent of the active requests, from 0 to 100.
    pub percent: u32,
    /// The number that may always run.
    pub min_concurrency: u32,
}
