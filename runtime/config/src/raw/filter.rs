//! What is done with requests and answers on their way.

use super::{Authorization, Limit};
use serde::{Deserialize, Serialize};

/// One thing that is done with each request. Those that may refuse a request are asked in the order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Refuses what exceeds a limit.
    Limit(Limit),
}
