//! A condition on a path that no normalised path can meet.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::{HttpMatch, NotMatch, PathMatch};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0329"),
        title: "a path that no request can have",
        explanation: r#"Before anything looks at a request, both data planes normalise its path: repeated slashes become one, dot segments are
resolved, letters and digits are never escaped and other characters always, encoded slashes are refused, and the query is
no part of it. A condition that speaks of what is gone by then
matches nothing.

```mesh
rate_limit {
  match { path = "//items" }       // arrives as /items
}
```

Write the path as it is after normalisation: it begins with `/`, and has no `//`, `.` or `..` segment, `%2F`, `?` or
`#`; `é` is `%C3%A9` in it, and `%61` is `a`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, route) in model.routes.iter() {
        for rule in &route.rules {
            rule.matches.iter().for_each(|matches| look(matches, &rule.origin, sink));
        }
    }
    for (_, policy) in model.policies.iter() {
        for (matches, origin) in policy.settings.conditions() {
            look(matches, origin, sink);
        }
    }
}

fn look(matches: &HttpMatch, origin: &Origin, sink: &mut Sink) {
    path(&matches.path, origin, sink);
    for not in &matches.not {
        match not {
            NotMatch::Path(not) => path(not, origin, sink),
            NotMatch::Methods(_) => {}
        }
    }
}

fn path(path: &PathMatch, origin: &Origin, sink: &mut Sink) {
    let path = match path {
        PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::StartsWith(path) => path,
        PathMatch::Any | PathMatch::Regex(_) => return,
    };
    // A wildcard such as `{id}` is reported as what it is.
    if path.split('/').any(|segment| segment.starts_with('{') && segment.ends_with('}')) {
        return;
    }
    let Some(why) = impossible(path) else { return };
    let message = format!("no request has the path `{path}`");
    let diagnostic = Diagnostic::warning(CHECK.info.code, origin.span, message);
    sink.push(diagnostic.label(why).help("write the path as it is after normalisation, such as `/items`"));
}

/// Why a normalised path cannot be this, or begin with it.
fn impossible(path: &str) -> Option<&'static str> {
    let mut segments = path.split('/');
    if !path.starts_with('/') {
        Some("every path begins with `/`")
    } else if path.contains("//") {
        Some("repeated slashes are merged before matching")
    } else if segments.any(|segment| segment == "." || segment == "..") {
        Some("dot segments are resolved before matching")
    } else if path.contains('\\') {
        Some("a backslash becomes a slash before matching")
    } else if let Some(why) = path.as_bytes().windows(3).find_map(odd_escape) {
        Some(why)
    } else if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>`{}^".contains(&byte)) {
        Some("such a character arrives as `%` and two hexadecimal digits for each of its bytes")
    } else if path.contains(['?', '#']) {
        Some("the query and the fragment are no part of the path")
    } else {
        None
    }
}

/// Why no normalised path has an escape, if that is what these three bytes are.
fn odd_escape(bytes: &[u8]) -> Option<&'static str> {
    let [b'%', high, low] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    // What is no escape stays as it is.
    let code = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    if matches!(code, b'/' | b'\\') {
        Some("requests with an encoded slash are refused")
    } else if code.is_ascii_alphanumeric() || matches!(code, b'-' | b'.' | b'_' | b'~') {
        Some("letters, digits, `-`, `.`, `_` and `~` are not escaped after normalisation")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::impossible;

    #[test]
    fn only_normalised_paths_are_possible() {
        for path in [
            "/",
            "/items",
            "/items/",
            "/.well-known/x",
            "/a..b",
            "/50%25",
            "/%C3%A9",
            "/a%20b",
            "/100%",
            "/a;v=1",
        ] {
            assert_eq!(impossible(path), None, "{path}");
        }
        for path in [
            "", "items", "//items", "/a//b", "/a/../b", "/.", "/a%2fb", "/a?b", "/a#b", "/%69tems", "/a%5Cb",
            r"/a\b", "/é", "/{id}",
        ] {
            assert!(impossible(path).is_some(), "{path}");
        }
    }
}
