//! The filters of a rule.

use meshc_vocabulary::model::filter::RouteFilter;

use crate::filter::Filter;

/// The same filters in the same order.
pub(super) fn of_rule(filters: &[RouteFilter]) -> Vec<Filter> {
    let filters = filters.iter().map(|filter| match filter {
        RouteFilter::RequestHeaders(changes) => Filter::RequestHeaders(changes.clone()),
        RouteFilter::ResponseHeaders(changes) => Filter::ResponseHeaders(changes.clone()),
    });
    filters.collect()
}
