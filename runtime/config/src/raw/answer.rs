//! What a route answers by itself.

use super::filter::PathChange;
use serde::{Deserialize, Serialize};

/// An answer without an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// Another address for the client.
    Redirect(Redirect),
    /// An answer that is the same for every request.
    Respond(Respond),
}

/// Another address. What is absent is as in the request, and so is the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<UrlScheme>,
    /// The host, which then has no port but the one below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The port in the place of that of the request's host, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_port: Option<u16>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathChange>,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A scheme of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlScheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// An answer that is the same for every request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The status: 200 to 599.
    pub status: u16,
    /// The body; absent means none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What the body is; absent means `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}
