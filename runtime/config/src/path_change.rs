//! Changes of paths, checked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::rules::Context;
use crate::{Path, Pattern, raw};

/// What becomes of a path, without its query.
#[derive(Debug, Clone, PartialEq)]
pub enum PathChange {
    /// It becomes this one.
    Full(String),
    /// Its beginning changes; what would be empty then is `/`.
    Prefix {
        /// What it begins with, without a final slash.
        from: String,
        /// What stands in its place, without a final slash.
        to: String,
    },
    /// One that the expression matches as a whole becomes the substitution; any other is kept.
    Regex {
        /// The expression.
        pattern: Pattern,
        /// The parts of the new path, in order.
        substitution: Vec<Part>,
    },
}

/// A part of a new path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text.
    Text(String),
    /// What this group of the expression matched.
    Group(usize),
}

impl PathChange {
    /// The new path; `None` if it stays as it is.
    #[must_use]
    pub fn apply(&self, path: &str) -> Option<String> {
        match self {
            PathChange::Full(new) => Some(new.clone()),
            PathChange::Prefix { from, to } => {
                let rest = path.strip_prefix(from.as_str())?;
                Some(if to.is_empty() && rest.is_empty() { String::from("/") } else { format!("{to}{rest}") })
            }
            PathChange::Regex { pattern, substitution } => {
                let groups = pattern.groups(path)?;
                let part = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Group(group) => (*groups.get(*group).unwrap_or(&"")).to_owned(),
                };
                Some(substitution.iter().map(part).collect())
            }
        }
    }

    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::filter::PathChange, at: &Path) -> Option<Self> {
        let mut is_path = |name: &str, path: &str| {
            let fits =
                path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b));
            if !fits {
                cx.wrong(&at.field(name), format!("`{path}` is not a path"));
            }
            fits
        };
        match raw {
            raw::filter::PathChange::Full(path) => {
                is_path("full", path).then(|| PathChange::Full(path.clone()))
            }
            raw::filter::PathChange::Prefix { from, to } => {
                for (name, part) in [("from", from), ("to", to)] {
                    if !part.is_empty() && (!is_path("prefix", part) || part.ends_with('/')) {
                        let at = at.field("prefix").field(name);
                        cx.wrong(&at, "begins with a slash and does not end with one, or is empty");
                        return None;
                    }
                }
                Some(PathChange::Prefix { from: from.clone(), to: to.clone() })
            }
            raw::filter::PathChange::Regex { expression, substitution } => {
                if !is_path("substitution", substitution) {
                    return None;
                }
                let at = at.field("regex");
                let pattern = Pattern::check(cx, expression, &at.field("expression"))?;
                let parts = parts(substitution);
                let missing = |part: &Part| match part {
                    Part::Text(_) => false,
                    Part::Group(group) => *group > pattern.last_group(),
                };
                if parts.iter().any(missing) {
                    let message = format!("the expression has {} groups", pattern.last_group());
                    cx.wrong(&at.field("substitution"), message);
                    return None;
                }
                Some(PathChange::Regex { pattern, substitution: parts })
            }
        }
    }
}

/// A substitution taken apart.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (position, piece) in text.split('\\').enumerate() {
        let digit = piece.chars().next().and_then(|first| first.to_digit(10)).filter(|_| position > 0);
        let rest = match digit.and_then(|digit| usize::try_from(digit).ok()) {
            Some(group) => {
                parts.push(Part::Group(group));
                piece.get(1..).unwrap_or_default()
            }
            None => piece,
        };
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(from: &str, to: &str, path: &str) -> Option<String> {
        PathChange::Prefix { from: from.to_owned(), to: to.to_owned() }.apply(path)
    }

    /// The table of the Gateway API's `ReplacePrefixMatch`, in which final slashes of either prefix mean nothing.
    #[test]
    fn prefixes_are_replaced_by_whole_segments() {
        for (path, from, to, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/bar", "", "/xyz", "/xyz/bar"),
            ("/", "", "/xyz", "/xyz/"),
            ("/", "", "", "/"),
        ] {
            assert_eq!(prefix(from, to, path).as_deref(), Some(expected), "{path} {from} {to}");
        }
        assert_eq!(prefix("/foo", "/xyz", "/other"), None);
    }

    #[test]
    fn substitutions_refer_to_groups() {
        let pattern = Pattern::compile("/re/([^/]+)(/.*)?").unwrap();
        let change = PathChange::Regex { pattern, substitution: parts(r"/\1/x\2-\0") };
        assert_eq!(change.apply("/re/a/b/c").as_deref(), Some("/a/x/b/c-/re/a/b/c"));
        assert_eq!(
            change.apply("/re/a").as_deref(),
            Some("/a/x-/re/a"),
            "a group that took no part is empty"
        );
        assert_eq!(change.apply("/re"), None, "the whole path must match");
        assert_eq!(PathChange::Full("/new".into()).apply("/any").as_deref(), Some("/new"));
    }
}
