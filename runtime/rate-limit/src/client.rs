//! The client: asks a rate-limit service whether a request may pass, and never takes longer than its timeout.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};

use crate::protocol::{self, Client};
use crate::{Descriptor, Quota};

/// Connections that stay silent this long are probed, and closed if the probe is not answered: a peer that vanished
/// without closing would otherwise cost every request its timeout until TCP gives up.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// A client of one rate-limit service.
///
/// It holds one HTTP/2 connection, opened by the first question and opened again after it broke, and multiplexes all
/// questions over it. Clones share the connection. A proxy makes one client per worker, inside the worker's tokio
/// runtime, and keeps it.
#[derive(Clone, Debug)]
pub struct RateLimitClient {
    client: Client,
    timeout: Duration,
}

/// What the service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may pass.
    Ok {
        /// The limit with the fewest requests left, if the service knows one for any descriptor.
        quota: Option<Quota>,
    },
    /// One of the descriptors is over its limit.
    OverLimit {
        /// The limit that is exceeded, if the service names it.
        quota: Option<Quota>,
    },
    /// There is no answer; the policy's `on_error` decides.
    Error(Failure),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The timeout passed.
    #[error("the rate-limit service did not answer in time")]
    Timeout,
    /// The service cannot be reached, refused the question, or lost its counters.
    #[error("the rate-limit service failed: {0}")]
    Unavailable(String),
}

/// An endpoint that is not `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{endpoint}` is not a `host:port` of a rate-limit service")]
pub struct InvalidEndpoint {
    /// What was given.
    pub endpoint: String,
}

impl RateLimitClient {
    /// A client of the service at `endpoint` (`host:port`, IPv6 addresses in brackets) that waits at most `timeout`
    /// for each answer, connecting included. Nothing is connected yet, so a service that is down is no error here.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if `endpoint` is not `host:port`.
    ///
    /// # Panics
    /// Outside of a tokio runtime: the connection's task is spawned on the runtime that the caller runs in.
    pub fn new(endpoint: &str, timeout: Duration) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint { endpoint: endpoint.to_owned() };
        let (host, port) = endpoint.rsplit_once(':').ok_or_else(invalid)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(invalid());
        }
        // A port alone would also pass in a URL with a path or a scheme of its own.
        endpoint.parse::<http::uri::Authority>().map_err(|_| invalid())?;
        let channel: Channel = Endpoint::from_shared(format!("http://{endpoint}"))
            .map_err(|_| invalid())?
            .connect_timeout(timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PROBE_EVERY)
            .keep_alive_timeout(PROBE_EVERY)
            .connect_lazy();
        Ok(Self { client: protocol::client(channel), timeout })
    }

    /// The same of a service to which whoever asks connects by himself, over TLS: `connect` is called for each connection.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`RateLimitClient::new`].
    pub fn over<Connect, Connecting, Stream>(connect: Connect, timeout: Duration) -> Self
    where
        Connect: Fn() -> Connecting + Send + 'static,
        Connecting: Future<Output = io::Result<Stream>> + Send + 'static,
        Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // The name is only what requests say; nobody looks it up.
        let channel = Endpoint::from_static("https://rate-limit")
            .connect_timeout(timeout)
            .http2_keep_alive_interval(PROBE_EVERY)
            .keep_alive_timeout(PROBE_EVERY)
            .connect_with_connector_lazy(Connector(connect));
        Self { client: protocol::client(channel), timeout }
    }

    /// Asks whether a request with these descriptors may pass, and counts it as `hits` in each of them. All
    /// descriptors are counted; the request is over the limit if any of them is.
    pub async fn should_limit(&self, domain: &str, descriptors: &[Descriptor], hits: u32) -> Decision {
        let question = protocol::question(domain, descriptors, hits, self.timeout);
        // Cloning is cheap: it copies handles of the one connection.
        let mut client = self.client.clone();
        match timeout(self.timeout, client.should_rate_limit(question)).await {
            Err(_elapsed) => Decision::Error(Failure::Timeout),
            Ok(Err(status)) => Decision::Error(protocol::failure(&status)),
            Ok(Ok(response)) => protocol::decision(response.into_inner()),
        }
    }
}

/// Connections that somebody else opens, as the library asks for them.
struct Connector<Connect>(Connect);

impl<Connect, Connecting, Stream> Service<http::Uri> for Connector<Connect>
where
    Connect: Fn() -> Connecting,
    Connecting: Future<Output = io::Result<Stream>> + Send + 'static,
    Stream: AsyncRead + AsyncWrite,
{
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let connecting = (self.0)();
        Box::pin(async move { connecting.await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    async fn ask(endpoint: &str) -> Decision {
        let client = RateLimitClient::new(endpoint, SHORT).unwrap();
        client.should_limit("shop", &[Descriptor::one("header_match", "gold_request")], 1).await
    }

    #[tokio::test]
    async fn endpoints_are_host_and_port() {
        for wrong in ["", "host", ":8081", "host:", "host:http", "http://host:1", "host:1/path", "ho st:1"] {
            assert!(RateLimitClient::new(wrong, SHORT).is_err(), "{wrong:?} was accepted");
        }
        for right in ["127.0.0.1:8081", "[::1]:8081", "rate-limit.mesh-system.svc.cluster.local.:8081"] {
            assert!(RateLimitClient::new(right, SHORT).is_ok(), "{right:?} was refused");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_down_is_an_error_at_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(ask(&free.to_string()).await, Decision::Error(Failure::Unavailable(_))));
    }

    /// The listener's queue accepts the connection, but nobody ever speaks.
    #[tokio::test]
    async fn a_service_that_hangs_is_an_error_after_the_timeout() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = silent.local_addr().unwrap().to_string();
        assert_eq!(ask(&endpoint).await, Decision::Error(Failure::Timeout));
    }
}
