//! Rate limits.

use super::{RequestMatch, is_default};
use crate::Period;
use serde::{Deserialize, Serialize};

/// Limits on matching requests. Every bucket that applies is asked; one that is exhausted refuses the request with 429.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The policy's name, for logs and metrics.
    pub name: String,
    /// Which requests are limited; empty means all.
    #[serde(default, rename = "match", skip_serializing_if = "is_default")]
    pub matching: RequestMatch,
    /// Whether it only counts: what it would refuse passes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audit: bool,
    /// Who counts.
    pub scope: LimitScope,
    /// What is counted.
    pub buckets: Vec<Bucket>,
}

/// Who counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LimitScope {
    /// This proxy alone, in memory; every bucket needs its `rate`.
    Proxy {},
    /// A rate-limit service, which knows the rates.
    Service {
        /// The upstream that is the service; absent means the `rate_limit_service` of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upstream: Option<String>,
        /// The domain of the descriptors.
        domain: String,
        /// The key of the descriptor that a bucket sends; its value is the bucket's name.
        descriptor_key: String,
        /// How long the service may take before that counts as no answer.
        timeout: Period,
        /// What happens while the service does not answer.
        on_error: OnError,
    },
}

/// What happens while the rate-limit service does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The request passes, and is counted as such.
    Allow,
    /// The request is refused with 429: a 5xx would eject whoever answers it.
    Deny,
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The bucket's name, and the value of its descriptor.
    pub name: String,
    /// Which of the matching requests it counts; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What there is a counter for each value of; none means that there is one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keys: Vec<LimitKey>,
    /// How much it admits. Required by scope `proxy`, unused by scope `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// Something that requests have a value of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitKey {
    /// The key of the descriptor's entry, for scope `service`.
    pub descriptor_key: String,
    /// What it is.
    pub of: KeyOf,
}

/// What requests have values of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyOf {
    /// The caller's identity.
    Caller,
    /// The address that connected.
    Address,
    /// The address of the client: behind as many proxies as an edge listener trusts; inside the mesh as the hop before
    /// says it.
    Client,
    /// The normalised path.
    Path,
    /// The first line of a header.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query, unescaped.
    Query(String),
}

/// A condition on one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// The header has exactly this value.
    Is {
        /// The header's name.
        header: String,
        /// Its value, case included.
        value: String,
    },
    /// The header is absent, or has any other value than these.
    NoneOf {
        /// The header's name.
        header: String,
        /// The values that do not count.
        values: Vec<String>,
    },
}

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many; 0 admits none.
    pub requests: u64,
    /// In which time they are granted again.
    pub per: Period,
    /// How many may come at once; absent means as many as `requests`. Not with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
}
