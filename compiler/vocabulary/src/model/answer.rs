//! What a rule does with a request: it sends it on, or answers it by itself.

use lang_diagnostics::Origin;

use super::Destination;

/// What becomes of a rule's requests.
#[derive(Clone, Debug)]
pub enum RuleAction {
    /// They are sent on: to these destinations, of which there is at least one; weights are relative.
    Forward(Vec<Destination>),
    /// The client is told another address.
    Redirect(Redirect),
    /// The client gets this answer.
    Respond(Respond),
}

impl RuleAction {
    /// Where requests go; none if they are answered.
    #[must_use]
    pub const fn destinations(&self) -> &[Destination] {
        match self {
            Self::Forward(to) => to.as_slice(),
            Self::Redirect(_) | Self::Respond(_) => &[],
        }
    }
}

/// Another address for the client. What it leaves out is as in the request.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// Where it is declared.
    pub origin: Origin,
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The host, in lower case.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The path; the query is kept.
    pub path: Option<NewPath>,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A scheme of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// A path in the place of the request's, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewPath {
    /// This path.
    Full(String),
    /// The prefix that the rule matched becomes this one, by whole segments.
    Prefix(String),
    /// A path that the expression matches as a whole becomes the substitution; any other is kept.
    Regex {
        /// A regular expression (RE2 syntax without look-around).
        expression: String,
        /// The new path, in which `\1` is what the first group matched, and `\0` the whole path.
        substitution: String,
    },
}

/// An answer that is the same for every request.
#[derive(Clone, Debug)]
pub struct Respond {
    /// Where it is declared.
    pub origin: Origin,
    /// The status: 200 to 599, but none of 300 to 399.
    pub status: u16,
    /// The body, possibly empty.
    pub body: String,
    /// What the body is; `text/plain` if nothing is said.
    pub content_type: Option<String>,
}
