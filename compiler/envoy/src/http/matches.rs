//! Conditions on requests, for routes, for authorization, and for descriptors of limits.
//!
//! The same condition takes three forms, because Envoy's route matcher, its RBAC and its rate-limit actions each
//! have their own. A path is always the normalised one without its query.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::borrow::Cow;

use meshc_vocabulary::model::{
    HeaderMatch, HttpMatch, NotMatch, PathMatch, QueryMatch, QueryValue, StringMatch,
};

use super::path_expression::without_query;
use crate::pb::matcher::{PathMatcher, RegexMatcher, StringMatcher, path_matcher, string_matcher};
use crate::pb::rbac::{Permission, permission};
use crate::pb::route::header_matcher::HeaderMatchSpecifier;
use crate::pb::route::route_match::PathSpecifier;
use crate::pb::route::{HeaderMatcher, RouteMatch};

/// An expression for names of hosts: labels of which each has a letter or a digit (or what clients use in their place), and
/// perhaps a final dot.
pub(crate) const NAME: &str = r"-*[A-Za-z0-9_~][A-Za-z0-9_~-]*(?:\.-*[A-Za-z0-9_~][A-Za-z0-9_~-]*)*\.?";

/// The condition on the path as it must be put to Envoy, which merges slashes but for a path that is nothing but
/// slashes: that one becomes `//`.
fn path(path: &PathMatch) -> Cow<'_, PathMatch> {
    match path {
        PathMatch::Exact(path) if path == "/" => Cow::Owned(PathMatch::Regex(String::from("//?"))),
        other @ (PathMatch::Any
        | PathMatch::Exact(_)
        | PathMatch::Prefix(_)
        | PathMatch::StartsWith(_)
        | PathMatch::Regex(_)) => Cow::Borrowed(other),
    }
}

/// The condition as a route's match.
pub(crate) fn route(matches: &HttpMatch) -> RouteMatch {
    let HttpMatch { path, methods, headers, queries, not } = matches;
    let path = match self::path(path).as_ref() {
        PathMatch::Any => PathSpecifier::Prefix("/".to_owned()),
        PathMatch::Exact(path) => PathSpecifier::Path(path.clone()),
        PathMatch::Prefix(path) => match segments(path) {
            "" => PathSpecifier::Prefix("/".to_owned()),
            path => PathSpecifier::PathSeparatedPrefix(path.to_owned()),
        },
        PathMatch::StartsWith(text) => PathSpecifier::Prefix(text.clone()),
        PathMatch::Regex(regex) => PathSpecifier::SafeRegex(pattern(regex)),
    };
    let headers =
        method(methods).into_iter().chain(headers.iter().map(header)).chain(queries.iter().map(query));
    let headers = headers.chain(not.iter().filter_map(excluded));
    RouteMatch { path_specifier: Some(path), headers: headers.collect(), ..Default::default() }
}

/// One of the conditions of a rule of RBAC, which has them twice: on what is asked for, and on who asks.
pub(crate) enum Term {
    /// On the path.
    Path(PathMatcher),
    /// On a header.
    Header(HeaderMatcher),
}

/// The condition as those of RBAC, all of which must hold; none if it is every request.
pub(crate) fn terms(matches: &HttpMatch) -> Vec<Term> {
    let HttpMatch { path, methods, headers, queries, not } = matches;
    let path = match self::path(path).as_ref() {
        PathMatch::Any => None,
        PathMatch::Exact(path) => Some(exact(path)),
        PathMatch::Prefix(path) => match segments(path) {
            "" => None,
            path => Some(regex(&format!("{}(?:/.*)?", escape(path)))),
        },
        PathMatch::StartsWith(text) => Some(prefix(text)),
        PathMatch::Regex(pattern) => Some(regex(pattern)),
    };
    let path = path.map(|matcher| Term::Path(PathMatcher { rule: Some(path_matcher::Rule::Path(matcher)) }));
    let headers =
        method(methods).into_iter().chain(headers.iter().map(header)).chain(queries.iter().map(query));
    let headers = headers.chain(not.iter().filter_map(excluded));
    path.into_iter().chain(headers.map(Term::Header)).collect()
}

