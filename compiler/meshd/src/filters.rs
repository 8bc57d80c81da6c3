//! What is done with requests and answers on their way.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::filter::{Filter, Mirror, PathChange, Rewrite};
use meshc_vocabulary::model::filter::HeaderChanges;
use meshd_config::raw::filter;

use crate::{authorization, limits};

/// The same filters in the same order.
pub(crate) fn render(filters: &[Filter]) -> Vec<filter::Filter> {
    let rendered = filters.iter().map(|one| match one {
        Filter::Authorize(authorization) => filter::Filter::Authorize(authorization::render(authorization)),
        Filter::Audit(audit) => filter::Filter::Audit(authorization::audit(audit)),
        Filter::LocalLimit(limit) => filter::Filter::Limit(limits::counted_here(limit)),
        Filter::GlobalLimit(limit) => filter::Filter::Limit(limits::counted_there(limit)),
        Filter::RequestHeaders(changes) => filter::Filter::RequestHeaders(self::changes(changes)),
        Filter::ResponseHeaders(changes) => filter::Filter::ResponseHeaders(self::changes(changes)),
        Filter::Rewrite(Rewrite { path, host }) => filter::Filter::Rewrite(filter::Rewrite {
            path: path.as_ref().map(self::path),
            host: host.clone(),
        }),
        Filter::Mirror(Mirror { upstream, share }) => {
            filter::Filter::Mirror(filter::Mirror { upstream: upstream.clone(), share: Some(*share) })
        }
    });
    rendered.collect()
}

/// What becomes of a path.
pub(crate) fn path(change: &PathChange) -> filter::PathChange {
    match change {
        PathChange::Full(path) => filter::PathChange::Full(path.clone()),
        PathChange::Prefix { from, to } => filter::PathChange::Prefix { from: from.clone(), to: to.clone() },
        PathChange::Regex { expression, substitution } => {
            filter::PathChange::Regex { expression: expression.clone(), substitution: substitution.clone() }
        }
    }
}

fn changes(changes: &HeaderChanges) -> filter::HeaderChanges {
    let HeaderChanges { origin: _, set, add, remove } = changes;
    filter::HeaderChanges {
        remove: remove.clone(),
        set: set.iter().map(line).collect(),
        add: add.iter().map(line).collect(),
    }
}

fn line((name, value): &(String, String)) -> filter::HeaderLine {
    filter::HeaderLine { name: name.clone(), value: value.clone() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_language_and_meshd_leave_the_same_headers_to_proxies() {
        assert_eq!(meshc_vocabulary::PROXIES_HEADERS, meshd_config::PROXIES_HEADERS);
        assert_eq!(meshc_vocabulary::PROXIES_HEADER_PREFIXES, meshd_config::PROXIES_HEADER_PREFIXES);
    }
}
