//! How long is waited before a request is sent again.

use http::HeaderMap;
use meshd_config::Retry;
use std::time::Duration;

/// The longest wait before the first attempt where no policy says one, and before any. Source: Envoy's default.
const USUAL: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(250));

/// Where answers say in how many seconds a request is welcome again, the first of them first.
const ASKED: [&str; 2] = ["retry-after", "x-ratelimit-reset"];

/// The wait before the attempt number `retries`, which is 1 or more, after an answer with these headers. `random` is a
/// number from the whole of its range.
pub(crate) fn pause(retry: Option<&Retry>, retries: u32, headers: &HeaderMap, random: u32) -> Duration {
    let part = |whole: Duration| whole.mul_f64(f64::from(random) / f64::from(u32::MAX));
    if let Some(asked) = retry.and_then(|retry| asked(headers, retry.max_retry_after?)) {
        // Those who were told the same time do not come back at once.
        return asked + part(asked / 2);
    }
    let (base, most) = retry.map_or(USUAL, |retry| (retry.back_off, retry.max_back_off));
    let doubled = 1u32.checked_shl(retries.saturating_sub(1)).unwrap_or(u32::MAX);
    part(base.saturating_mul(doubled).min(most))
}

/// The first time that an answer asks for and that is not too long; none at all is one, too.
fn asked(headers: &HeaderMap, most: Duration) -> Option<Duration> {
    let seconds = |name| headers.get(name)?.to_str().ok()?.parse().ok();
    let asked = ASKED.into_iter().filter_map(seconds).map(Duration::from_secs);
    asked.into_iter().find(|asked| *asked <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use meshd_config::Methods;

    fn retry(max_retry_after: Option<u64>) -> Retry {
        Retry {
            attempts: 5,
            on: Vec::new(),
            methods: Methods::All,
            per_try_timeout: None,
            hedge: false,
            per_try_idle: None,
            back_off: Duration::from_millis(100),
            max_back_off: Duration::from_millis(350),
            max_retry_after: max_retry_after.map(Duration::from_secs),
            max_body: 0,
            other_localities: false,
        }
    }

    fn milliseconds(retry: Option<&Retry>, retries: u32, headers: &HeaderMap) -> [u128; 2] {
        [0, u32::MAX].map(|random| pause(retry, retries, headers, random).as_millis())
    }

    #[test]
    fn the_wait_doubles_up_to_a_bound_and_is_a_random_part_of_it() {
        let (some, none) = (retry(None), HeaderMap::new());
        let waits = [1, 2, 3, 4, 40].map(|retries| milliseconds(Some(&some), retries, &none));
        assert_eq!(waits, [[0, 100], [0, 200], [0, 350], [0, 350], [0, 350]]);
        assert_eq!(
            [1, 5, 6].map(|retries| milliseconds(None, retries, &none)),
            [[0, 25], [0, 250], [0, 250]]
        );
    }

    #[test]
    fn an_answer_may_ask_for_a_longer_one() {
        let answer = |lines: &[(&'static str, &'static str)]| {
            let lines = lines
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            lines.collect::<HeaderMap>()
        };
        let after = ("retry-after", "2");
        for (most, lines, expected) in [
            (Some(10), &[after][..], [2000, 3000]),
            (Some(10), &[("x-ratelimit-reset", "4"), after], [2000, 3000]),
            (Some(3), &[("x-ratelimit-reset", "3"), ("retry-after", "4")], [3000, 4500]),
            (Some(1), &[after], [0, 100]),
            (None, &[after], [0, 100]),
            (Some(10), &[("retry-after", "0")], [0, 0]),
            (Some(10), &[("retry-after", "0"), ("x-ratelimit-reset", "1")], [0, 0]),
            (Some(10), &[("retry-after", "-2")], [0, 100]),
            (Some(10), &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], [0, 100]),
        ] {
            assert_eq!(milliseconds(Some(&retry(most)), 1, &answer(lines)), expected, "{most:?} {lines:?}");
        }
    }
}