/// The condition as a permission of RBAC.
pub(crate) fn permission(matches: &HttpMatch) -> Permission {
    let mut rules: Vec<permission::Rule> = terms(matches)
        .into_iter()
        .map(|term| match term {
            Term::Path(path) => permission::Rule::UrlPath(path),
            Term::Header(header) => permission::Rule::Header(header),
        })
        .collect();
    let rule = match (rules.pop(), rules.is_empty()) {
        (None, _) => permission::Rule::Any(true),
        (Some(rule), true) => rule,
        (Some(rule), false) => {
            rules.push(rule);
            let rules = rules.into_iter().map(|rule| Permission { rule: Some(rule) }).collect();
            permission::Rule::AndRules(permission::Set { rules })
        }
    };
    Permission { rule: Some(rule) }
}

/// A condition on the host, with or without a port, in any case; `*.example.org` is any one or more leading labels.
pub(crate) fn host(host: &str) -> HeaderMatcher {
    let name = match host.strip_prefix('*') {
        Some("") => String::from(".*"),
        Some(suffix) => format!(".+{}", escape(suffix)),
        None => escape(host),
    };
    header_matcher(":authority", regex(&format!("(?i){name}(?::[0-9]*)?")))
}

/// The condition as matchers of headers, all of which must match; none if it is every request.
///
/// Rate-limit actions see `:path` with its query, so the pattern admits one.
pub(crate) fn headers(matches: &HttpMatch) -> Vec<HeaderMatcher> {
    let HttpMatch { path, methods, headers, queries, not } = matches;
    let path = with_query(path).map(|pattern| header_matcher(":path", regex(&pattern)));
    let headers = headers.iter().map(header).chain(queries.iter().map(query));
    path.into_iter().chain(method(methods)).chain(headers).chain(not.iter().filter_map(excluded)).collect()
}

/// What `:path`, which has the query, matches as a whole; `None` if it is any.
fn with_query(path: &PathMatch) -> Option<String> {
    match self::path(path).as_ref() {
        PathMatch::Any => None,
        PathMatch::Exact(path) => Some(format!("{}(?:\\?.*)?", escape(path))),
        PathMatch::Prefix(path) => match segments(path) {
            "" => None,
            path => Some(format!("{}(?:[/?].*)?", escape(path))),
        },
        PathMatch::StartsWith(text) => Some(format!("{}.*", escape(text))),
        PathMatch::Regex(regex) => Some(format!("(?:{})(?:\\?.*)?", without_query(regex))),
    }
}

/// What may not hold. Envoy's own condition on the path cannot be negated. What is everything is never met.
fn excluded(not: &NotMatch) -> Option<HeaderMatcher> {
    let matcher = match not {
        NotMatch::Path(path) => {
            let pattern = with_query(path).unwrap_or_else(|| String::from(".*"));
            header_matcher(":path", regex(&pattern))
        }
        NotMatch::Methods(methods) => method(methods)?,
    };
    Some(HeaderMatcher { invert_match: true, ..matcher })
}

/// Any of these methods; `None` if there are none, which means every method.
pub(crate) fn method(methods: &[String]) -> Option<HeaderMatcher> {
    match methods {
        [] => None,
        [only] => Some(header_matcher(":method", exact(only))),
        several => Some(header_matcher(":method", one_of(several))),
    }
}

/// A header whose value matches.
pub(crate) fn header_matcher(name: &str, matcher: StringMatcher) -> HeaderMatcher {
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher)),
        ..Default::default()
    }
}

/// A condition on a header, or that no line of it meets one. Envoy inverts nothing where the header is missing, unless it
/// is told to take it for the empty value, which then meets no condition.
pub(crate) fn header(condition: &HeaderMatch) -> HeaderMatcher {
    let HeaderMatch { name, negated, value } = condition;
    let Some(matcher) = self::value(value) else {
        return HeaderMatcher {
            name: name.clone(),
            header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
            invert_match: *negated,
            ..Default::default()
        };
    };
    HeaderMatcher {
        invert_match: *negated,
        treat_missing_header_as_empty: *negated,
        ..header_matcher(name, matcher)
    }
}

/// A condition on a text; none for any.
pub(crate) fn value(value: &StringMatch) -> Option<StringMatcher> {
    match value {
        StringMatch::Present => None,
        StringMatch::Exact(value) => Some(exact(value)),
        StringMatch::Prefix(value) => Some(prefix(value)),
        StringMatch::Regex(value) => Some(regex(value)),
    }
}

