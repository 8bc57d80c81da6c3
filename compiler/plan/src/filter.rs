//! What is done with requests and answers on their way, as plain data.
//!
//! A chain and a route have a list of filters. Those that may refuse a request come first, in the order in which they are
//! asked; what follows changes only what is sent on.

use meshc_vocabulary::model::filter::HeaderChanges;

use crate::{Audit, Authorization, GlobalLimit, LocalLimit};

/// One thing that is done with each request.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Tells of those that may be sent whom other rules would refuse.
    Audit(Audit),
    /// Counts in this pod, and refuses what exceeds the limit.
    LocalLimit(LocalLimit),
    /// Asks the rate-limit service, and refuses what exceeds the limit.
    GlobalLimit(GlobalLimit),
    /// Changes the headers of what is sent on.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of what is answered, also where the proxy answers by itself.
    ResponseHeaders(HeaderChanges),
    /// Changes the path and the host of what is sent on.
    Rewrite(Rewrite),
    /// Sends a copy elsewhere, for which nobody waits.
    Mirror(Mirror),
}

/// Another path or host for what is sent on. Whatever decides by these has done so before, and logs and copies have the new
/// ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The path; the query is kept.
    pub path: Option<PathChange>,
    /// The host, without a port.
    pub host: Option<String>,
}

/// What becomes of a path, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// It becomes this one.
    Full(String),
    /// Its beginning changes; what would be empty then is `/`.
    Prefix {
        /// What it begins with, without a final slash; `/` is the empty string.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Name of the upstream.
    pub upstream: String,
    /// How many of a million requests are copied; each is drawn anew.
    pub share: u32,
}
