//! When every request of one match also meets another one.

use meshc_vocabulary::model::{HeaderMatch, HttpMatch, PathMatch, StringMatch};

/// Whether every request that `narrow` takes meets `wide` as well. `false` may also mean that it cannot be told
/// (regular expressions are compared as text).
#[must_use]
pub fn covers(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    let methods = wide.methods.is_empty()
        || (!narrow.methods.is_empty() && narrow.methods.iter().all(|it| wide.methods.contains(it)));
    let header = |wanted: &HeaderMatch| {
        narrow.headers.iter().any(|it| it.name == wanted.name && value_covers(&wanted.value, &it.value))
    };
    methods && path_covers(&wide.path, &narrow.path) && wide.headers.iter().all(header)
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
        (PathMatch::Prefix(wide), PathMatch::Any) => wide == "/",
        (PathMatch::Prefix(wide), PathMatch::Regex(_)) => wide == "/",
        (PathMatch::Exact(_), PathMatch::Any | PathMatch::Prefix(_) | PathMatch::Regex(_))
        | (PathMatch::Regex(_), PathMatch::Any | PathMatch::Exact(_) | PathMatch::Prefix(_)) => false,
    }
}

/// Whether a path is this prefix or lies below it, by whole segments.
fn below(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
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
        let header = |value| HeaderMatch { name: String::from("x"), value };
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
