//! Changes of headers, as a route states them.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use meshc_plan::filter::{HeaderChanges, HeaderPart, RequestProperty};

use crate::pb::literal;

/// Headers to write, and headers to remove before that.
pub(crate) fn changes(changes: &HeaderChanges) -> (Vec<HeaderValueOption>, Vec<String>) {
    let HeaderChanges { set, add, remove } = changes;
    let written = |(name, value): &(String, Vec<HeaderPart>), action| {
        written(name, value.iter().map(part).collect(), action)
    };
    let set = set.iter().map(|line| written(line, HeaderAppendAction::OverwriteIfExistsOrAdd));
    let add = add.iter().map(|line| written(line, HeaderAppendAction::AppendIfExistsOrAdd));
    (set.chain(add).collect(), remove.clone())
}

/// A line with a value in Envoy's language of operators.
pub(super) fn written(name: &str, value: String, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, ..Default::default() }),
        append_action: action.into(),
        // By default Envoy leaves a header without a value out.
        keep_empty_value: true,
        ..Default::default()
    }
}

/// A part of a value in Envoy's language of operators.
fn part(part: &HeaderPart) -> String {
    match part {
        HeaderPart::Text(text) => literal(text),
        HeaderPart::Property(property) => String::from(match property {
            RequestProperty::Method => "%REQ(:METHOD)%",
            RequestProperty::Path => "%PATH(NQ:PATH)%",
            RequestProperty::PathAndQuery => "%REQ(:PATH)%",
            RequestProperty::Host => "%REQ(:AUTHORITY)%",
            RequestProperty::Scheme => "%REQ(X-FORWARDED-PROTO)%",
            RequestProperty::Protocol => "%PROTOCOL%",
            RequestProperty::Id => "%REQ(X-REQUEST-ID)%",
            RequestProperty::ClientAddress => "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            RequestProperty::ClientUris => "%DOWNSTREAM_PEER_URI_SAN%",
        }),
    }
}
