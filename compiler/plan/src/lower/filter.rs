//! The filters of a rule.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::filter::{self, RouteFilter};
use meshc_vocabulary::model::{Destination, HttpMatch};

use super::headers::{self, Known};
use super::{answer, fault};
use crate::filter::{Filter, Mirror, Rewrite};

/// The same filters in the same order, for the requests of one of the rule's matches; copies for what cannot be reached are
/// left out. `upstream` tells which upstream a destination is.
pub(super) fn of_rule(
    filters: &[RouteFilter],
    matches: &HttpMatch,
    known: Known<'_>,
    mut upstream: impl FnMut(&Destination) -> Option<String>,
) -> Vec<Filter> {
    let filters = filters.iter().flat_map(|filter| match filter {
        RouteFilter::RequestHeaders(changes) => {
            vec![Filter::RequestHeaders(headers::changes(changes, known))]
        }
        RouteFilter::ResponseHeaders(changes) => {
            vec![Filter::ResponseHeaders(headers::changes(changes, known))]
        }
        RouteFilter::Cors(cors) => vec![Filter::Cors(fault::cors(cors))],
        RouteFilter::Fault(fault) => fault::filters(fault),
        RouteFilter::Rewrite(filter::Rewrite { origin: _, path, host }) => {
            let path = path.as_ref().map(|path| answer::path(path, matches));
            vec![Filter::Rewrite(Rewrite { path, host: host.clone() })]
        }
        RouteFilter::Mirror(filter::Mirror { to, share }) => {
            let upstream = upstream(to);
            upstream.map(|upstream| Filter::Mirror(Mirror { upstream, share: *share })).into_iter().collect()
        }
    });
    filters.collect()
}
