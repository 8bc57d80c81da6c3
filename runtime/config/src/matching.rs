//! Matches on the properties of a request.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::rules::Context;
use crate::{Path, raw};
use regex::bytes::{Regex, RegexBuilder};

/// A regular expression over bytes that must match a whole value. `.` is any byte, and classes such as `\w` are ASCII's.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Pattern {
    /// Whether the expression matches all of `bytes`.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.regex.is_match(bytes)
    }

    /// The number of the last group; the whole match is group 0.
    pub(crate) fn last_group(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// What each group matched, from group 0 on, if the expression matches all of `text`; a group that took no part is
    /// empty.
    pub(crate) fn groups<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let captures = self.regex.captures(text.as_bytes())?;
        let group = |found: Option<regex::bytes::Match<'_>>| found.and_then(|found| text.get(found.range()));
        Some(captures.iter().map(|found| group(found).unwrap_or_default()).collect())
    }

    pub(crate) fn compile(source: &str) -> Result<Self, regex::Error> {
        let compile = |expression: &str| RegexBuilder::new(expression).unicode(false).build();
        // Compiled alone first, so that `a)(b` cannot escape the group around it.
        compile(source)?;
        Ok(Pattern { source: source.to_owned(), regex: compile(&format!(r"\A(?:{source})\z"))? })
    }

    pub(crate) fn check(cx: &mut Context<'_>, source: &str, at: &Path) -> Option<Self> {
        match Pattern::compile(source) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                cx.wrong(at, format!("`{source}` is not a regular expression: {error}"));
                None
            }
        }
    }
}

/// A match on the normalised path without the query.
#[derive(Debug, Clone, PartialEq)]
pub enum PathMatch {
    /// This path.
    Exact(String),
    /// This path and every path below it; held without a final slash, so that `/` is the empty string.
    Prefix(String),
    /// Every path whose text begins so.
    StartsWith(String),
    /// Every path that the expression matches.
    Regex(Pattern),
}

impl PathMatch {
    /// Whether `path` (normalised, without a query) matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            PathMatch::Exact(exact) => path == exact,
            PathMatch::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            PathMatch::StartsWith(start) => path.starts_with(start.as_str()),
            PathMatch::Regex(pattern) => pattern.matches(path.as_bytes()),
        }
    }

    fn check(cx: &mut Context<'_>, raw: &raw::PathMatch, at: &Path) -> Option<Self> {
        let mut absolute = |name: &str, path: &str| {
            if path.starts_with('/') {
                return true;
            }
            cx.wrong(&at.field(name), format!("`{path}` does not begin with `/`, so it never matches"));
            false
        };
        match raw {
            raw::PathMatch::Exact(path) => absolute("exact", path).then(|| PathMatch::Exact(path.clone())),
            raw::PathMatch::Prefix(path) => absolute("prefix", path)
                .then(|| PathMatch::Prefix(path.strip_suffix('/').unwrap_or(path).to_owned())),
            raw::PathMatch::StartsWith(text) => {
                absolute("starts_with", text).then(|| PathMatch::StartsWith(text.clone()))
            }
            raw::PathMatch::Regex(source) => {
                Pattern::check(cx, source, &at.field("regex")).map(PathMatch::Regex)
            }
        }
    }
}

/// A match on a header's value.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueMatch {
    /// This value.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// A value that the expression matches.
    Regex(Pattern),
    /// Any value, but the header must be there.
    Present,
}

/// A match on one header.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderMatch {
    /// The header's name, in lower case.
    pub name: String,
    /// Whether no line of the header may match, instead of one that must.
    pub not: bool,
    /// What its value must be.
    pub value: ValueMatch,
}

impl ValueMatch {
    /// Whether a value matches.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            ValueMatch::Exact(exact) => value == exact.as_bytes(),
            ValueMatch::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            ValueMatch::Regex(pattern) => pattern.matches(value),
            ValueMatch::Present => true,
        }
    }

    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::ValueMatch, at: &Path) -> Option<Self> {
        match raw {
            raw::ValueMatch::Exact(value) => Some(ValueMatch::Exact(value.clone())),
            raw::ValueMatch::Prefix(value) => Some(ValueMatch::Prefix(value.clone())),
            raw::ValueMatch::Regex(source) => {
                Pattern::check(cx, source, &at.field("regex")).map(ValueMatch::Regex)
            }
            raw::ValueMatch::Present => Some(ValueMatch::Present),
        }
    }
}

impl HeaderMatch {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::HeaderMatch, at: &Path) -> Option<Self> {
        let raw::HeaderMatch { name, not, value } = raw;
        let name = header_name(cx, name, &at.field("name"));
        let value = ValueMatch::check(cx, value, &at.field("value"));
        Some(HeaderMatch { name: name?, not: *not, value: value? })
    }
}

/// A match on one parameter of the query, which is compared as it is sent, escapes included.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryMatch {
    /// The parameter's name.
    pub name: String,
    /// Whether no parameter of this name may match, instead of one that must.
    pub not: bool,
    /// What its value must be.
    pub value: QueryValue,
}