/// A condition on a parameter of the query. Envoy's own one takes the first parameter of a name, knows no negation, and
/// its RBAC has none; the header `:path` is there for all of them.
fn query(condition: &QueryMatch) -> HeaderMatcher {
    let QueryMatch { name, negated, value } = condition;
    let value = match value {
        QueryValue::Present => String::from("(?:=[^&]*)?"),
        QueryValue::Exact(value) if value.is_empty() => String::from("=?"),
        QueryValue::Exact(value) => format!("={}", escape(value)),
        QueryValue::Prefix(value) if value.is_empty() => String::from("(?:=[^&]*)?"),
        QueryValue::Prefix(value) => format!("={}[^&]*", escape(value)),
        QueryValue::Regex { expression, is_met_by_nothing: true } => format!("(?:=(?:{expression}))?"),
        QueryValue::Regex { expression, is_met_by_nothing: false } => format!("=(?:{expression})"),
    };
    let pattern = format!("[^?]*\\?(?:.*&)?{}{value}(?:&.*)?", escape(name));
    HeaderMatcher { invert_match: *negated, ..header_matcher(":path", regex(&pattern)) }
}

/// Exactly this string.
pub(crate) fn exact(text: &str) -> StringMatcher {
    string(string_matcher::MatchPattern::Exact(text.to_owned()))
}

/// Any string that begins like this.
pub(crate) fn prefix(text: &str) -> StringMatcher {
    string(string_matcher::MatchPattern::Prefix(text.to_owned()))
}

/// Any string that matches as a whole.
pub(crate) fn regex(text: &str) -> StringMatcher {
    string(string_matcher::MatchPattern::SafeRegex(pattern(text)))
}

/// Any of these strings, as one regular expression.
pub(crate) fn one_of(texts: &[String]) -> StringMatcher {
    regex(&texts.iter().map(|text| escape(text)).collect::<Vec<_>>().join("|"))
}

fn string(pattern: string_matcher::MatchPattern) -> StringMatcher {
    StringMatcher { match_pattern: Some(pattern), ..Default::default() }
}

fn pattern(regex: &str) -> RegexMatcher {
    RegexMatcher { regex: regex.to_owned(), ..Default::default() }
}

/// `/items` and `/items/` both mean the segment `items` and what is below it; `/` means everything.
fn segments(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Makes a string match itself in RE2: whatever could be a sign gets a backslash.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '/' | '_' | '-') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: PathMatch) -> HttpMatch {
        HttpMatch { path, ..Default::default() }
    }

    #[test]
    fn a_prefix_is_whole_segments_in_every_form() {
        let items = path(PathMatch::Prefix("/items/".to_owned()));
        assert_eq!(
            route(&items).path_specifier,
            Some(PathSpecifier::PathSeparatedPrefix("/items".to_owned()))
        );
        assert_eq!(headers(&items), [header_matcher(":path", regex("/items(?:[/?].*)?"))]);
        let rule = PathMatcher { rule: Some(path_matcher::Rule::Path(regex("/items(?:/.*)?"))) };
        assert_eq!(permission(&items).rule, Some(permission::Rule::UrlPath(rule)));
    }

    #[test]
    fn everything_has_no_condition_on_the_path() {
        let everything = path(PathMatch::Prefix("/".to_owned()));
        assert_eq!(route(&everything), route(&path(PathMatch::Any)));
        assert!(headers(&everything).is_empty());
        assert_eq!(permission(&everything).rule, Some(permission::Rule::Any(true)));
    }

    #[test]
    fn several_conditions_hold_at_once() {
        let matches = HttpMatch {
            path: PathMatch::Exact("/a.b".to_owned()),
            methods: vec!["GET".to_owned(), "HEAD".to_owned()],
            headers: vec![HeaderMatch {
                name: "x-a".to_owned(),
                negated: false,
                value: StringMatch::Present,
            }],
            queries: Vec::new(),
            not: Vec::new(),
        };
        assert_eq!(headers(&matches).len(), 3);
        assert_eq!(headers(&matches)[0], header_matcher(":path", regex("/a\\.b(?:\\?.*)?")));
        assert_eq!(headers(&matches)[1], header_matcher(":method", regex("GET|HEAD")));
        let Some(permission::Rule::AndRules(set)) = permission(&matches).rule else {
            panic!("several conditions are a conjunction");
        };
        assert_eq!(set.rules.len(), 3);
    }
}
