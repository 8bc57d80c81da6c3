//! Conditions on requests.

use meshc_vocabulary::model::{HeaderMatch, HttpMatch, PathMatch, StringMatch};
use meshd_config::raw;

/// The same condition in meshd's spelling.
pub(crate) fn request(matches: &HttpMatch) -> raw::RequestMatch {
    raw::RequestMatch {
        path: match &matches.path {
            PathMatch::Any => None,
            PathMatch::Exact(path) => Some(raw::PathMatch::Exact(path.clone())),
            PathMatch::Prefix(path) => Some(raw::PathMatch::Prefix(path.clone())),
            PathMatch::Regex(pattern) => Some(raw::PathMatch::Regex(pattern.clone())),
        },
        methods: matches.methods.clone(),
        headers: matches.headers.iter().map(header).collect(),
    }
}

fn header(header: &HeaderMatch) -> raw::HeaderMatch {
    raw::HeaderMatch {
        name: header.name.clone(),
        value: match &header.value {
            StringMatch::Present => raw::ValueMatch::Present,
            StringMatch::Exact(value) => raw::ValueMatch::Exact(value.clone()),
            StringMatch::Prefix(value) => raw::ValueMatch::Prefix(value.clone()),
            StringMatch::Regex(pattern) => raw::ValueMatch::Regex(pattern.clone()),
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
