//! The date that answers bear, made once a second.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static NOW: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
}

/// The date as the value of a header.
pub(crate) fn value() -> HeaderValue {
    with_value(HeaderValue::clone)
}

/// Calls `write` with the date as HTTP writes it.
pub(crate) fn with<T>(write: impl FnOnce(&[u8]) -> T) -> T {
    with_value(|value| write(value.as_bytes()))
}

fn with_value<T>(write: impl FnOnce(&HeaderValue) -> T) -> T {
    #[expect(clippy::disallowed_methods, reason = "the driver is the edge: an answer bears the time")]
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(known, text)| {
        if *known != second || text.is_empty() {
            *known = second;
            // A date is text that a header may have.
            *text =
                HeaderValue::try_from(httpdate::fmt_http_date(now)).unwrap_or(HeaderValue::from_static(""));
        }
        write(text)
    })
}
