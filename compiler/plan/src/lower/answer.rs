//! What a rule answers by itself, and new paths.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::answer::{self, NewPath, Scheme};
use meshc_vocabulary::model::{HttpMatch, PathMatch};

use crate::filter::PathChange;
use crate::{Redirect, Respond};

/// The port that nobody writes.
const fn usual(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// The redirect of a rule for the requests of one of its matches. Browsers leave the usual port out, and so does it.
pub(super) fn redirect(redirect: &answer::Redirect, matches: &HttpMatch) -> Redirect {
    let answer::Redirect { origin: _, scheme, host, port, path, status } = redirect;
    let usual = scheme.map(usual);
    let (port, usual_port) = match (host, *port) {
        (Some(_), port) => (port.filter(|port| usual != Some(*port)), None),
        (None, Some(port)) if usual != Some(port) => (Some(port), None),
        (None, _) => (None, usual),
    };
    Redirect {
        scheme: *scheme,
        host: host.clone(),
        port,
        usual_port,
        path: path.as_ref().map(|path| self::path(path, matches)),
        status: *status,
    }
}

/// The answer of a rule.
pub(super) fn respond(respond: &answer::Respond) -> Respond {
    let answer::Respond { origin: _, status, body, content_type } = respond;
    Respond { status: *status, body: body.clone(), content_type: content_type.clone() }
}

/// What becomes of a path that these conditions let through.
pub(super) fn path(path: &NewPath, matches: &HttpMatch) -> PathChange {
    let without_slash = |path: &str| path.trim_end_matches('/').to_owned();
    match path {
        NewPath::Full(path) => PathChange::Full(path.clone()),
        NewPath::Prefix(to) => {
            let from = match &matches.path {
                PathMatch::Prefix(from) => without_slash(from),
                // The vocabulary has refused what has no prefix.
                PathMatch::Any | PathMatch::Exact(_) | PathMatch::StartsWith(_) | PathMatch::Regex(_) => {
                    String::new()
                }
            };
            PathChange::Prefix { from, to: without_slash(to) }
        }
        NewPath::Regex { expression, substitution } => {
            PathChange::Regex { expression: expression.clone(), substitution: substitution.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use lang_diagnostics::{FileId, Origin, Span};

    use super::*;

    fn ports(scheme: Option<Scheme>, host: Option<&str>, port: Option<u16>) -> (Option<u16>, Option<u16>) {
        let origin = Origin::new(Span::new(FileId(0), 0, 0), "rule");
        let host = host.map(str::to_owned);
        let declared = answer::Redirect { origin, scheme, host, port, path: None, status: 302 };
        let made = redirect(&declared, &HttpMatch::default());
        (made.port, made.usual_port)
    }

    #[test]
    fn the_usual_port_is_left_out() {
        let https = Some(Scheme::Https);
        assert_eq!(ports(None, None, None), (None, None));
        assert_eq!(ports(https, None, None), (None, Some(443)));
        assert_eq!(ports(https, None, Some(443)), (None, Some(443)));
        assert_eq!(ports(Some(Scheme::Http), None, Some(443)), (Some(443), None));
        assert_eq!(ports(https, Some("a.example"), None), (None, None));
        assert_eq!(ports(https, Some("a.example"), Some(443)), (None, None));
        assert_eq!(ports(https, Some("a.example"), Some(8443)), (Some(8443), None));
        assert_eq!(ports(None, None, Some(80)), (Some(80), None));
    }
}
