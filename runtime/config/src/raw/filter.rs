//! What is done with requests and answers on their way.

use super::{Authorization, Limit, is_default};
use serde::{Deserialize, Serialize};

/// One thing that is done with each request. Those that may refuse a request are asked in the order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Refuses nothing: counts and logs requests that these rules would refuse.
    Audit(Authorization),
    /// Refuses what exceeds a limit.
    Limit(Limit),
    /// Changes the headers of what is sent on, after every filter that may refuse it.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of what is answered, also where this proxy answers by itself.
    ResponseHeaders(HeaderChanges),
    /// Sends a copy of what is sent on elsewhere as well, for which nobody waits.
    Mirror(Mirror),
    /// Changes the path and the host of what is sent on, after every filter that may refuse it.
    Rewrite(Rewrite),
}

/// Another path or host for what is sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The path; its query is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathChange>,
    /// The host, without a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What becomes of a path, without its query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PathChange {
    /// It becomes this one.
    Full(String),
    /// Its beginning changes, by whole segments; what would be empty then is `/`.
    Prefix {
        /// What it begins with, without a final slash.
        from: String,
        /// What stands in its place, without a final slash.
        to: String,
    },
    /// One that the expression matches as a whole becomes the substitution; any other is kept.
    Regex {
        /// The expression.
        expression: String,
        /// The new path, in which a backslash and a digit are what that group matched.
        substitution: String,
    },
}

/// Where copies of requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The upstream that gets them.
    pub upstream: String,
    /// How many of a million requests are copied; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
}

/// Changes of headers. No name may occur twice, and none may be a proxy's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderChanges {
    /// Headers to remove, before others are written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remove: Vec<String>,
    /// Headers that have exactly this value afterwards.
    #[serde(default, skip_serializing_if = "is_default")]
    pub set: Vec<HeaderLine>,
    /// Headers that get a further line with this value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub add: Vec<HeaderLine>,
}

/// One line of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderLine {
    /// The header's name, in any case.
    pub name: String,
    /// Its value.
    pub value: String,
}
