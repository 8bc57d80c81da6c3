//! Cookies, whose values other filters cannot read by themselves.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3::Config;
use envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3::config::{
    KeyValuePair, Rule, ValueType,
};
use meshc_plan::{LimitBucket, LimitKey};

use crate::http::descriptor::COOKIES;
use crate::http::filters::Made;
use crate::pb::http_filter;
use crate::proto::any;

/// The filter that notes the values of the cookies by which a limit of this name counts; `None` if it counts by none.
pub(crate) fn filter(name: &str, buckets: &[LimitBucket]) -> Option<Made> {
    let mut names = BTreeSet::new();
    for key in buckets.iter().flat_map(|bucket| &bucket.keys) {
        match key {
            LimitKey::Cookie(name) => {
                names.insert(name.as_str());
            }
            LimitKey::Caller
            | LimitKey::Address
            | LimitKey::Client
            | LimitKey::Path
            | LimitKey::Header(_)
            | LimitKey::Query(_) => {}
        }
    }
    if names.is_empty() {
        return None;
    }
    let config = Config { request_rules: names.into_iter().map(note).collect(), ..Default::default() };
    Some(Made { filter: http_filter(&format!("mesh.cookies.{name}"), &config), on_route: any(&config) })
}

fn note(cookie: &str) -> Rule {
    let noted = KeyValuePair {
        metadata_namespace: COOKIES.to_owned(),
        key: cookie.to_owned(),
        r#type: ValueType::String.into(),
        ..Default::default()
    };
    Rule { cookie: cookie.to_owned(), on_header_present: Some(noted), ..Default::default() }
}
