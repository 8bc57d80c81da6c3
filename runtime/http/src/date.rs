//! The date that answers bear, made once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static NOW: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Calls `write` with the date as HTTP writes it.
pub(crate) fn with<T>(write: impl FnOnce(&[u8]) -> T) -> T {
    #[expect(clippy::disallowed_methods, reason = "the driver is the edge: an answer bears the time")]
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(known, text)| {
        if *known != second || text.is_empty() {
            *known = second;
            *text = httpdate::fmt_http_date(now);
        }
        write(text.as_bytes())
    })
}
