//! The filters of a rule.

use meshc_vocabulary::model::Destination;
use meshc_vocabulary::model::filter::{self, RouteFilter};

use crate::filter::{Filter, Mirror};

/// The same filters in the same order; copies for what cannot be reached are left out. `upstream` tells which upstream a
/// destination is.
pub(super) fn of_rule(
    filters: &[RouteFilter],
    mut upstream: impl FnMut(&Destination) -> Option<String>,
) -> Vec<Filter> {
    let filters = filters.iter().filter_map(|filter| {
        Some(match filter {
            RouteFilter::RequestHeaders(changes) => Filter::RequestHeaders(changes.clone()),
            RouteFilter::ResponseHeaders(changes) => Filter::ResponseHeaders(changes.clone()),
            RouteFilter::Mirror(filter::Mirror { to, share }) => {
                Filter::Mirror(Mirror { upstream: upstream(to)?, share: *share })
            }
        })
    });
    filters.collect()
}
