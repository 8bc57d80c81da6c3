//! What is done with requests on their way.

use meshc_plan::Filter;
use meshd_config::raw;

use crate::{authorization, limits};

/// The same filters in the same order.
pub(crate) fn render(filters: &[Filter]) -> Vec<raw::Filter> {
    let rendered = filters.iter().map(|filter| match filter {
        Filter::Authorize(authorization) => raw::Filter::Authorize(authorization::render(authorization)),
        Filter::LocalLimit(limit) => raw::Filter::Limit(limits::counted_here(limit)),
        Filter::GlobalLimit(limit) => raw::Filter::Limit(limits::counted_there(limit)),
    });
    rendered.collect()
}
