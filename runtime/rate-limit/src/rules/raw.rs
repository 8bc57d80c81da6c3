//! The file format of envoyproxy/ratelimit, as far as it is supported. Settings that are not known are refused: a limit
//! that is silently not the one that was written is worse than none.

use serde::Deserialize;

/// A file: the descriptors of one domain.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) domain: String,
    #[serde(default)]
    pub(super) descriptors: Vec<Entry>,
}

/// One descriptor entry, with those that may follow it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) rate_limit: Option<RateLimit>,
    #[serde(default)]
    pub(super) descriptors: Vec<Entry>,
    #[serde(default)]
    pub(super) shadow_mode: bool,
}

/// A limit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    pub(super) unit: Option<String>,
    pub(super) requests_per_unit: Option<u32>,
    #[serde(default)]
    pub(super) unlimited: bool,
}
