//! From a request to the counters it touches: the descriptor `header_match = <bucket>`.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{DESCRIPTOR_KEY, LimitBucket, LimitCondition};
use meshc_vocabulary::model::HttpMatch;

use crate::http::matches::{exact, header_matcher, headers, one_of};
use crate::pb::flag;
use crate::pb::route::rate_limit::action::{ActionSpecifier, GenericKey, HeaderValueMatch};
use crate::pb::route::{HeaderMatcher, RateLimit, rate_limit::Action};

/// Sends the bucket's descriptor for each request that the limit and the bucket both match.
pub(crate) fn rate_limit(matches: &HttpMatch, bucket: &LimitBucket) -> RateLimit {
    // Whoever counts has the rate.
    let LimitBucket { value: name, condition, requests: _, per: _ } = bucket;
    let mut conditions = headers(matches);
    let action = match condition {
        LimitCondition::Always => matching(name, conditions),
        LimitCondition::HeaderIs { header, value } => {
            conditions.push(header_matcher(header, exact(value)));
            matching(name, conditions)
        }
        LimitCondition::HeaderIsNoneOf { header: _, values } if values.is_empty() => {
            matching(name, conditions)
        }
        LimitCondition::HeaderIsNoneOf { header, values } => {
            // One regular expression over all values: several inverted matchers would negate each on its own, and
            // the negation of several matchers at once would be true for every tier.
            let any_value = header_matcher(header, one_of(values));
            if conditions.is_empty() {
                header_value_match(name, vec![any_value], false)
            } else {
                // Only this one of the conditions is negated. An absent header must count as a value that is none
                // of these; otherwise it would produce no descriptor at all, and would not be limited.
                conditions.push(HeaderMatcher {
                    invert_match: true,
                    treat_missing_header_as_empty: true,
                    ..any_value
                });
                matching(name, conditions)
            }
        }
    };
    RateLimit { actions: vec![Action { action_specifier: Some(action) }], ..Default::default() }
}

fn matching(name: &str, conditions: Vec<HeaderMatcher>) -> ActionSpecifier {
    if conditions.is_empty() {
        ActionSpecifier::GenericKey(GenericKey {
            descriptor_key: DESCRIPTOR_KEY.to_owned(),
            descriptor_value: name.to_owned(),
            ..Default::default()
        })
    } else {
        header_value_match(name, conditions, true)
    }
}

/// Its descriptor's key, where none is given, is [`DESCRIPTOR_KEY`].
fn header_value_match(name: &str, headers: Vec<HeaderMatcher>, expect_match: bool) -> ActionSpecifier {
    ActionSpecifier::HeaderValueMatch(HeaderValueMatch {
        descriptor_value: name.to_owned(),
        expect_match: if expect_match { None } else { flag(false) },
        headers,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meshc_vocabulary::model::PathMatch;

    use super::*;

    fn otherwise(matches: &HttpMatch) -> HeaderValueMatch {
        let values = vec!["gold".to_owned(), "silver".to_owned()];
        let bucket = LimitBucket {
            value: "otherwise".to_owned(),
            condition: LimitCondition::HeaderIsNoneOf { header: "x-loyalty".to_owned(), values },
            requests: 1,
            per: Duration::from_mins(1),
        };
        let limit = rate_limit(matches, &bucket);
        match limit.actions.into_iter().next().and_then(|action| action.action_specifier) {
            Some(ActionSpecifier::HeaderValueMatch(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn otherwise_is_one_negated_expression_over_all_tiers() {
        let found = otherwise(&HttpMatch::default());
        assert_eq!(found.expect_match, flag(false));
        assert_eq!(found.headers, [header_matcher("x-loyalty", crate::http::matches::regex("gold|silver"))]);
    }

    #[test]
    fn otherwise_on_a_path_negates_the_header_only_and_counts_its_absence() {
        let found =
            otherwise(&HttpMatch { path: PathMatch::Exact("/items".to_owned()), ..Default::default() });
        assert_eq!(found.expect_match, None);
        let [path, tier] = found.headers.as_slice() else { panic!("{:?}", found.headers) };
        assert!(!path.invert_match);
        assert!(tier.invert_match && tier.treat_missing_header_as_empty);
    }
}
