//! The versioned configuration of meshd: raw, then validated.
//!
//! [`raw`] is the file as it is written: plain serde structures that refuse unknown fields. [`Config`] is what the
//! proxy runs: every reference resolved, every number in range, every pattern compiled. The only way from one to the
//! other is [`Config::read`] or `Config::try_from(raw)`, and it reports all mistakes at once, each with its JSON path.
//!
//! Invariant: this crate knows no proxy, no socket and no file system; it turns text into values.

pub mod raw;

mod answer;
mod authorization;
pub mod fault;
pub mod filter;
mod headers;
mod identity;
mod limit;
mod listener;
mod listeners;
mod matching;
mod origination;
mod path;
mod path_change;
mod period;
mod problem;
mod read;
mod route;
mod rules;
mod server_tls;
mod upstream;
mod upstreams;

pub use answer::{Answer, Redirect, Respond, UrlScheme};
pub use authorization::{
    AddressRange, Authorization, ClientPattern, ClientRanges, Entrance, Exception, Requests, Rule,
};
pub use headers::{
    APPLICATIONS_HEADERS, HeaderChanges, HeaderPart, PROXIES_HEADER_PREFIXES, PROXIES_HEADERS,
    RequestProperty,
};
pub use identity::{Identity, PeerPattern, SpiffeId};
pub use limit::{
    Bucket, IPV6_PREFIX, KEY_LENGTH, KeyOf, Limit, LimitKey, LimitScope, MOST_KEYS, NO_VALUE, OnError, Rate,
    UNPRINTABLE, When,
};
pub use listener::{
    Alpn, AppMetrics, ClientCertificate, ClientCertificates, Edge, Http10, Inbound, InboundApp, InboundChain,
    Kind, Listener, PassThrough, PassThroughChain, Probe, ServerCertificate, ServerTls, TlsVersion,
};
pub use matching::{
    HeaderMatch, METHODS, NotMatch, PathMatch, Pattern, QueryMatch, QueryValue, RequestMatch, ValueMatch,
};
pub use origination::{KeyPair, Origination};
pub use path::Path;
pub use path_change::{Part, PathChange};
pub use period::Period;
pub use problem::{Invalid, Problem};
pub use read::{AccessLog, Admin, Bounds, Config, Dns, Family, Node, RateLimitService};
pub use route::{
    CookieKey, CookieLife, GrpcStatus, HashKey, HostPattern, Methods, REPLAYED_BODY, Retry, RetryOn, Route,
    Upgrade, VirtualHost, WeightedUpstream,
};
pub use upstream::{
    Balance, Check, Compared, Endpoint, EndpointHost, FailingAnswers, FailingShare, Group, Health, Outlier,
    Pool, Protocol, RetryBudget, Spill, Tls, Upstream,
};

/// The version of the schema that this build writes; [`Config::read`] also accepts the one before, once there is one.
pub const VERSION: u32 = 1;
