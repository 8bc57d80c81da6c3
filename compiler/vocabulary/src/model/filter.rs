//! What a rule does with requests and answers beside sending them on.

use std::time::Duration;

use lang_diagnostics::Origin;

use super::Destination;
use super::answer::NewPath;
use super::{HeaderMatch, StringMatch};

/// One thing that is done with each request of a rule, or with its answer.
#[derive(Clone, Debug)]
pub enum RouteFilter {
    /// Changes the headers of the request.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of the answer, also of one that a proxy gives by itself.
    ResponseHeaders(HeaderChanges),
    /// Lets pages of other origins read answers.
    Cors(Cors),
    /// Delays requests and refuses them, as a test of those who send them.
    Fault(Fault),
    /// Changes the path and the host of the request.
    Rewrite(Rewrite),
    /// Sends a copy of the request elsewhere.
    Mirror(Mirror),
}

/// Which pages may read answers, as browsers ask for it.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Where it is declared.
    pub origin: Origin,
    /// The origins of these pages, in source order; never empty.
    pub allow_origins: Vec<StringMatch>,
    /// The methods beside those that need no permission, or `*`.
    pub allow_methods: Vec<String>,
    /// The headers of requests that may be set, or `*`.
    pub allow_headers: Vec<String>,
    /// The headers of answers that may be read, or `*`.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer, in whole seconds.
    pub max_age: Option<Duration>,
    /// Whether requests may carry cookies.
    pub allow_credentials: bool,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it is declared.
    pub origin: Origin,
    /// Which requests of the rule, all conditions at once.
    pub headers: Vec<HeaderMatch>,
    /// Requests that wait.
    pub delay: Option<Delay>,
    /// Requests that are refused, after they waited.
    pub abort: Option<Abort>,
}

/// Requests that wait.
#[derive(Clone, Debug)]
pub struct Delay {
    /// How long.
    pub time: Duration,
    /// How many of a million.
    pub share: u32,
}

/// Requests that are refused.
#[derive(Clone, Debug)]
pub struct Abort {
    /// How.
    pub with: Refused,
    /// How many of a million.
    pub share: u32,
}

/// How a request is refused on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// With this status, 400 to 599; gRPC has its own one for each.
    Status(u16),
    /// With this status of gRPC, 1 to 16, where the client speaks it; other requests are let through.
    Grpc(u16),
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
    pub set: Vec<(String, Vec<HeaderPart>)>,
    /// Headers that get a further line with this value, in source order.
    pub add: Vec<(String, Vec<HeaderPart>)>,
    /// Headers that are gone afterwards, in source order.
    pub remove: Vec<String>,
}

/// A part of a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderPart {
    /// A text, never empty.
    Text(String),
    /// Something of the request.
    Property(RequestProperty),
}

/// What can be said of a request in the values of headers. Each is the same on both data planes, byte for byte, and none is
/// ever absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The identity of the caller, or what a client outside proves; the empty text for nobody.
    Caller,
    /// The number of the port that is asked.
    Port,
}
