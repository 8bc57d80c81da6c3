//! The file as it is written: structures that mirror the JSON and refuse what they do not know.
//!
//! Nothing here is checked beyond its shape. Writers (the compiler's backend) build these and serialize them; optional
//! members are left out when absent, so a written file holds only what was decided.

mod answer;
mod authorization;
mod document;
pub mod filter;
mod limit;
mod listener;
mod route;
mod upstream;

pub use answer::{Answer, Redirect, Respond, UrlScheme};
pub use authorization::{Authorization, ClientRanges, Entrance, Exception, Rule};
pub use document::{AccessLog, Admin, Bounds, Config, Dns, Family, Identity, Node, RateLimitService};
pub use limit::{Bucket, KeyOf, Limit, LimitKey, LimitScope, OnError, Rate, When};
pub use listener::{
    Alpn, AppMetrics, ClientCertificate, ClientCertificates, Edge, Http10, HttpListener, Inbound, InboundApp,
    InboundChain, InboundHttp, Kind, Listener, Metrics, PassThrough, PassThroughChain, Probe, Readiness,
    ServerCertificate, ServerTls, TcpListener, TlsVersion,
};
pub use route::{
    CookieKey, CookieLife, GrpcStatus, HashKey, HeaderMatch, NotMatch, PathMatch, QueryMatch, QueryValue,
    RequestMatch, Retry, RetryOn, Route, Upgrade, ValueMatch, VirtualHost, WeightedUpstream,
};
pub use upstream::{
    Balance, Check, Compared, Endpoint, FailingAnswers, FailingShare, Group, Health, KeyPair, Origination,
    Outlier, Pool, Protocol, RetryBudget, Spill, Tls, Upstream,
};

/// Whether a member equals its default and can be left out of the file.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
