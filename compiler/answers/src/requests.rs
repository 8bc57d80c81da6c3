//! Requests that stand for all that a condition takes, and which route takes one.

use meshc_plan::HttpRoute;
use meshc_vocabulary::model::{HttpMatch, NotMatch, PathMatch, QueryMatch, QueryValue, StringMatch};
use meshc_vocabulary::testing::Request;

use crate::matching;
use crate::sent::Sent;
use crate::spelled::spelled;
use crate::truth::Truth;

/// Ends of paths: what a rule before may take is often the plainest one.
const ENDS: [&str; 3] = ["", "/~", "~"];
/// What nothing is required of.
const ANY_VALUE: &str = "any";

/// What else requests may be about: that of other conditions.
#[derive(Clone, Debug, Default)]
pub struct More {
    paths: Vec<String>,
    methods: Vec<String>,
}

impl More {
    /// Adds what conditions are about, what they exclude among it.
    pub fn add(&mut self, conditions: &HttpMatch) {
        let HttpMatch { path, methods, headers: _, queries: _, not } = conditions;
        self.paths.extend(paths(path));
        self.methods.extend(methods.iter().cloned());
        for not in not {
            match not {
                NotMatch::Path(path) => self.paths.extend(paths(path)),
                NotMatch::Methods(methods) => self.methods.extend(methods.iter().cloned()),
            }
        }
    }
}

/// Requests that meet all conditions, the plainest first; none if none can be made of them.
#[must_use]
pub fn meeting(conditions: &HttpMatch, host: Option<&str>) -> Vec<Request> {
    meeting_of(conditions, host, &More::default())
}

/// As [`meeting`], with more that is tried.
#[must_use]
pub fn meeting_of(conditions: &HttpMatch, host: Option<&str>, more: &More) -> Vec<Request> {
    let HttpMatch { path, methods, headers, queries, not: _ } = conditions;
    let mut methods: Vec<String> = methods.clone();
    if methods.is_empty() {
        methods.extend(["GET", "POST", "DELETE"].map(String::from));
        methods.extend(more.methods.iter().cloned());
    }
    let headers = headers.iter().filter(|one| !one.negated && one.name != "host");
    let headers: Vec<(String, String)> = headers.map(|one| (one.name.clone(), value(&one.value))).collect();
    let queries: Vec<String> = queries.iter().filter(|one| !one.negated).map(parameter).collect();
    let query = queries.join("&");
    let mut all = paths(path);
    all.extend(more.paths.iter().cloned());
    all.extend(["/~", "/other"].map(String::from));
    let mut found: Vec<Request> = Vec::new();
    for method in methods {
        for path in &all {
            let path = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
            let host = host.map(str::to_owned);
            let request = Request { method: method.clone(), path, host, headers: headers.clone() };
            if meets(conditions, &request) && !found.contains(&request) {
                found.push(request);
            }
        }
    }
    found
}

/// Whether a request certainly meets all conditions.
#[must_use]
pub fn meets(conditions: &HttpMatch, request: &Request) -> bool {
    matching::matches(conditions, &Sent::new(request)) == Truth::Yes
}

/// The position of the route that takes a request, where that is certain.
#[must_use]
pub fn taker(routes: &[HttpRoute], request: &Request) -> Option<usize> {
    let sent = Sent::new(request);
    let first = routes.iter().position(|route| matching::matches(&route.matches, &sent) != Truth::No)?;
    let taken = routes.get(first).is_some_and(|route| matching::matches(&route.matches, &sent) == Truth::Yes);
    taken.then_some(first)
}

/// Conditions that are those of both; requests made of them need not exist.
#[must_use]
pub fn both(one: &HttpMatch, other: &HttpMatch) -> HttpMatch {
    let HttpMatch { path, methods, headers, queries, not } = one;
    let path = match (path, &other.path) {
        (PathMatch::Any, path) | (path, PathMatch::Any) => path.clone(),
        // The longer text is the narrower of two that have requests in common, and one that is exact goes before any.
        (exact @ PathMatch::Exact(_), _) | (_, exact @ PathMatch::Exact(_)) => exact.clone(),
        (
            PathMatch::Prefix(mine) | PathMatch::StartsWith(mine) | PathMatch::Regex(mine),
            PathMatch::Prefix(theirs) | PathMatch::StartsWith(theirs) | PathMatch::Regex(theirs),
        ) => {
            if theirs.len() > mine.len() {
                other.path.clone()
            } else {
                path.clone()
            }
        }
    };
    let methods = if methods.is_empty() {
        other.methods.clone()
    } else if other.methods.is_empty() {
        methods.clone()
    } else {
        methods.iter().filter(|method| other.methods.contains(method)).cloned().collect()
    };
    HttpMatch {
        path,
        methods,
        headers: joined(headers, &other.headers),
        queries: joined(queries, &other.queries),
        not: joined(not, &other.not),
    }
}

/// All of two lists, each once.
fn joined<T: Clone + PartialEq>(mine: &[T], theirs: &[T]) -> Vec<T> {
    let more = theirs.iter().filter(|one| !mine.contains(one));
    mine.iter().chain(more).cloned().collect()
}

fn paths(path: &PathMatch) -> Vec<String> {
    let begin = match path {
        PathMatch::Any => String::from("/"),
        PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::StartsWith(path) => path.clone(),
        PathMatch::Regex(expression) => spelled(expression).unwrap_or_else(|| String::from("/")),
    };
    ENDS.iter().map(|end| format!("{begin}{end}").replace("//", "/")).collect()
}

fn value(condition: &StringMatch) -> String {
    match condition {
        StringMatch::Exact(text) | StringMatch::Prefix(text) => text.clone(),
        StringMatch::Present => ANY_VALUE.to_owned(),
        StringMatch::Regex(expression) => spelled(expression).unwrap_or_else(|| ANY_VALUE.to_owned()),
    }
}

fn parameter(condition: &QueryMatch) -> String {
    let value = match &condition.value {
        QueryValue::Exact(text) | QueryValue::Prefix(text) => text.clone(),
        QueryValue::Present => ANY_VALUE.to_owned(),
        QueryValue::Regex { expression, is_met_by_nothing: _ } => {
            spelled(expression).unwrap_or_else(|| ANY_VALUE.to_owned())
        }
    };
    format!("{}={value}", condition.name)
}
