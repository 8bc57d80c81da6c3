//! What is done with requests and answers on their way.

use super::{Authorization, HeaderMatch, Limit, ValueMatch, is_default};
use crate::Period;
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
    /// Answers preflight requests, and says who may read answers.
    Cors(Cors),
    /// Lets requests wait.
    Delay(Delay),
    /// Refuses requests on purpose.
    Abort(Abort),
}

/// Who may read answers, in the words of the headers that say it; the empty string is a header that is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// The origins that may.
    pub allow_origins: Vec<ValueMatch>,
    /// `access-control-allow-methods`
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_methods: String,
    /// `access-control-allow-headers`
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_headers: String,
    /// `access-control-expose-headers`
    #[serde(default, skip_serializing_if = "is_default")]
    pub expose_headers: String,
    /// `access-control-max-age`
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_age: String,
    /// `access-control-allow-credentials`
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_credentials: bool,
}

/// Requests that wait before they are sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Which requests, all conditions at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them.
    pub share: u32,
    /// How long.
    pub time: Period,
}

/// Requests that are refused on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Which requests, all conditions at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them.
    pub share: u32,
    /// How.
    pub with: Refused,
}

/// How a request is refused on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// With this status.
    Status(u16),
    /// With this status of gRPC.
    Grpc(u16),
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
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// Always the same.
    Text(String),
    /// Another one for each request.
    Parts(Vec<HeaderPart>),
}

/// A part of a header's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HeaderPart {
    /// A text.
    Text(String),
    /// Something of the request.
    Property(RequestProperty),
}

/// What can be said of a request. Changes of requests say what the client sent, those of answers what was sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestProperty {
    /// The method.
    Method,
    /// The normalised path without its query.
    Path,
    /// The normalised path with its query.
    PathAndQuery,
    /// The host, with its port if it was sent with one.
    Host,
    /// What `x-forwarded-proto` says.
    Scheme,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    Protocol,
    /// What `x-request-id` says.
    Id,
    /// The address of the client, without a port.
    ClientAddress,
    /// The URIs in the certificate of a client outside the mesh, with commas between them; empty without one.
    ClientUris,
}
