//! Conditions on requests.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::{
    HeaderMatch, HttpMatch, NotMatch, PathMatch, QueryMatch, QueryValue, StringMatch,
};
use meshd_config::raw;

/// The same condition in meshd's spelling.
pub(crate) fn request(matches: &HttpMatch) -> raw::RequestMatch {
    let HttpMatch { path, methods, headers, queries, not } = matches;
    let not = not.iter().filter_map(|not| match not {
        NotMatch::Path(path) => self::path(path).map(raw::NotMatch::Path),
        NotMatch::Methods(methods) => Some(raw::NotMatch::Methods(methods.clone())),
    });
    raw::RequestMatch {
        path: self::path(path),
        methods: methods.clone(),
        headers: headers.iter().map(header).collect(),
        queries: queries.iter().map(query).collect(),
        not: not.collect(),
    }
}

fn path(path: &PathMatch) -> Option<raw::PathMatch> {
    match path {
        PathMatch::Any => None,
        PathMatch::Exact(path) => Some(raw::PathMatch::Exact(path.clone())),
        PathMatch::Prefix(path) => Some(raw::PathMatch::Prefix(path.clone())),
        PathMatch::StartsWith(text) => Some(raw::PathMatch::StartsWith(text.clone())),
        PathMatch::Regex(pattern) => Some(raw::PathMatch::Regex(pattern.clone())),
    }
}

/// A condition on a header.
pub(crate) fn header(header: &HeaderMatch) -> raw::HeaderMatch {
    let HeaderMatch { name, negated, value } = header;
    raw::HeaderMatch { name: name.clone(), not: *negated, value: self::value(value) }
}

/// A condition on a value.
pub(crate) fn value(value: &StringMatch) -> raw::ValueMatch {
    match value {
        StringMatch::Present => raw::ValueMatch::Present,
        StringMatch::Exact(value) => raw::ValueMatch::Exact(value.clone()),
        StringMatch::Prefix(value) => raw::ValueMatch::Prefix(value.clone()),
        StringMatch::Regex(pattern) => raw::ValueMatch::Regex(pattern.clone()),
    }
}

fn query(query: &QueryMatch) -> raw::QueryMatch {
    let QueryMatch { name, negated, value } = query;
    raw::QueryMatch {
        name: name.clone(),
        not: *negated,
        value: match value {
            QueryValue::Present => raw::QueryValue::Present,
            QueryValue::Exact(value) => raw::QueryValue::Exact(value.clone()),
            QueryValue::Prefix(value) => raw::QueryValue::Prefix(value.clone()),
            QueryValue::Regex { expression, is_met_by_nothing: _ } => {
                raw::QueryValue::Regex(expression.clone())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_language_and_meshd_have_the_same_methods() {
        assert_eq!(meshc_vocabulary::METHODS, meshd_config::METHODS);
    }
}
