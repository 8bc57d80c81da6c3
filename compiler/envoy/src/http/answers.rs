//! What a route answers by itself, and new paths.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::filter::{PathChange, Rewrite};
use meshc_plan::{Redirect, Respond};
use meshc_vocabulary::model::answer::Scheme;

use crate::http::matches::{escape, header_matcher, regex};
use crate::pb::base::header_value_option::HeaderAppendAction;
use crate::pb::base::{DataSource, HeaderValue, HeaderValueOption, data_source};
use crate::pb::literal;
use crate::pb::matcher::{RegexMatchAndSubstitute, RegexMatcher};
use crate::pb::route::redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier};
use crate::pb::route::route_action::HostRewriteSpecifier;
use crate::pb::route::{DirectResponseAction, HeaderMatcher, RedirectAction, Route, RouteAction, route};

/// An address without a port: that of a host of which a request names one is another.
const WITH_PORT: &str = r"(?:[^:]*|\[.*\]):[0-9]*";

/// Redirects, each with what a request must have for it beside the conditions of the route.
pub(crate) fn redirects(redirect: &Redirect) -> Vec<(Option<HeaderMatcher>, RedirectAction)> {
    let Redirect { scheme, host, port, usual_port, path, status } = redirect;
    let action = |port: Option<u16>| RedirectAction {
        host_redirect: host.clone().unwrap_or_default(),
        port_redirect: port.unwrap_or_default().into(),
        response_code: code(*status).into(),
        strip_query: false,
        scheme_rewrite_specifier: scheme.map(|scheme| {
            SchemeRewriteSpecifier::SchemeRedirect(String::from(match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            }))
        }),
        path_rewrite_specifier: path.as_ref().and_then(|path| match self::path(path) {
            Changed::Not => None,
            Changed::Prefix(prefix) => Some(PathRewriteSpecifier::PrefixRewrite(prefix)),
            Changed::Regex(regex) => Some(PathRewriteSpecifier::RegexRewrite(regex)),
        }),
    };
    // Envoy writes a port that it is told, and keeps that of the request otherwise.
    let for_any =
        usual_port.map(|port| (Some(header_matcher(":authority", regex(WITH_PORT))), action(Some(port))));
    for_any.into_iter().chain([(None, action(*port))]).collect()
}

const fn code(status: u16) -> RedirectResponseCode {
    match status {
        301 => RedirectResponseCode::MovedPermanently,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        // The vocabulary has refused what is no redirect.
        _ => RedirectResponseCode::Found,
    }
}

/// Makes a route answer.
pub(crate) fn respond(respond: &Respond, route: &mut Route) {
    const CREATED: u16 = 201;
    let Respond { status, body, content_type } = respond;
    let text = DataSource {
        specifier: Some(data_source::Specifier::InlineString(body.clone())),
        ..Default::default()
    };
    let answer = DirectResponseAction {
        status: (*status).into(),
        body: (!body.is_empty()).then_some(text),
        ..Default::default()
    };
    route.action = Some(route::Action::DirectResponse(answer));
    // Before what the route says itself, which comes later.
    let kind = content_type.as_ref().map(|kind| HeaderValueOption {
        header: Some(HeaderValue {
            key: String::from("content-type"),
            value: literal(kind),
            ..Default::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        keep_empty_value: true,
        ..Default::default()
    });
    route.response_headers_to_add.splice(0..0, kind);
    // Envoy tells where the thing is that was created: at the request's own address.
    if *status == CREATED {
        route.response_headers_to_remove.push(String::from("location"));
    }
}

/// Changes the path and the host of what is sent on.
pub(crate) fn rewrite(rewrite: &Rewrite, action: &mut RouteAction) {
    let Rewrite { path, host } = rewrite;
    match path.as_ref().map_or(Changed::Not, self::path) {
        Changed::Not => {}
        Changed::Prefix(prefix) => action.prefix_rewrite = prefix,
        Changed::Regex(regex) => action.regex_rewrite = Some(regex),
    }
    action.host_rewrite_specifier = host.clone().map(HostRewriteSpecifier::HostRewriteLiteral);
}

/// A change of a path in Envoy's spelling.
enum Changed {
    /// None.
    Not,
    /// What the matched prefix becomes.
    Prefix(String),
    /// What becomes of everything that an expression matches, as often as it does.
    Regex(RegexMatchAndSubstitute),
}

fn path(change: &PathChange) -> Changed {
    let substitute = |expression: String, substitution: &str| {
        Changed::Regex(RegexMatchAndSubstitute {
            pattern: Some(RegexMatcher { regex: expression, ..Default::default() }),
            substitution: substitution.to_owned(),
        })
    };
    match change {
        PathChange::Full(path) => substitute(String::from(r"\A.*\z"), path),
        PathChange::Prefix { from, to } => match (from.as_str(), to.as_str()) {
            ("", "") => Changed::Not,
            // A condition for everything is the prefix `/`, with the slash.
            ("", to) => Changed::Prefix(format!("{to}/")),
            // An empty prefix would be none. What is empty then is `/`.
            (from, "") => substitute(format!(r"\A{}/?", escape(from)), "/"),
            (_, to) => Changed::Prefix(to.to_owned()),
        },
        PathChange::Regex { expression, substitution } => {
            substitute(format!(r"\A(?:{expression})\z"), substitution)
        }
    }
}
