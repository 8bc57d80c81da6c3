//! When every request of one match also meets another one.

use meshc_vocabulary::model::{
    HeaderMatch, HttpMatch, NotMatch, PathMatch, QueryMatch, QueryValue, StringMatch,
};

/// Whether every request that `narrow` takes meets `wide` as well. `false` may also mean that it cannot be told
/// (regular expressions are compared as text).
#[must_use]
pub fn covers(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    let methods = wide.methods.is_empty()
        || (!narrow.methods.is_empty() && narrow.methods.iter().all(|it| wide.methods.contains(it)));
    let header = |wanted: &HeaderMatch| narrow.headers.iter().any(|it| header_covers(wanted, it));
    let query = |wanted: &QueryMatch| narrow.queries.iter().any(|it| query_covers(wanted, it));
    methods
        && path_covers(&wide.path, &narrow.path)
        && wide.headers.iter().all(header)
        && wide.queries.iter().all(query)
        && wide.not.iter().all(|not| narrow.not.contains(not) || excludes(not, narrow))
}

/// Whether no request of a match meets what may not hold.
fn excludes(not: &NotMatch, narrow: &HttpMatch) -> bool {
    let other = match not {
        NotMatch::Path(path) => HttpMatch { path: path.clone(), ..HttpMatch::default() },
        NotMatch::Methods(methods) => HttpMatch { methods: methods.clone(), ..HttpMatch::default() },
    };
    disjoint(&other, narrow)
}

/// Whether every request that meets any of `narrow` meets one of `wide` as well. `false` may also mean that it cannot be
/// told, and does where several of `wide` together take what one of `narrow` does.
#[must_use]
pub fn covers_all(wide: &[HttpMatch], narrow: &[HttpMatch]) -> bool {
    narrow.iter().all(|narrow| wide.iter().any(|wide| covers(wide, narrow)))
}

/// Whether no request meets both. `false` may also mean that it cannot be told.
#[must_use]
pub fn disjoint(one: &HttpMatch, other: &HttpMatch) -> bool {
    let methods = !one.methods.is_empty()
        && !other.methods.is_empty()
        && !one.methods.iter().any(|method| other.methods.contains(method));
    let paths = match (&one.path, &other.path) {
        (PathMatch::Exact(one), PathMatch::Exact(other)) => one != other,
        (PathMatch::Prefix(prefix), PathMatch::Exact(exact))
        | (PathMatch::Exact(exact), PathMatch::Prefix(prefix)) => !below(prefix, exact),
        (PathMatch::Prefix(one), PathMatch::Prefix(other)) => !below(one, other) && !below(other, one),
        (PathMatch::StartsWith(start), PathMatch::Exact(exact))
        | (PathMatch::Exact(exact), PathMatch::StartsWith(start)) => !exact.starts_with(start.as_str()),
        (PathMatch::StartsWith(one), PathMatch::StartsWith(other) | PathMatch::Prefix(other))
        | (PathMatch::Prefix(other), PathMatch::StartsWith(one)) => {
            !one.starts_with(other.as_str()) && !other.starts_with(one.as_str())
        }
        (PathMatch::Any | PathMatch::Regex(_), _) | (_, PathMatch::Any | PathMatch::Regex(_)) => false,
    };
    methods || paths
}

fn path_covers(wide: &PathMatch, narrow: &PathMatch) -> bool {
    match (wide, narrow) {
        (PathMatch::Any, _) => true,
        (PathMatch::Exact(wide), PathMatch::Exact(narrow))
        | (PathMatch::Regex(wide), PathMatch::Regex(narrow)) => wide == narrow,
        (PathMatch::Prefix(wide), PathMatch::Exact(narrow) | PathMatch::Prefix(narrow)) => {
            below(wide, narrow)
        }
        // Whatever begins with a whole segment and the slash behind it lies below that segment.
        (PathMatch::Prefix(wide), PathMatch::StartsWith(narrow)) => {
            let segments = wide.trim_end_matches('/');
            narrow.strip_prefix(segments).is_some_and(|rest| rest.starts_with('/'))
        }
        (PathMatch::StartsWith(wide), PathMatch::Exact(narrow) | PathMatch::StartsWith(narrow)) => {
            narrow.starts_with(wide.as_str())
        }
        // `/items/` as a prefix takes `/items` too.
        (PathMatch::StartsWith(wide), PathMatch::Prefix(narrow)) => {
            wide == "/" || narrow.trim_end_matches('/').starts_with(wide.as_str())
        }
        (PathMatch::Prefix(wide) | PathMatch::StartsWith(wide), PathMatch::Any | PathMatch::Regex(_)) => {
            wide == "/"
        }
        (
            PathMatch::Exact(_),
            PathMatch::Any | PathMatch::Prefix(_) | PathMatch::StartsWith(_) | PathMatch::Regex(_),
        )
        | (
            PathMatch::Regex(_),
            PathMatch::Any | PathMatch::Exact(_) | PathMatch::Prefix(_) | PathMatch::StartsWith(_),
        ) => false,
    }
}

