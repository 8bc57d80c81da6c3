//! Who may read answers: Envoy's filter answers preflight requests by itself, and says it of answers to requests that were
//! sent on. It passes over what a route answers; there, routes say the same.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::{Cors as CorsFilter, CorsPolicy};
use meshc_plan::HttpRoute;
use meshc_plan::filter::{Cors, Filter};
use meshc_vocabulary::model::{HttpMatch, StringMatch};

use crate::http::filters::Made;
use crate::http::{headers, matches};
use crate::pb::matcher::StringMatcher;
use crate::pb::route::{DirectResponseAction, Route, RouteMatch, route};
use crate::pb::{flag, http_filter, literal};
use crate::proto::any;

/// The method of preflight requests.
const OPTIONS: &str = "OPTIONS";

/// Any value but the empty one.
const SOME: &str = ".+";

/// The filter, which does nothing where a route does not say what it allows.
pub(crate) fn filter(cors: &Cors) -> Made {
    let Cors { allow_origins, allow_methods, allow_headers, expose_headers, max_age, allow_credentials } =
        cors;
    let policy = CorsPolicy {
        allow_origin_string_match: allow_origins.iter().filter_map(matches::value).collect(),
        allow_methods: allow_methods.clone(),
        allow_headers: allow_headers.clone(),
        expose_headers: expose_headers.clone(),
        max_age: max_age.clone(),
        allow_credentials: flag(*allow_credentials),
        // By default an application would be asked by an origin that is not allowed here.
        forward_not_matching_preflights: flag(false),
        ..Default::default()
    };
    Made { filter: http_filter("mesh.cors", &CorsFilter {}), on_route: any(&policy) }
}

/// Whether a filter of the route is made before the router: Envoy's would do nothing where the route answers.
pub(crate) fn is_made(route: &HttpRoute, filter: &Filter) -> bool {
    filter.cors().is_none() || !route.action.answers()
}

/// The routes that answer preflight requests for a route that answers other requests, as Envoy's filter would: to pages that
/// may read, and to others.
pub(crate) fn preflights(planned: &HttpRoute) -> Vec<Route> {
    let methods = &planned.matches.methods;
    let takes_them = methods.is_empty() || methods.iter().any(|method| method == OPTIONS);
    let cors = planned.filters.iter().find_map(Filter::cors);
    let Some(cors) = cors.filter(|_| takes_them && planned.action.answers()) else { return Vec::new() };
    let matches = HttpMatch { methods: vec![String::from(OPTIONS)], ..planned.matches.clone() };
    let mut asks = matches::route(&matches);
    asks.headers.push(matches::header_matcher("access-control-request-method", matches::regex(SOME)));
    let answer = |origin: StringMatcher, says: Vec<HeaderValueOption>| {
        let mut asks = asks.clone();
        of_origin(&mut asks, origin);
        Route {
            r#match: Some(asks),
            action: Some(route::Action::DirectResponse(DirectResponseAction {
                status: 200,
                ..Default::default()
            })),
            response_headers_to_add: says,
            ..Default::default()
        }
    };
    let all = preflight(cors);
    // Envoy's filter says it in answers to preflight requests, too.
    let exposed = line("access-control-expose-headers", &cors.expose_headers);
    let readable = [allowed_origin()].into_iter().chain(all.clone()).chain(exposed).collect();
    vec![answer(allowed(cors), readable), answer(matches::regex(SOME), all)]
}

/// A route that answers, behind the one with the same answer for pages that may read it.
pub(crate) fn for_pages(filters: &[Filter], route: Route) -> Vec<Route> {
    let Some(cors) = filters.iter().find_map(Filter::cors) else { return vec![route] };
    let Cors {
        allow_origins: _,
        allow_methods: _,
        allow_headers: _,
        expose_headers,
        max_age: _,
        allow_credentials,
    } = cors;
    let mut readable = route.clone();
    readable.r#match.iter_mut().for_each(|asked| of_origin(asked, allowed(cors)));
    let says = [
        Some(allowed_origin()),
        credentials(*allow_credentials),
        line("access-control-expose-headers", expose_headers),
    ];
    readable.response_headers_to_add.extend(says.into_iter().flatten());
    vec![readable, route]
}

/// Adds conditions on the origin, which is none where it is empty.
fn of_origin(asked: &mut RouteMatch, origin: StringMatcher) {
    let any = matches::regex(SOME);
    let both = if origin == any { vec![any] } else { vec![any, origin] };
    asked.headers.extend(both.into_iter().map(|origin| matches::header_matcher("origin", origin)));
}

/// Any of the origins whose pages may read.
fn allowed(cors: &Cors) -> StringMatcher {
    let origins = cors.allow_origins.iter().map(|origin| match origin {
        StringMatch::Present => String::from(SOME),
        StringMatch::Exact(text) => matches::escape(text),
        StringMatch::Prefix(text) => format!("{}.*", matches::escape(text)),
        StringMatch::Regex(regex) => format!("(?:{regex})"),
    });
    matches::regex(&origins.collect::<Vec<_>>().join("|"))
}

/// What the answer to every preflight request says.
fn preflight(cors: &Cors) -> Vec<HeaderValueOption> {
    let Cors {
        allow_origins: _,
        allow_methods,
        allow_headers,
        expose_headers: _,
        max_age,
        allow_credentials,
    } = cors;
    let says = [
        credentials(*allow_credentials),
        named("access-control-allow-methods", allow_methods, "%REQ(ACCESS-CONTROL-REQUEST-METHOD)%"),
        named("access-control-allow-headers", allow_headers, "%REQ(ACCESS-CONTROL-REQUEST-HEADERS)%"),
        line("access-control-max-age", max_age),
    ];
    says.into_iter().flatten().collect()
}

fn allowed_origin() -> HeaderValueOption {
    written("access-control-allow-origin", String::from("%REQ(ORIGIN)%"))
}

fn credentials(allowed: bool) -> Option<HeaderValueOption> {
    line("access-control-allow-credentials", if allowed { "true" } else { "" })
}

/// A line of what is listed, or of what was asked for where everything is allowed.
fn named(name: &str, listed: &str, asked: &str) -> Option<HeaderValueOption> {
    if listed == "*" { Some(written(name, String::from(asked))) } else { line(name, listed) }
}

/// A line that says something.
fn line(name: &str, text: &str) -> Option<HeaderValueOption> {
    (!text.is_empty()).then(|| written(name, literal(text)))
}

fn written(name: &str, value: String) -> HeaderValueOption {
    headers::written(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)
}

/// What whoever keeps answers must know: another origin gets another one.
pub(crate) fn vary() -> HeaderValueOption {
    let (key, value) = (String::from("vary"), String::from("origin"));
    HeaderValueOption {
        header: Some(HeaderValue { key, value, ..Default::default() }),
        append_action: HeaderAppendAction::AppendIfExistsOrAdd.into(),
        ..Default::default()
    }
}
