//! What a rule does with requests and answers beside sending them on.

use lang_diagnostics::Origin;

use super::Destination;

/// One thing that is done with each request of a rule, or with its answer.
#[derive(Clone, Debug)]
pub enum RouteFilter {
    /// Changes the headers of the request.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of the answer, also of one that a proxy gives by itself.
    ResponseHeaders(HeaderChanges),
    /// Sends a copy of the request elsewhere.
    Mirror(Mirror),
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
