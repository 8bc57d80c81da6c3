//! What is done with the requests of a route on their way, as the configuration lists it.

use crate::limit::LimitState;
use meshd_config::Authorization;
use std::sync::Arc;

/// One thing that is done with each request.
#[derive(Debug)]
pub(crate) enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Counts, and refuses what exceeds the limit.
    Limit(Arc<LimitState>),
}
