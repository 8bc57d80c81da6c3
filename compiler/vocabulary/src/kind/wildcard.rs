//! Wildcards in conditions that compare literally: `/admin/*` as a path is a path with a star in it.
//!
//! Other systems write patterns this way, so a rule with one looks right and matches no request. In `allow`, `deny` and
//! `rate_limit` that is an error, since a rule that protects must not be one that never applies; a route that matches
//! nothing is visible at the first request and therefore a warning.

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Sink, Span, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::Name;

use crate::codes;
use crate::words;

/// What depends on a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which requests are admitted or refused: `allow`, `deny`, `rate_limit`.
    Protection,
    /// Where requests go.
    Routing,
}

/// What a path with wildcards was probably meant to be.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    /// Everything below this path.
    Prefix(String),
    /// Whatever this expression matches.
    Regex(String),
}

/// Reports wildcards in `path` and `prefix`, and a slash that is repeated in `regex`.
pub(crate) fn check_path(block: &Block, purpose: Purpose, sink: &mut Sink) {
    for name in [words::PATH, words::PREFIX, words::STARTS_WITH] {
        let (Some(value), Some(span)) = (block.get::<String>(name), block.written(name)) else { continue };
        let Some(found) = wildcard(&value.value) else { continue };
        let message = format!("`{found}` in `{name}` is compared as it is and matches no other text");
        let (word, text) = match meant(&value.value, name != words::PATH) {
            Meant::Prefix(path) => (words::PREFIX, path),
            Meant::Regex(expression) => (words::REGEX, expression),
        };
        let help = format!("write `{word} = \"{text}\"`");
        sink.push(report(message, purpose, &value, help, edits((name, span), &value, (word, &text))));
    }
    for value in block.get::<Vec<Spanned<String>>>(words::PATHS).into_iter().flat_map(|paths| paths.value) {
        let Some(found) = wildcard(&value.value) else { continue };
        let message = format!("`{found}` in `paths` is compared as it is and matches no other text");
        let (word, text) = match meant(&value.value, false) {
            Meant::Prefix(path) => (words::PREFIX, path),
            Meant::Regex(expression) => (words::REGEX, expression),
        };
        let help = format!("write a `match` block of its own with `{word} = \"{text}\"`");
        sink.push(report(message, purpose, &value, help, None));
    }
    if let (Some(value), Some(span)) = (block.get::<String>(words::REGEX), block.written(words::REGEX))
        && let Some(text) = repeated_slash(&value.value)
    {
        let message = String::from("`/*` in a regular expression means any number of slashes");
        let help = format!("write `regex = \"{text}\"`");
        let edits = edits((words::REGEX, span), &value, (words::REGEX, &text));
        sink.push(report(message, purpose, &value, help, edits).label("paths have no repeated slashes"));
    }
}

/// Reports a value of a header that ends in a star.
pub(crate) fn check_header(header: &Block, purpose: Purpose, sink: &mut Sink) {
    for name in [words::EXACT, words::PREFIX] {
        let (Some(value), Some(span)) = (header.get::<String>(name), header.written(name)) else { continue };
        let Some(stem) = starred(&value.value) else { continue };
        let message = format!("`*` in `{name}` is compared as it is and matches no other text");
        let help = format!("write `prefix = \"{stem}\"`");
        sink.push(report(message, purpose, &value, help, edits((name, span), &value, (words::PREFIX, stem))));
    }
}

/// Reports the value of a tier that ends in a star.
pub(crate) fn check_tier(value: &Spanned<String>, sink: &mut Sink) {
    if value.value == "*" || starred(&value.value).is_some() {
        let message = String::from("`*` in a tier is compared as it is and matches no other text");
        let help = String::from("give each value a tier of its own, or count all others with `otherwise`");
        sink.push(report(message, Purpose::Protection, value, help, None));
    }
}

/// What stands before a star at the end of a header's value. Values such as `*` and `text/*` have it for themselves, in
/// `If-Match` and `Accept`.
fn starred(value: &str) -> Option<&str> {
    let stem = value.strip_suffix('*')?;
    let own = stem.is_empty() || stem.ends_with(['/', '*']);
    (!own).then_some(stem)
}

fn report(
    message: String,
    purpose: Purpose,
    value: &Spanned<String>,
    help: String,
    edits: Option<Vec<Edit>>,
) -> Diagnostic {
    let diagnostic = match purpose {
        Purpose::Protection => Diagnostic::error(codes::LITERAL_WILDCARD, value.span, message),
        Purpose::Routing => Diagnostic::warning(codes::LITERAL_WILDCARD_IN_ROUTE, value.span, message),
    };
    let diagnostic = diagnostic.label("this is compared as it is written");
    match edits {
        Some(edits) => {
            let fix = Fix { title: help, applicability: Applicability::Suggested, edits };
            diagnostic.fix(fix)
        }
        None => diagnostic.help(help),
    }
}

/// The edits that write another attribute in the place of one; none if the value is not written as it is, because it
/// contains escapes or other values.
fn edits(
    (name, name_span): (Name, Span),
    value: &Spanned<String>,
    (word, text): (Name, &str),
) -> Option<Vec<Edit>> {
    let quotes = 2;
    let written = usize::try_from(value.span.end.saturating_sub(value.span.start)).unwrap_or(0);
    if written != value.value.len() + quotes {
        return None;
    }
    let mut edits = vec![Edit { span: value.span, text: format!("\"{text}\"") }];
    if name != word {
        edits.insert(0, Edit { span: name_span, text: word.text().to_owned() });
    }
    Some(edits)
}

