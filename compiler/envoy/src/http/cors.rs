//! Who may read answers: Envoy's filter answers preflight requests by itself.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::{Cors as CorsFilter, CorsPolicy};
use meshc_plan::filter::Cors;

use crate::http::filters::Made;
use crate::http::matches;
use crate::pb::{flag, http_filter};
use crate::proto::any;

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

/// What whoever keeps answers must know: another origin gets another one.
pub(crate) fn vary() -> HeaderValueOption {
    let (key, value) = (String::from("vary"), String::from("origin"));
    HeaderValueOption {
        header: Some(HeaderValue { key, value, ..Default::default() }),
        append_action: HeaderAppendAction::AppendIfExistsOrAdd.into(),
        ..Default::default()
    }
}
