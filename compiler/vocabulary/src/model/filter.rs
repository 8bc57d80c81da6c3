//! What a rule does with requests and answers beside sending them on.

use lang_diagnostics::Origin;

use super::Destination;
use super::answer::NewPath;

/// One thing that is done with each request of a rule, or with its answer.
#[derive(Clone, Debug)]
pub enum RouteFilter {
    /// Changes the headers of the request.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of the answer, also of one that a proxy gives by itself.
    ResponseHeaders(HeaderChanges),
    /// Changes the path and the host of the request.
    Rewrite(Rewrite),
    /// Sends a copy of the request elsewhere.
    Mirror(Mirror),
}

/// Another path or host for a request that is sent on. At least one of them.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// Where it is declared.
    pub origin: Origin,
    /// The path; the query is kept.
    pub path: Option<NewPath>,
    /// The host, in lower case and without a port.
    pub host: Option<String>,
}

/// Where copies of requests go.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// What gets them.
    pub to: Destination,
    /// How many of a million requests are copied.
    pub share: u32,
}

/// Changes of headers. No name occurs twice; names are in lower case, and none is a proxy's own.
#[derive(Clone, Debug)]
pub struct HeaderChanges {
    /// Where they are declared.
    pub origin: Origin,
    /// Headers that have exactly this value afterwards, in source order.
    pub set: Vec<(String, String)>,
    /// Headers that get a further line with this value, in source order.
    pub add: Vec<(String, String)>,
    /// Headers that are gone afterwards, in source order.
    pub remove: Vec<String>,
}