/// The first wildcard in a path, as other systems write them: `*`, `{id}`, or a segment `:id`.
fn wildcard(path: &str) -> Option<&str> {
    path.split('/').find_map(|segment| {
        if let Some(at) = segment.find('*') {
            let stars = segment.get(at..)?;
            let length = stars.len() - stars.trim_start_matches('*').len();
            return stars.get(..length);
        }
        if let Some(at) = segment.find('{')
            && let Some(length) = segment.get(at..)?.find('}')
        {
            return segment.get(at..=at + length);
        }
        is_parameter(segment).then_some(segment)
    })
}

/// `:id`: a colon right after a slash, and a name.
fn is_parameter(segment: &str) -> bool {
    segment.strip_prefix(':').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn meant(path: &str, prefix: bool) -> Meant {
    let below = ["/**", "/*"].iter().find_map(|end| path.strip_suffix(end));
    let stem = below.unwrap_or(path);
    if wildcard(stem).is_none() {
        return Meant::Prefix(if stem.is_empty() { String::from("/") } else { stem.to_owned() });
    }
    let segments: Vec<_> = stem.split('/').map(expression).collect();
    let below = if below.is_some() || prefix { "(/.*)?" } else { "" };
    Meant::Regex(format!("{}{below}", segments.join("/")))
}

/// One segment of a path with wildcards as a regular expression, in which nothing has to be escaped in a string.
fn expression(segment: &str) -> String {
    let mut text = String::new();
    let mut rest = segment;
    if is_parameter(segment) {
        return String::from("[^/]+");
    }
    while let Some(first) = rest.chars().next() {
        if first == '*' {
            let after = rest.trim_start_matches('*');
            let stars = rest.len() - after.len();
            let whole = stars == segment.len();
            text.push_str(match (stars, whole) {
                (1, true) => "[^/]+",
                (1, false) => "[^/]*",
                (_, _) => ".*",
            });
            rest = after;
            continue;
        }
        if first == '{'
            && let Some((name, after)) = rest.split_once('}')
        {
            text.push_str(if name.contains(['*', '.']) { ".*" } else { "[^/]+" });
            rest = after;
            continue;
        }
        match first {
            '\\' | '^' => text.push_str(&format!("[\\\\{first}]")),
            '.' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '$' => {
                text.push_str(&format!("[{first}]"));
            }
            other => text.push(other),
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    text
}

/// An expression in which `/*` became `/.*`, if it repeats a slash outside of brackets: normalised paths have no repeated
/// slashes.
fn repeated_slash(expression: &str) -> Option<String> {
    let (mut text, mut in_brackets, mut escaped) = (String::new(), false, false);
    for character in expression.chars() {
        match character {
            '[' if !escaped => in_brackets = true,
            ']' if !escaped => in_brackets = false,
            '*' if !in_brackets && text.ends_with('/') => text.push('.'),
            // `/**` is `/*`, twice.
            '*' if text.ends_with("/.*") => continue,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        text.push(character);
    }
    (text != expression).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_other_systems_are_found_and_their_meaning_guessed() {
        let prefix = |path: &str| Meant::Prefix(path.to_owned());
        let regex = |expression: &str| Meant::Regex(expression.to_owned());
        for (path, found, expected) in [
            ("/admin/*", "*", prefix("/admin")),
            ("/admin/**", "**", prefix("/admin")),
            ("/*", "*", prefix("/")),
            ("/users/{id}", "{id}", regex("/users/[^/]+")),
            ("/users/:id/cart", ":id", regex("/users/[^/]+/cart")),
            ("/users/{id}/*", "{id}", regex("/users/[^/]+(/.*)?")),
            ("/v*/items.json", "*", regex("/v[^/]*/items[.]json")),
            ("/files/{path=**}", "**", regex("/files/.*")),
            ("/a/*/b", "*", regex("/a/[^/]+/b")),
        ] {
            assert_eq!(wildcard(path), Some(found), "{path}");
            assert_eq!(meant(path, false), expected, "{path}");
            if let Meant::Regex(expression) = meant(path, true) {
                assert!(expression.ends_with("(/.*)?"), "{expression}");
            }
        }
    }

    #[test]
    fn ordinary_paths_have_no_wildcards() {
        for path in ["/", "/items", "/v1/projects:cancel", "/a/{", "/a}", "/:8080", "/a:b/c"] {
            assert_eq!(wildcard(path), None, "{path}");
        }
        for value in ["*", "*/*", "text/*", "gold", ""] {
            assert_eq!(starred(value), None, "{value}");
        }
        assert_eq!(starred("guest*"), Some("guest"));
    }

    #[test]
    fn a_repeated_slash_becomes_anything_below_it() {
        assert_eq!(repeated_slash("/admin/*"), Some(String::from("/admin/.*")));
        assert_eq!(repeated_slash("/admin/**"), Some(String::from("/admin/.*")));
        for expression in ["/admin(/.*)?", "/a[/*]+", "/a/[*]", "/v[0-9]*/x", "/a/.*"] {
            assert_eq!(repeated_slash(expression), None, "{expression}");
        }
    }
}
