//! What is done with requests and answers on their way, as plain data.
//!
//! A chain and a route have a list of filters. Those that may refuse a request come first, in the order in which they are
//! asked; what follows changes only what is sent on.

use std::time::Duration;

use meshc_vocabulary::model::filter::Refused;
use meshc_vocabulary::model::{HeaderMatch, StringMatch};

use crate::{Audit, Authorization, GlobalLimit, LocalLimit};

/// One thing that is done with each request.
#[derive(Clone, Debug, Hash)]
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
    /// Answers preflight requests, and says who may read answers.
    Cors(Cors),
    /// Lets requests wait.
    Delay(Delay),
    /// Refuses requests on purpose.
    Abort(Abort),
    /// Changes the path and the host of what is sent on.
    Rewrite(Rewrite),
    /// Sends a copy elsewhere, for which nobody waits.
    Mirror(Mirror),
}

impl Filter {
    /// Its rules about who may send requests, if it refuses by them.
    #[must_use]
    pub fn authorization(&self) -> Option<&Authorization> {
        match self {
            Filter::Authorize(authorization) => Some(authorization),
            Filter::Audit(_)
            | Filter::LocalLimit(_)
            | Filter::GlobalLimit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => None,
        }
    }

    /// What it says about pages, if it is about them.
    #[must_use]
    pub fn cors(&self) -> Option<&Cors> {
        match self {
            Filter::Cors(cors) => Some(cors),
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::LocalLimit(_)
            | Filter::GlobalLimit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => None,
        }
    }
}

/// Who may read answers, in the words of the headers that say it; the empty string is a header that is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cors {
    /// The origins that may; never empty.
    pub allow_origins: Vec<StringMatch>,
    /// `access-control-allow-methods`
    pub allow_methods: String,
    /// `access-control-allow-headers`
    pub allow_headers: String,
    /// `access-control-expose-headers`
    pub expose_headers: String,
    /// `access-control-max-age`
    pub max_age: String,
    /// `access-control-allow-credentials`
    pub allow_credentials: bool,
}

/// Changes of headers. No name occurs twice; names are in lower case, and none is a proxy's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderChanges {
    /// Headers that have exactly this value afterwards, in order.
    pub set: Vec<(String, Vec<HeaderPart>)>,
    /// Headers that get a further line with this value, in order.
    pub add: Vec<(String, Vec<HeaderPart>)>,
    /// Headers that are gone afterwards, in order.
    pub remove: Vec<String>,
}

/// A part of a header's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderPart {
    /// A text, which may say something of the proxy or of the listener.
    Text(String),
    /// Something of the request.
    Property(RequestProperty),
}

/// What a proxy finds out about a request. None is ever absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestProperty {
    /// The method.
    Method,
    /// The path without its query.
    Path,
    /// The path with its query.
    PathAndQuery,
    /// The host, with its port if it was sent with one.
    Host,
    /// `http` or `https`, as the client spoke it.
    Scheme,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    Protocol,
    /// The request's id.
    Id,
    /// The address of the client.
    ClientAddress,
    /// The URIs in the certificate of a client outside the mesh, with commas between them; empty without one.
    ClientUris,
}

/// Requests that wait before they are sent on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delay {
    /// Which requests, all conditions at once.
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them; each is drawn anew.
    pub share: u32,
    /// How long.
    pub time: Duration,
}

/// Requests that are refused on purpose, with the text `fault filter abort`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Abort {
    /// Which requests, all conditions at once.
    pub headers: Vec<HeaderMatch>,
    /// How many of a million of them; each is drawn anew.
    pub share: u32,
    /// How.
    pub with: Refused,
}

/// Another path or host for what is sent on. Whatever decides by these has done so before, and logs and copies have the new
/// ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rewrite {
    /// The path; the query is kept.
    pub path: Option<PathChange>,
    /// The host, without a port.
    pub host: Option<String>,
}

/// What becomes of a path, without its query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mirror {
    /// Name of the upstream.
    pub upstream: String,
    /// How many of a million requests are copied; each is drawn anew.
    pub share: u32,
}

/// The filters that say who may ask, and everything after them.
#[must_use]
pub fn who_then_what(filters: &[Filter]) -> (&[Filter], &[Filter]) {
    let says_who = |filter: &&Filter| match filter {
        Filter::Authorize(_) | Filter::Audit(_) => true,
        Filter::LocalLimit(_)
        | Filter::GlobalLimit(_)
        | Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_) => false,
    };
    filters.split_at(filters.iter().take_while(says_who).count())
}
