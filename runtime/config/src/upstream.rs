//! Upstreams as the proxy uses them: numbers in range, addresses parsed.

use crate::{Origination, SpiffeId};
use std::net::IpAddr;
use std::time::Duration;

pub use crate::raw::{Balance, Check, Compared, FailingAnswers, Protocol, Spill};

/// Somewhere to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The protocol spoken to it over HTTP.
    pub protocol: Protocol,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// Groups in order of preference.
    pub groups: Vec<Group>,
    /// When a group hands on requests to the next one.
    pub spill: Spill,
    /// How its endpoints are checked.
    pub health: Option<Health>,
    /// Its limits.
    pub pool: Pool,
    /// How many retries may run at once.
    pub retry_budget: RetryBudget,
}

/// Endpoints that are equally good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name in logs and metrics.
    pub name: String,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Which of them gets the next request or connection.
    pub balance: Balance,
    /// How long the share of an endpoint that is new grows.
    pub slow_start: Option<Duration>,
    /// When an endpoint is left out for a while.
    pub outlier: Option<Outlier>,
    /// Mutual TLS towards the endpoints.
    pub tls: Option<Tls>,
    /// TLS towards servers outside the mesh; never beside `tls`.
    pub origination: Option<Origination>,
    /// Requests on one connection before it is replaced; `None` is no bound.
    pub requests_per_connection: Option<u32>,
}

/// One endpoint, or all those behind one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub host: EndpointHost,
    /// The port.
    pub port: u16,
    /// Its share, at least 1.
    pub weight: u32,
    /// How many times it is listed, at least 1.
    pub repeat: u32,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointHost {
    /// At this address.
    Address(IpAddr),
    /// At the addresses of this complete name, held in lower case and with its final dot.
    Name(String),
}

/// When an endpoint is left out for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlier {
    /// Which answers are failures.
    pub failing_answers: FailingAnswers,
    /// How many failing answers in a row eject, at least 1.
    pub consecutive_answers: Option<u32>,
    /// How many failed connections in a row eject, at least 1.
    pub consecutive_connections: Option<u32>,
    /// The share of failures in one interval that ejects.
    pub failing_share: Option<FailingShare>,
    /// How much worse than the others an endpoint has to be in one interval.
    pub compared: Option<Compared>,
    /// How many of a hundred endpoints may be ejected at once; `None` is all.
    pub max_ejected: Option<u32>,
    /// How often shares are judged and ejected endpoints return.
    pub interval: Duration,
    /// How long an ejection lasts at least.
    pub ejection: Duration,
}

/// A share of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailingShare {
    /// At least so many of a hundred attempts, from 1 to 100.
    pub percent: u32,
    /// Out of at least so many in the interval, at least 1.
    pub attempts: u32,
    /// Whether failing answers count, beside attempts without an answer.
    pub answers: bool,
}

/// Checks of each endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// The SNI of checks.
    pub sni: String,
    /// From the answer to one check to the next one, but for what is added at random.
    pub interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// How many failed checks in a row make an endpoint unhealthy, at least 1.
    pub unhealthy: u32,
    /// How many passed checks in a row make it healthy again, at least 1.
    pub healthy: u32,
}

/// Mutual TLS towards endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The SNI to send.
    pub sni: String,
    /// The SPIFFE ids of which the endpoint must prove one; never empty.
    pub peers: Vec<SpiffeId>,
}

/// The limits of an upstream, summed over its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Connections.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending: u32,
    /// Requests in flight.
    pub max_requests: u32,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
}

/// How many retries may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Percent of the active requests.
    pub percent: u32,
    /// The number that may always run.
    pub min_concurrency: u32,
}

impl Group {
    /// The names that must be resolved before this group has all its endpoints.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().filter_map(|endpoint| match &endpoint.host {
            EndpointHost::Address(_) => None,
            EndpointHost::Name(name) => Some(name.as_str()),
        })
    }
}
