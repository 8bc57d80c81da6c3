//! Changes of headers, as a route states them.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use meshc_vocabulary::model::filter::HeaderChanges;

/// Headers to write, and headers to remove before that.
pub(crate) fn changes(changes: &HeaderChanges) -> (Vec<HeaderValueOption>, Vec<String>) {
    let HeaderChanges { origin: _, set, add, remove } = changes;
    let set = set.iter().map(|line| written(line, HeaderAppendAction::OverwriteIfExistsOrAdd));
    let add = add.iter().map(|line| written(line, HeaderAppendAction::AppendIfExistsOrAdd));
    (set.chain(add).collect(), remove.clone())
}

fn written((name, value): &(String, String), action: HeaderAppendAction) -> HeaderValueOption {
    // A percent sign begins a command in Envoy's values.
    let value = value.replace('%', "%%");
    HeaderValueOption {
        header: Some(HeaderValue { key: name.clone(), value, ..Default::default() }),
        append_action: action.into(),
        // By default Envoy leaves a header without a value out.
        keep_empty_value: true,
        ..Default::default()
    }
}
