//! The time that a client of gRPC gives its call. Source: "gRPC over HTTP2", section "Requests".

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use tokio::time::Instant;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The most digits that the number may have.
const DIGITS: usize = 8;

/// How long the call may take, if it says so in the form that is agreed.
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = headers.get(&TIMEOUT)?.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(3600 * number),
        b'M' => Duration::from_secs(60 * number),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Tells the next hop what is left.
pub(crate) fn pass_on(headers: &mut HeaderMap, until: Instant) {
    let left = until.saturating_duration_since(Instant::now());
    headers.insert(TIMEOUT, written(left));
}

fn written(left: Duration) -> HeaderValue {
    let most = 10u128.pow(8) - 1;
    // No time at all is not a time.
    let text = match left.as_millis() {
        milliseconds if milliseconds <= most => format!("{}m", milliseconds.max(1)),
        milliseconds => format!("{}S", (milliseconds / 1000).min(most)),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (said, expected) in [
            ("1H", Some(3_600_000_000)),
            ("2M", Some(120_000_000)),
            ("3S", Some(3_000_000)),
            ("4m", Some(4_000)),
            ("5u", Some(5)),
            ("99999999H", Some(359_999_996_400_000_000)),
            ("5000n", Some(5)),
            ("", None),
            ("S", None),
            ("3", None),
            ("0S", Some(0)),
            ("3s", None),
            ("-3S", None),
            ("100000000S", None),
        ] {
            let headers = HeaderMap::from_iter([(TIMEOUT, HeaderValue::from_static(said))]);
            assert_eq!(of(&headers).map(|time| time.as_micros()), expected, "{said}");
        }
    }

    #[test]
    fn what_is_left_fits_into_the_digits() {
        for (left, text) in [(0, "1m"), (1_500, "1500m"), (99_999_999, "99999999m"), (100_000_000, "100000S")]
        {
            assert_eq!(written(Duration::from_millis(left)), text);
        }
    }
}
