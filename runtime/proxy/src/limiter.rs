//! The question that is asked of whoever counts for the whole cluster, and the client that asks it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::balance::{Prefer, Tried, pick};
use crate::connect::connect_for_itself;
use crate::upstream::Upstream;
use meshd_config::{EndpointHost, RateLimitService};
use meshd_rate_limit::{Decision, Descriptor, Quota, RateLimitClient};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// One question: may this request pass?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The domain of the descriptors.
    pub domain: String,
    /// Each descriptor is a list of keys with their values, outermost first.
    pub descriptors: Vec<Vec<(String, String)>>,
}

/// The answer to a question, with the limit that matters most if the service names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request may pass.
    Within(Option<Quota>),
    /// At least one descriptor is over its limit.
    Over(Option<Quota>),
}

/// An answer that is on its way. An error is a sentence about why there is none.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Verdict, String>> + Send + 'a>>;

/// Whoever counts for the whole cluster.
pub trait Limiter: Send + Sync + std::fmt::Debug {
    /// Counts the request and says whether it may pass. The caller bounds the time.
    fn ask(&self, question: Question) -> Answer<'_>;
}

/// The rate-limit service of Envoy's protocol.
#[derive(Debug)]
pub(crate) struct Service(RateLimitClient);

/// The client's own bound; every limit has a shorter one of its own.
const LONGEST: Duration = Duration::from_secs(10);

impl Service {
    /// A client of the service. Its connection lives on the runtime that this is called on, and is opened by the
    /// first question, so a service that is down is no error here.
    pub(crate) fn new(service: &RateLimitService) -> Result<Self, String> {
        let RateLimitService { host, port } = service;
        let endpoint = match host {
            EndpointHost::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
            EndpointHost::Address(address) => format!("{address}:{port}"),
            EndpointHost::Name(name) => format!("{name}:{port}"),
        };
        RateLimitClient::new(&endpoint, LONGEST).map(Service).map_err(|error| error.to_string())
    }

    /// A client of a service that is an upstream: each connection goes to its next endpoint.
    pub(crate) fn over(upstream: &Arc<Upstream>) -> Self {
        let upstream = Arc::clone(upstream);
        let connect = move || {
            let picked = pick(&upstream, &mut Tried::default(), Prefer::AnotherEndpoint);
            async move {
                let picked = picked.ok_or_else(|| io::Error::other("no endpoint is known"))?;
                connect_for_itself(&picked).await.map_err(|failure| io::Error::other(failure.message))
            }
        };
        Service(RateLimitClient::over(connect, LONGEST))
    }
}

/// How long a service may take to be connected to before anybody needs it.
const GREETING: Duration = Duration::from_secs(1);

/// The pause before a service that did not answer is greeted again.
const GREET_AGAIN: Duration = Duration::from_millis(500);

/// Asks about nothing that anybody limits, so that the connection is there before the first request needs it: resolving
/// the name and connecting may take longer than a limit's timeout, and the first requests would slip by. A service that
/// is not there yet is greeted again until it is, or until nobody uses it any more.
pub(crate) async fn greet(limiter: &Arc<Box<dyn Limiter>>) {
    if answers(limiter.as_ref().as_ref()).await {
        return;
    }
    let absent = Arc::downgrade(limiter);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(GREET_AGAIN).await;
            let Some(limiter) = absent.upgrade() else { return };
            if answers(limiter.as_ref().as_ref()).await {
                return;
            }
        }
    });
}

async fn answers(limiter: &dyn Limiter) -> bool {
    let descriptors = vec![vec![(String::from("greeting"), String::from("hello"))]];
    let question = Question { domain: "meshd".into(), descriptors };
    matches!(tokio::time::timeout(GREETING, limiter.ask(question)).await, Ok(Ok(_)))
}

impl Limiter for Service {
    fn ask(&self, question: Question) -> Answer<'_> {
        Box::pin(async move {
            let descriptors: Vec<Descriptor> =
                question.descriptors.into_iter().map(|entries| Descriptor { entries }).collect();
            match self.0.should_limit(&question.domain, &descriptors, 1).await {
                Decision::Ok { quota } => Ok(Verdict::Within(quota)),
                Decision::OverLimit { quota } => Ok(Verdict::Over(quota)),
                Decision::Error(failure) => Err(failure.to_string()),
            }
        })
    }
}