/// A match on a parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// Any value, but the parameter must be there.
    Present,
    /// This value.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// A value that the expression matches.
    Regex(Pattern),
}

impl QueryMatch {
    fn check(cx: &mut Context<'_>, raw: &raw::QueryMatch, at: &Path) -> Option<Self> {
        let raw::QueryMatch { name, not, value } = raw;
        let name = cx.text(name, &at.field("name"))?;
        if name.contains(['&', '=', '#']) {
            cx.wrong(&at.field("name"), format!("`{name}` is not the name of a parameter"));
            return None;
        }
        let value = match value {
            raw::QueryValue::Present => QueryValue::Present,
            raw::QueryValue::Exact(value) => QueryValue::Exact(value.clone()),
            raw::QueryValue::Prefix(value) => QueryValue::Prefix(value.clone()),
            raw::QueryValue::Regex(source) => {
                QueryValue::Regex(Pattern::check(cx, source, &at.field("value").field("regex"))?)
            }
        };
        Some(QueryMatch { name, not: *not, value })
    }
}

/// Properties of a request, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestMatch {
    /// The path; `None` is any.
    pub path: Option<PathMatch>,
    /// The methods; empty is any.
    pub methods: Vec<String>,
    /// The headers, all of which must match.
    pub headers: Vec<HeaderMatch>,
    /// The parameters of the query, all of which must match.
    pub queries: Vec<QueryMatch>,
    /// What may not hold, none of it.
    pub not: Vec<NotMatch>,
}

/// A condition that may not hold.
#[derive(Debug, Clone, PartialEq)]
pub enum NotMatch {
    /// The path.
    Path(PathMatch),
    /// The method is one of these.
    Methods(Vec<String>),
}

impl NotMatch {
    fn check(cx: &mut Context<'_>, raw: &raw::NotMatch, at: &Path) -> Option<Self> {
        match raw {
            raw::NotMatch::Path(path) => PathMatch::check(cx, path, &at.field("path")).map(NotMatch::Path),
            raw::NotMatch::Methods(methods) => {
                let at = at.field("methods");
                cx.each(methods, &at, |cx, name, at| method(cx, name, at)).map(NotMatch::Methods)
            }
        }
    }
}

impl RequestMatch {
    /// Matches every request.
    #[must_use]
    pub fn any() -> Self {
        RequestMatch {
            path: None,
            methods: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            not: Vec::new(),
        }
    }

    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::RequestMatch, at: &Path) -> Option<Self> {
        let raw::RequestMatch { path, methods, headers, queries, not } = raw;
        let path = cx.optional(path.as_ref(), &at.field("path"), PathMatch::check);
        let methods = cx.each(methods, &at.field("methods"), |cx, name, at| method(cx, name, at));
        let headers = cx.each(headers, &at.field("headers"), HeaderMatch::check);
        let queries = cx.each(queries, &at.field("queries"), QueryMatch::check);
        let not = cx.each(not, &at.field("not"), NotMatch::check);
        Some(RequestMatch { path: path?, methods: methods?, headers: headers?, queries: queries?, not: not? })
    }
}

/// A header's name in lower case, of the characters that RFC 9110 section 5.6.2 calls a token.
pub(crate) fn header_name(cx: &mut Context<'_>, name: &str, at: &Path) -> Option<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        cx.wrong(at, format!("`{name}` is not a header name"));
        return None;
    }
    Some(name.to_ascii_lowercase())
}

/// The methods that are forwarded, over every version of HTTP. Source: the list of Envoy 1.40's parser of HTTP/1.1,
/// without CONNECT.
pub const METHODS: [&str; 34] = [
    "ACL",
    "BIND",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// One of the methods that are forwarded; no request with another one gets as far as a match.
pub(crate) fn method(cx: &mut Context<'_>, name: &str, at: &Path) -> Option<String> {
    if !METHODS.contains(&name) {
        cx.wrong(
            at,
            format!("`{name}` is not one of the methods that are forwarded: {}", METHODS.join(", ")),
        );
        return None;
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_whole_segments() {
        let items = PathMatch::Prefix("/items".into());
        assert!(items.matches("/items") && items.matches("/items/1"));
        assert!(!items.matches("/itemsfoo") && !items.matches("/item"));
        assert!(PathMatch::Prefix(String::new()).matches("/anything"));
    }

    #[test]
    fn expressions_are_over_bytes() {
        let matches = |source: &str, bytes: &[u8]| Pattern::compile(source).unwrap().matches(bytes);
        assert!(matches("a.b", b"a\xe4b") && !matches("a.b", "aäb".as_bytes()));
        assert!(matches(r"\xe4", b"\xe4") && !matches(r"\xe4", "ä".as_bytes()));
        assert!(matches("ä|ö", "ö".as_bytes()) && matches("[^a]", b"\xff") && matches(r"\W", b"\xe4"));
        assert!(!matches("a", b"ab") && !matches("b|a", b"ab"));
    }
}
