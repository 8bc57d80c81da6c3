//! What is done with requests and answers on their way, as plain data.
//!
//! A chain and a route have a list of filters. Those that may refuse a request come first, in the order in which they are
//! asked; what follows changes only what is sent on.

use meshc_vocabulary::model::filter::HeaderChanges;

use crate::{Authorization, GlobalLimit, LocalLimit};

/// One thing that is done with each request.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Counts in this pod, and refuses what exceeds the limit.
    LocalLimit(LocalLimit),
    /// Asks the rate-limit service, and refuses what exceeds the limit.
    GlobalLimit(GlobalLimit),
    /// Changes the headers of what is sent on.
    RequestHeaders(HeaderChanges),
    /// Changes the headers of what is answered, also where the proxy answers by itself.
    ResponseHeaders(HeaderChanges),
    /// Sends a copy elsewhere, for which nobody waits.
    Mirror(Mirror),
}

/// Where copies of requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Name of the upstream.
    pub upstream: String,
    /// How many of a million requests are copied; each is drawn anew.
    pub share: u32,
}
