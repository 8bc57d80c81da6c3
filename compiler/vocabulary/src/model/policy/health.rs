//! `health`: checks of endpoints that do not wait for requests.

use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};

use crate::model::Protocol;

/// How callers find out whether an endpoint answers. Without it, they learn from their requests only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Where it is declared.
    pub origin: Origin,
    /// What is asked.
    pub check: Spanned<HealthCheck>,
    /// The time between the answer to one check and the next check.
    pub interval: Duration,
    /// How long one check may take.
    pub timeout: Duration,
    /// So many failed checks in a row make an endpoint unhealthy.
    pub unhealthy: u32,
    /// So many passed checks in a row make it healthy again.
    pub healthy: u32,
}

/// What is asked of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthCheck {
    /// Nothing, whatever policies of outer scopes ask.
    Off,
    /// A GET request, answered with 200 to 399.
    Http {
        /// Its path.
        path: String,
    },
    /// A call of `grpc.health.v1.Health/Check`, answered with `SERVING`.
    Grpc {
        /// The service that is asked about; empty: the server as a whole.
        service: String,
    },
    /// A connection, and what is said on it.
    Tcp {
        /// What is sent.
        send: Option<String>,
        /// What must be received.
        receive: Option<String>,
    },
}

impl HealthCheck {
    /// Whether it can be asked at a port that carries this. What would send bytes past the rules about requests cannot be
    /// asked where there are such rules.
    #[must_use]
    pub fn suits(&self, protocol: Protocol) -> bool {
        match (self, protocol) {
            // What passes on TLS that it does not end can be asked nothing; only hosts outside have such ports.
            (Self::Off, _) | (_, Protocol::Tls) => false,
            (Self::Http { path: _ }, Protocol::Http | Protocol::Http2 | Protocol::Grpc)
            | (Self::Grpc { service: _ }, Protocol::Http2 | Protocol::Grpc)
            | (Self::Tcp { send: _, receive: _ }, Protocol::Tcp)
            | (Self::Tcp { send: None, receive: None }, _) => true,
            (Self::Http { path: _ }, Protocol::Tcp)
            | (Self::Grpc { service: _ }, Protocol::Http | Protocol::Tcp)
            | (Self::Tcp { send: _, receive: _ }, Protocol::Http | Protocol::Http2 | Protocol::Grpc) => false,
        }
    }
}
