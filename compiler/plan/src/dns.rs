//! How proxies resolve names, the same on both data planes.

use std::time::Duration;

/// How often a name is asked for again. Pods come and go within this time.
pub const REFRESH: Duration = Duration::from_secs(5);

/// How soon it is asked for again if it had no answer.
pub const REFRESH_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long one question may take. With c-ares' own numbers (5 s, four tries, growing) one silent name holds up the
/// listeners for a minute at start.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// How many times an unanswered question is asked.
pub const TRIES: u32 = 1;