/// Whether a path is this prefix or lies below it, by whole segments.
fn below(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

fn header_covers(wide: &HeaderMatch, narrow: &HeaderMatch) -> bool {
    wide.name == narrow.name
        && match (wide.negated, narrow.negated) {
            (false, false) => value_covers(&wide.value, &narrow.value),
            // Who excludes more admits less.
            (true, true) => value_covers(&narrow.value, &wide.value),
            (true, false) | (false, true) => false,
        }
}

fn query_covers(wide: &QueryMatch, narrow: &QueryMatch) -> bool {
    wide.name == narrow.name
        && match (wide.negated, narrow.negated) {
            (false, false) => parameter_covers(&wide.value, &narrow.value),
            (true, true) => parameter_covers(&narrow.value, &wide.value),
            (true, false) | (false, true) => false,
        }
}

fn parameter_covers(wide: &QueryValue, narrow: &QueryValue) -> bool {
    match (wide, narrow) {
        (QueryValue::Present, _) => true,
        (QueryValue::Exact(wide), QueryValue::Exact(narrow)) => wide == narrow,
        (QueryValue::Prefix(wide), QueryValue::Exact(narrow) | QueryValue::Prefix(narrow)) => {
            narrow.starts_with(wide.as_str())
        }
        (QueryValue::Prefix(wide), QueryValue::Present) => wide.is_empty(),
        (QueryValue::Exact(_), QueryValue::Present | QueryValue::Prefix(_)) => false,
        (wide @ QueryValue::Regex { expression: _, is_met_by_nothing: _ }, narrow)
        | (wide, narrow @ QueryValue::Regex { expression: _, is_met_by_nothing: _ }) => wide == narrow,
    }
}

fn value_covers(wide: &StringMatch, narrow: &StringMatch) -> bool {
    match (wide, narrow) {
        (StringMatch::Present, _) => true,
        (StringMatch::Exact(wide), StringMatch::Exact(narrow))
        | (StringMatch::Regex(wide), StringMatch::Regex(narrow)) => wide == narrow,
        (StringMatch::Prefix(wide), StringMatch::Exact(narrow) | StringMatch::Prefix(narrow)) => {
            narrow.starts_with(wide.as_str())
        }
        (StringMatch::Exact(_), StringMatch::Present | StringMatch::Prefix(_) | StringMatch::Regex(_))
        | (StringMatch::Prefix(_), StringMatch::Present | StringMatch::Regex(_))
        | (StringMatch::Regex(_), StringMatch::Present | StringMatch::Exact(_) | StringMatch::Prefix(_)) => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: PathMatch) -> HttpMatch {
        HttpMatch { path, ..HttpMatch::default() }
    }

    fn exact(text: &str) -> HttpMatch {
        path(PathMatch::Exact(text.to_owned()))
    }

    fn prefix(text: &str) -> HttpMatch {
        path(PathMatch::Prefix(text.to_owned()))
    }

    #[test]
    fn what_may_not_hold_covers_less() {
        let not = |not| HttpMatch { not: vec![not], ..HttpMatch::default() };
        let admin = || not(NotMatch::Path(PathMatch::Prefix(String::from("/admin"))));
        assert!(covers(&HttpMatch::default(), &admin()) && !covers(&admin(), &HttpMatch::default()));
        assert!(covers(&admin(), &admin()));
        assert!(covers(&admin(), &exact("/items")) && !covers(&admin(), &exact("/admin/x")));
        let reads = || not(NotMatch::Methods(vec![String::from("GET")]));
        assert!(!covers(&reads(), &admin()) && !covers_all(&[admin(), reads()], &[HttpMatch::default()]));
    }

    #[test]
    fn prefixes_cover_whole_segments() {
        assert!(covers(&prefix("/items"), &exact("/items")));
        assert!(covers(&prefix("/items"), &prefix("/items/1")));
        assert!(covers(&prefix("/items/"), &exact("/items/1")));
        assert!(!covers(&prefix("/items/"), &exact("/items")));
        assert!(covers(&prefix("/"), &HttpMatch::default()));
        assert!(!covers(&prefix("/items"), &exact("/itemsfoo")));
        assert!(!covers(&prefix("/items/1"), &prefix("/items")));
        assert!(!covers(&exact("/items"), &prefix("/items")));
    }

    #[test]
    fn text_that_a_path_begins_with_is_no_segment() {
        let starts = |text: &str| path(PathMatch::StartsWith(text.to_owned()));
        assert!(covers(&starts("/it"), &prefix("/items")) && covers(&starts("/it"), &exact("/items")));
        assert!(covers(&starts("/"), &HttpMatch::default()));
        assert!(
            covers(&prefix("/items"), &starts("/items/a")) && covers(&prefix("/items/"), &starts("/items/"))
        );
        assert!(!covers(&prefix("/items"), &starts("/items")), "`/itemsfoo` is not below it");
        assert!(!covers(&starts("/items/"), &prefix("/items/")), "`/items` itself is below it");
        assert!(disjoint(&starts("/a"), &prefix("/b")) && !disjoint(&starts("/items/1"), &prefix("/items")));
        assert!(
            !disjoint(&starts("/it"), &exact("/items")) && disjoint(&starts("/items/"), &exact("/items"))
        );
    }

    #[test]
    fn who_excludes_more_admits_less() {
        let without = |value| HttpMatch {
            headers: vec![HeaderMatch { name: String::from("x"), negated: true, value }],
            ..HttpMatch::default()
        };
        let exact = || StringMatch::Exact(String::from("gold"));
        assert!(covers(&without(exact()), &without(StringMatch::Present)), "absent is not gold");
        assert!(!covers(&without(StringMatch::Present), &without(exact())));
        assert!(covers(&without(exact()), &without(StringMatch::Prefix(String::from("go")))));
        let with = HttpMatch {
            headers: vec![HeaderMatch { name: String::from("x"), negated: false, value: exact() }],
            ..HttpMatch::default()
        };
        assert!(!covers(&without(StringMatch::Present), &with) && !covers(&with, &without(exact())));
    }

    #[test]
    fn conditions_on_the_query_count() {
        let query = |value| HttpMatch {
            queries: vec![QueryMatch { name: String::from("v"), negated: false, value }],
            ..HttpMatch::default()
        };
        let exact = || query(QueryValue::Exact(String::from("2")));
        assert!(covers(&query(QueryValue::Present), &exact()) && covers(&HttpMatch::default(), &exact()));
        assert!(!covers(&exact(), &query(QueryValue::Present)) && !covers(&exact(), &HttpMatch::default()));
        assert!(covers_all(&[exact(), query(QueryValue::Present)], &[exact(), exact()]));
        assert!(!covers_all(&[exact()], &[exact(), query(QueryValue::Present)]));
    }

    #[test]
    fn matches_are_disjoint_by_path_or_method() {
        assert!(disjoint(&prefix("/public"), &prefix("/admin")));
        assert!(disjoint(&exact("/admin"), &prefix("/public")));
        assert!(!disjoint(&prefix("/admin"), &exact("/admin/keys")));
        assert!(!disjoint(&prefix("/admin/keys"), &prefix("/admin")));
        assert!(!disjoint(&HttpMatch::default(), &prefix("/admin")));
        let with = |method: &str| HttpMatch { methods: vec![method.to_owned()], ..HttpMatch::default() };
        assert!(disjoint(&with("GET"), &with("PUT")));
        assert!(!disjoint(&with("GET"), &with("GET")));
    }

    #[test]
    fn fewer_conditions_cover_more() {
        let header = |value| HeaderMatch { name: String::from("x"), negated: false, value };
        let with = |methods: &[&str], headers: Vec<HeaderMatch>| HttpMatch {
            methods: methods.iter().map(|it| (*it).to_owned()).collect(),
            headers,
            ..HttpMatch::default()
        };
        let exact = header(StringMatch::Exact(String::from("gold")));
        let starts = header(StringMatch::Prefix(String::from("go")));
        let present = header(StringMatch::Present);
        assert!(covers(&with(&[], vec![]), &with(&["GET"], vec![exact.clone()])));
        assert!(covers(&with(&["GET", "PUT"], vec![]), &with(&["GET"], vec![])));
        assert!(!covers(&with(&["GET"], vec![]), &with(&[], vec![])));
        assert!(!covers(&with(&["GET"], vec![]), &with(&["GET", "PUT"], vec![])));
        assert!(covers(&with(&[], vec![present.clone()]), &with(&[], vec![exact.clone()])));
        assert!(covers(&with(&[], vec![starts]), &with(&[], vec![exact.clone()])));
        assert!(!covers(&with(&[], vec![exact]), &with(&[], vec![present])));
    }
}
