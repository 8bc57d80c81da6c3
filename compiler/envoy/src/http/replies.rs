//! What Envoy answers by itself, where that must be something else.

use envoy_types::pb::envoy::config::accesslog::v3::access_log_filter::FilterSpecifier;
use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ComparisonFilter, HeaderFilter, ResponseFlagFilter, StatusCodeFilter,
    comparison_filter,
};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption, RuntimeUInt32};
use meshc_plan::filter::Filter;
use meshc_vocabulary::model::policy::OnError;

use crate::http::filters;
use crate::http::matches::{header_matcher, regex};
use crate::pb::hcm::{LocalReplyConfig, ResponseMapper};
use crate::pb::number;

/// gRPC's number for a client that is over a limit.
const RESOURCE_EXHAUSTED: &str = "8";

/// Those of a connection manager with these filters.
pub(crate) fn of<'a>(filters: impl IntoIterator<Item = &'a Filter>) -> LocalReplyConfig {
    let limits = filters.into_iter().filter_map(|filter| filters::asked(filter).global);
    let refuses = limits.into_iter().any(|limit| limit.on_error == OnError::Deny);
    let mappers = std::iter::once(unsendable()).chain(refuses.then(uncounted)).collect();
    LocalReplyConfig { mappers, ..Default::default() }
}

/// A body that is too large to be kept for another attempt, whose rest arrives while that attempt waits for its time:
/// Envoy answers 507, and 503 if the rest had arrived before. What has happened is the same.
fn unsendable() -> ResponseMapper {
    let status = StatusCodeFilter {
        comparison: Some(ComparisonFilter {
            op: comparison_filter::Op::Eq.into(),
            value: Some(RuntimeUInt32 { default_value: 507, runtime_key: "mesh.unsendable".to_owned() }),
        }),
    };
    ResponseMapper {
        filter: condition(FilterSpecifier::StatusCodeFilter(status)),
        status_code: number(503),
        ..Default::default()
    }
}

/// What is answered by limits that refuse while their service does not answer. Over gRPC, Envoy would make UNAVAILABLE of
/// the status, which clients try again and callers count against the pod.
fn uncounted() -> ResponseMapper {
    ResponseMapper {
        filter: condition(FilterSpecifier::AndFilter(AndFilter {
            filters: [
                condition(FilterSpecifier::ResponseFlagFilter(ResponseFlagFilter {
                    flags: vec!["RLSE".to_owned()],
                })),
                condition(FilterSpecifier::HeaderFilter(HeaderFilter {
                    header: Some(header_matcher("content-type", regex("application/grpc(\\+.*)?"))),
                })),
            ]
            .into_iter()
            .flatten()
            .collect(),
        })),
        headers_to_add: vec![HeaderValueOption {
            header: Some(HeaderValue {
                key: "grpc-status".to_owned(),
                value: RESOURCE_EXHAUSTED.to_owned(),
                ..Default::default()
            }),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn condition(specifier: FilterSpecifier) -> Option<AccessLogFilter> {
    Some(AccessLogFilter { filter_specifier: Some(specifier) })
}
