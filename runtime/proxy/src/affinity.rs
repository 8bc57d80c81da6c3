//! What of a request decides which endpoint gets it, where a group is balanced by hash.

use crate::choice::number;
use crate::route::parameters;
use http::header::{COOKIE, HeaderMap, HeaderValue};
use meshd_config::{CookieKey, CookieLife, HashKey};

/// The hash of a request, and the cookie that makes the next one have the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Affinity {
    /// The hash; `None` if the request has none of the properties.
    pub(crate) key: Option<u64>,
    /// What its answer sets.
    pub(crate) cookie: Option<HeaderValue>,
}

/// The affinity of a request with these headers and this query: the values that it has decide together. `random` gives a new
/// cookie its value.
pub(crate) fn of(
    keys: &[HashKey],
    headers: &HeaderMap,
    query: Option<&str>,
    random: fn() -> u64,
) -> Affinity {
    let mut all = Affinity::default();
    for key in keys {
        let Affinity { key, cookie } = by_one(key, headers, query, random);
        if let Some(key) = key {
            // The order counts, so that two equal values are not nothing.
            all.key = Some(all.key.map_or(key, |before| before.rotate_left(1) ^ key));
        }
        all.cookie = all.cookie.or(cookie);
    }
    all
}

fn by_one(key: &HashKey, headers: &HeaderMap, query: Option<&str>, random: fn() -> u64) -> Affinity {
    let found = match key {
        HashKey::Header(name) => {
            let mut lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            lines.sort_unstable();
            (!lines.is_empty()).then(|| number(&lines.join(&b'\n')))
        }
        HashKey::Cookie(CookieKey { name, set }) => {
            if let Some(value) = cookie(headers, name) {
                return Affinity { key: Some(number(value)), cookie: None };
            }
            let Some(life) = set else { return Affinity::default() };
            let value = format!("{:016x}", random());
            let key = Some(number(value.as_bytes()));
            return Affinity { key, cookie: set_cookie(name, &value, *life) };
        }
        HashKey::Source { trusted_hops } => source(headers, *trusted_hops).map(number),
        HashKey::Query(name) => {
            let named = parameters(query).find(|(found, _)| found == name);
            named.map(|(_, value)| number(value.as_bytes()))
        }
    };
    Affinity { key: found, cookie: None }
}

/// The value of the first cookie of a name (RFC 6265, section 4.2.1), without quotes; an empty one is none.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    let value = pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = pair.split_at_checked(at)?;
        (found == name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    })?;
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(quoted.unwrap_or(value)).filter(|value| !value.is_empty())
}

/// `shop="0123456789abcdef"; Max-Age=3600; Path=/; HttpOnly`, as Envoy writes it.
fn set_cookie(name: &str, value: &str, life: CookieLife) -> Option<HeaderValue> {
    let age = match life {
        CookieLife::Session => String::new(),
        CookieLife::For(period) => format!("; Max-Age={}", period.duration().as_secs()),
    };
    HeaderValue::from_str(&format!("{name}=\"{value}\"{age}; Path=/; HttpOnly")).ok()
}

/// The client's address. The gateway has put what it was connected from behind what it was told, so that the last one is
/// that of the proxy or client before it; each trusted hop has put one there before.
fn source(headers: &HeaderMap, trusted_hops: u32) -> Option<&[u8]> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.as_bytes();
    let before = |hops| line.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii).nth(hops);
    before(usize::try_from(trusted_hops).unwrap_or(usize::MAX)).or_else(|| before(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use meshd_config::Period;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter();
        lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn key(key: &HashKey, lines: &[(&'static str, &'static str)], query: Option<&str>) -> Option<u64> {
        of(std::slice::from_ref(key), &headers(lines), query, || 1).key
    }

    fn shop(set: Option<CookieLife>) -> HashKey {
        HashKey::Cookie(CookieKey { name: String::from("shop"), set })
    }

    #[test]
    fn lines_of_a_header_count_in_any_order() {
        let user = HashKey::Header(String::from("x-user"));
        let both = key(&user, &[("x-user", "a"), ("x-user", "b")], None);
        assert_eq!(both, key(&user, &[("x-user", "b"), ("x-user", "a")], None));
        assert_ne!(both, key(&user, &[("x-user", "a")], None));
        assert_eq!(key(&user, &[("x-other", "a")], None), None);
    }

    #[test]
    fn the_first_cookie_of_the_name_counts() {
        let of = |line| key(&shop(None), &[("cookie", line)], None);
        assert!(of("shop=1").is_some());
        for same in ["shop=\"1\"", "a=2; shop=1", "shop=1; shop=2", "a; shop=1", " shop=1 ;b=3"] {
            assert_eq!(of(same), of("shop=1"), "{same}");
        }
        for none in ["shop=", "shop", "Shop=1", "xshop=1", "a=shop=1", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn a_cookie_is_set_where_there_is_none() {
        let hour = CookieLife::For(Period::from_secs(3600));
        let new = of(&[shop(Some(hour))], &HeaderMap::new(), None, || 0xab);
        assert_eq!(new.cookie.unwrap(), "shop=\"00000000000000ab\"; Max-Age=3600; Path=/; HttpOnly");
        let next = of(&[shop(Some(hour))], &headers(&[("cookie", "shop=00000000000000ab")]), None, || 0);
        assert_eq!((next.key, next.cookie), (new.key, None), "the next request goes to the same place");
        let session = of(&[shop(Some(CookieLife::Session))], &HeaderMap::new(), None, || 0xab);
        assert_eq!(session.cookie.unwrap(), "shop=\"00000000000000ab\"; Path=/; HttpOnly");
        assert_eq!(of(&[shop(None)], &HeaderMap::new(), None, || 0xab), Affinity::default());
    }

    #[test]
    fn several_properties_count_together_and_what_is_missing_does_not() {
        let user = HashKey::Header(String::from("x-user"));
        let page = HashKey::Query(String::from("page"));
        let both = |lines: &[(&'static str, &'static str)], query| {
            of(&[user.clone(), page.clone()], &headers(lines), query, || 1).key
        };
        let a = [("x-user", "a")];
        assert_eq!(both(&a, None), key(&user, &a, None));
        assert_eq!(both(&[], Some("page=1")), key(&page, &[], Some("page=1")));
        assert_eq!(both(&[], None), None);
        assert_ne!(both(&a, Some("page=1")), both(&a, Some("page=2")));
        assert_ne!(both(&a, Some("page=1")), both(&[("x-user", "b")], Some("page=1")));
        assert_ne!(
            both(&a, Some("page=a")),
            both(&[("x-user", "b")], Some("page=b")),
            "equal values count, too"
        );
    }

    #[test]
    fn the_client_is_as_many_hops_away_as_are_trusted() {
        let from = |hops, line| {
            let line = headers(&[("x-forwarded-for", line)]);
            source(&line, hops).map(|found| String::from_utf8_lossy(found).into_owned())
        };
        let line = "198.51.100.9, 192.0.2.1, 192.0.2.2";
        let found = [0, 1, 2, 3].map(|hops| from(hops, line).unwrap());
        assert_eq!(found, ["192.0.2.2", "192.0.2.1", "198.51.100.9", "192.0.2.2"]);
    }

    #[test]
    fn the_first_parameter_of_the_name_counts() {
        let user = HashKey::Query(String::from("user"));
        let of = |query| key(&user, &[], query);
        assert_eq!(of(Some("user=1&user=2")), of(Some("a=b&user=1")));
        assert_eq!((of(None), of(Some("users=1"))), (None, None));
        assert!(of(Some("user")).is_some(), "an empty value is one");
    }
}
