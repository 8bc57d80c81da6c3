//! Requests that go wrong on purpose, and who may read answers.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_vocabulary::model::filter::{self, Fault, Refused, RouteFilter};
use meshc_vocabulary::model::{HeaderMatch, HttpMatch, StringMatch};

use crate::codes;
use crate::filter::{Abort, Cors, Delay, Filter};

/// What a gRPC client sends, in the words of its protocol.
const OF_GRPC: &str = r"application/grpc(?:\+.*)?";

/// What waits and what is refused.
pub(super) fn filters(fault: &Fault) -> Vec<Filter> {
    let Fault { origin: _, headers, delay, abort } = fault;
    let delay = delay.as_ref().map(|filter::Delay { time, share }| {
        Filter::Delay(Delay { headers: headers.clone(), share: *share, time: *time })
    });
    let abort = abort.as_ref().map(|filter::Abort { with, share }| {
        let of_grpc = match with {
            Refused::Status(_) => None,
            Refused::Grpc(_) => Some(HeaderMatch {
                name: String::from("content-type"),
                negated: false,
                value: StringMatch::Regex(String::from(OF_GRPC)),
            }),
        };
        let headers = headers.iter().cloned().chain(of_grpc).collect();
        Filter::Abort(Abort { headers, share: *share, with: *with })
    });
    delay.into_iter().chain(abort).collect()
}

/// Reports a request that would wait for longer than its stream may be silent.
pub(super) fn check(filters: &[RouteFilter], idle: Option<Duration>, sink: &mut Sink) {
    for filter in filters {
        let fault = match filter {
            RouteFilter::Fault(fault) => fault,
            RouteFilter::RequestHeaders(_)
            | RouteFilter::ResponseHeaders(_)
            | RouteFilter::Cors(_)
            | RouteFilter::Rewrite(_)
            | RouteFilter::Mirror(_) => continue,
        };
        let (Some(delay), Some(idle)) = (&fault.delay, idle) else { continue };
        if delay.time < idle {
            continue;
        }
        let message = "a request waits here for longer than its stream may be silent";
        sink.push(
            Diagnostic::error(codes::DELAY_IN_SILENCE, fault.origin.span, message)
                .label(format!("{:?}, and the bound on silence is {idle:?}", delay.time))
                .help("shorten the delay, or raise `idle` in a `timeout` policy that names the route"),
        );
    }
}

/// The words of the headers.
pub(super) fn cors(cors: &filter::Cors) -> Cors {
    let filter::Cors {
        origin: _,
        allow_origins,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
        allow_credentials,
    } = cors;
    Cors {
        allow_origins: allow_origins.clone(),
        allow_methods: allow_methods.join(", "),
        allow_headers: allow_headers.join(", "),
        expose_headers: expose_headers.join(", "),
        max_age: max_age.map_or_else(String::new, |age| age.as_secs().to_string()),
        allow_credentials: *allow_credentials,
    }
}

/// Preflight requests for the methods of a rule that takes no OPTIONS otherwise: browsers ask with another method than the
/// one they ask for.
pub(super) fn preflight(matches: &HttpMatch, filters: &[Filter]) -> Option<(HttpMatch, Vec<Filter>)> {
    const OPTIONS: &str = "OPTIONS";
    let cors: Vec<Filter> = filters.iter().filter(|filter| filter.cors().is_some()).cloned().collect();
    if cors.is_empty() || matches.methods.is_empty() || matches.methods.iter().any(|method| method == OPTIONS)
    {
        return None;
    }
    let asks = |name: &str, value| HeaderMatch { name: String::from(name), negated: false, value };
    let mut matches = matches.clone();
    // Methods have no sign that means something in an expression.
    let methods = StringMatch::Regex(matches.methods.join("|"));
    matches.headers.push(asks("access-control-request-method", methods));
    matches.headers.push(asks("origin", StringMatch::Regex(String::from(".+"))));
    matches.methods = vec![String::from(OPTIONS)];
    Some((matches, cors))
}
