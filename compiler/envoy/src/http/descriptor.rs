//! From a request to the counters it touches: the descriptor `header_match = <bucket>`, and behind it the values of which
//! each is counted for itself.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    DESCRIPTOR_KEY, IPV6_PREFIX, KEY_LENGTH, LimitBucket, LimitCondition, LimitKey, NO_VALUE, UNPRINTABLE,
    key_name,
};
use meshc_vocabulary::model::HttpMatch;

use crate::http::matches::{exact, header_matcher, headers, one_of, regex};
use crate::pb::route::rate_limit::action::{ActionSpecifier, GenericKey, HeaderValueMatch};
use crate::pb::route::{HeaderMatcher, RateLimit, rate_limit::Action};
use crate::pb::{flag, literal};

/// Where values of cookies are kept for the filters behind: what they can read has none.
pub(crate) const COOKIES: &str = "mesh.cookies";

/// Sends the bucket's descriptor for each request that the limit and the bucket both match; with keys one of two, since
/// what is no printable text cannot be sent.
pub(crate) fn rate_limits(matches: &HttpMatch, bucket: &LimitBucket) -> Vec<RateLimit> {
    // Whoever counts has the rate.
    let LimitBucket { value: name, condition, keys, requests: _, burst: _, per: _ } = bucket;
    let mut printable: Vec<HeaderMatcher> = keys.iter().filter_map(guard).collect();
    printable.dedup();
    let told_apart = named(name, matches, condition, &printable);
    let told_apart = std::iter::once(told_apart).chain(keys.iter().map(value)).map(action).collect();
    let told_apart = RateLimit { actions: told_apart, ..Default::default() };
    if printable.is_empty() {
        return vec![told_apart];
    }
    let (key, value) = UNPRINTABLE;
    let not_printable = ActionSpecifier::HeaderValueMatch(HeaderValueMatch {
        descriptor_key: key.to_owned(),
        descriptor_value: value.to_owned(),
        expect_match: flag(false),
        headers: printable,
        ..Default::default()
    });
    let together = vec![action(named(name, matches, condition, &[])), action(not_printable)];
    vec![told_apart, RateLimit { actions: together, ..Default::default() }]
}

const fn action(action: ActionSpecifier) -> Action {
    Action { action_specifier: Some(action) }
}

/// The entry with the bucket's name, for requests that also meet `more`.
fn named(
    name: &str,
    matches: &HttpMatch,
    condition: &LimitCondition,
    more: &[HeaderMatcher],
) -> ActionSpecifier {
    let mut conditions = headers(matches);
    conditions.extend(more.iter().cloned());
    match condition {
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
    }
}

/// The entry with a value. Its text is a format, by a switch of the bootstrap.
fn value(key: &LimitKey) -> ActionSpecifier {
    let longest = KEY_LENGTH;
    let format = match key {
        LimitKey::Caller => String::from("%DOWNSTREAM_PEER_URI_SAN%"),
        LimitKey::Address => format!("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT({IPV6_PREFIX})%"),
        LimitKey::Client => client(),
        LimitKey::Path => format!("%PATH(NQ:PATH):{longest}%"),
        LimitKey::Header(name) => format!("%REQ({name}):{longest}%"),
        LimitKey::Cookie(name) => format!("%DYNAMIC_METADATA({COOKIES}:{name}):{longest}%"),
        LimitKey::Query(name) => format!("%QUERY_PARAM({name}):{longest}%"),
    };
    ActionSpecifier::GenericKey(GenericKey {
        descriptor_key: key_name(key),
        descriptor_value: format,
        default_value: NO_VALUE.to_owned(),
    })
}

/// The address of the client, which may be one of IPv4 that is written as one of IPv6: that is the IPv4 address.
fn client() -> String {
    let mapped = r"re.extract(source.address, '[[]::ffff:([0-9.]+)[]]:.*', '\\\\1/32')";
    let any = "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT";
    format!(
        r#"%COALESCE({{"operators":[{{"command":"CEL","param":"{mapped}"}},{{"command":"{any}","param":"{IPV6_PREFIX}"}}]}})%"#
    )
}

/// What must be printable for a value to be sent. Parameters are unescaped first, and must be printable then.
fn guard(key: &LimitKey) -> Option<HeaderMatcher> {
    let (header, pattern) = match key {
        LimitKey::Caller | LimitKey::Address | LimitKey::Client => return None,
        LimitKey::Path => (":path", "[ -~]*"),
        LimitKey::Header(name) => (name.as_str(), "[ -~]*"),
        LimitKey::Cookie(_) => ("cookie", "[ -~]*"),
        LimitKey::Query(_) => (":path", "[^?]*(?:\\?(?:[ -$&-~]|%[2-7][0-9A-Fa-f])*)?"),
    };
    Some(HeaderMatcher { treat_missing_header_as_empty: true, ..header_matcher(header, regex(pattern)) })
}

fn matching(name: &str, conditions: Vec<HeaderMatcher>) -> ActionSpecifier {
    if conditions.is_empty() {
        ActionSpecifier::GenericKey(GenericKey {
            descriptor_key: DESCRIPTOR_KEY.to_owned(),
            descriptor_value: literal(name),
            ..Default::default()
        })
    } else {
        header_value_match(name, conditions, true)
    }
}

/// Its descriptor's key, where none is given, is [`DESCRIPTOR_KEY`].
fn header_value_match(name: &str, headers: Vec<HeaderMatcher>, expect_match: bool) -> ActionSpecifier {
    ActionSpecifier::HeaderValueMatch(HeaderValueMatch {
        descriptor_value: literal(name),
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
            keys: Vec::new(),
            requests: 1,
            burst: 1,
            per: Duration::from_mins(1),
        };
        let limit = rate_limits(matches, &bucket).remove(0);
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
