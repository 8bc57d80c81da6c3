//! The filters of a rule.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::filter::{self, RouteFilter};
use meshc_vocabulary::model::{Destination, HttpMatch};

use super::answer;
use crate::filter::{Filter, Mirror, Rewrite};

/// The same filters in the same order, for the requests of one of the rule's matches; copies for what cannot be reached are
/// left out. `upstream` tells which upstream a destination is.
pub(super) fn of_rule(
    filters: &[RouteFilter],
    matches: &HttpMatch,
    mut upstream: impl FnMut(&Destination) -> Option<String>,
) -> Vec<Filter> {
    let filters = filters.iter().filter_map(|filter| {
        Some(match filter {
            RouteFilter::RequestHeaders(changes) => Filter::RequestHeaders(changes.clone()),
            RouteFilter::ResponseHeaders(changes) => Filter::ResponseHeaders(changes.clone()),
            RouteFilter::Rewrite(filter::Rewrite { origin: _, path, host }) => {
                let path = path.as_ref().map(|path| answer::path(path, matches));
                Filter::Rewrite(Rewrite { path, host: host.clone() })
            }
            RouteFilter::Mirror(filter::Mirror { to, share }) => {
                Filter::Mirror(Mirror { upstream: upstream(to)?, share: *share })
            }
        })
    });
    filters.collect()
}
