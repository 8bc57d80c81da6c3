//! What tells the counters of a limit apart: the values that a request has, and the counters that are kept for them.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::authorize::Asker;
use crate::headers::client_address;
use crate::route::parameters;
use crate::token_bucket::TokenBucket;
use meshd_config::{IPV6_PREFIX, KEY_LENGTH, KeyOf, LimitKey, NO_VALUE, Rate};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

/// The values of a request, in the order of the keys; `None` if they cannot be told apart, because some byte in what is
/// looked at is no printable ASCII.
pub(crate) fn values(keys: &[LimitKey], asker: &Asker<'_>) -> Option<Vec<String>> {
    keys.iter().map(|key| value(key, asker)).collect()
}

fn value(key: &LimitKey, asker: &Asker<'_>) -> Option<String> {
    let LimitKey { descriptor_key: _, of } = key;
    let seen = &asker.seen;
    let text = match of {
        KeyOf::Caller => asker.peer.map(ToString::to_string).unwrap_or_default(),
        KeyOf::Address => network(asker.address),
        KeyOf::Client => network(client_address(seen.headers, asker.arrival)),
        KeyOf::Path => {
            printable(seen.query.unwrap_or_default().as_bytes())?;
            printable(seen.path.as_bytes())?.to_owned()
        }
        KeyOf::Header(name) => {
            let lines: Option<Vec<&str>> = seen.values(name).map(printable).collect();
            lines?.first().map(|first| (*first).to_owned()).unwrap_or_default()
        }
        KeyOf::Cookie(name) => {
            let lines: Option<Vec<&str>> = seen.values("cookie").map(printable).collect();
            cookie(&lines?, name).unwrap_or_default().to_owned()
        }
        KeyOf::Query(name) => {
            let query = printable(seen.query.unwrap_or_default().as_bytes())?;
            // All of it must be text, as on Envoy; what is looked for is unescaped by itself, since escapes of separators
            // are none.
            unescaped(query)?;
            parameter(query, name)?
        }
    };
    let text: String = text.chars().take(KEY_LENGTH).collect();
    Some(if text.is_empty() { NO_VALUE.to_owned() } else { text })
}

/// Who has an address, as Envoy writes it: an IPv4 address by itself, and a whole network of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => {
            let rest = u32::from(128_u8.saturating_sub(IPV6_PREFIX));
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            format!("{}/{IPV6_PREFIX}", Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// The bytes as text, if all of them are printable ASCII.
fn printable(bytes: &[u8]) -> Option<&str> {
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) { std::str::from_utf8(bytes).ok() } else { None }
}

/// The first cookie of a name, without quotes around it.
fn cookie<'l>(lines: &[&'l str], name: &str) -> Option<&'l str> {
    let cookies = lines.iter().flat_map(|line| line.split(';'));
    let mut values = cookies.filter_map(|cookie| {
        let (found, value) = cookie.split_once('=')?;
        (found.trim_start_matches(' ') == name).then_some(value)
    });
    let value = values.next()?;
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Some(inner.unwrap_or(value))
}

/// The first parameter of a name, unescaped; empty if there is none.
fn parameter(query: &str, name: &str) -> Option<String> {
    for (found, value) in parameters(Some(query)) {
        if unescaped(found)? == name {
            return unescaped(value);
        }
    }
    Some(String::new())
}

/// A text with its escapes replaced; `None` if one of them is none, or stands for what is no printable ASCII.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = (part.get(..2)?, part.get(2..)?);
        let byte = u8::from_str_radix(code, 16).ok().filter(|byte| (b' '..=b'\x7f').contains(byte))?;
        out.push(char::from(byte));
        out.push_str(rest);
    }
    Some(out)
}

/// Buckets by values, of which the ones that were used last are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    rate: Rate,
    most: usize,
    buckets: HashMap<Vec<String>, (TokenBucket, u64)>,
    /// When each was used last, as a number that grows with each use.
    order: BTreeMap<u64, Vec<String>>,
    used: u64,
}

impl Kept {
    /// None yet.
    pub(crate) fn new(rate: Rate, most: usize) -> Self {
        Kept { rate, most, buckets: HashMap::new(), order: BTreeMap::new(), used: 0 }
    }

    /// The bucket of these values, full if it is new; where there is no room for it, the one that was used longest ago is
    /// dropped.
    pub(crate) fn of(&mut self, values: &[String], now: Instant) -> &mut TokenBucket {
        self.used += 1;
        let known = self.buckets.get(values).map(|(_, used)| *used);
        match known {
            Some(before) => {
                self.order.remove(&before);
            }
            None if self.buckets.len() >= self.most => {
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.buckets.remove(&oldest);
                }
            }
            None => {}
        }
        self.order.insert(self.used, values.to_vec());
        let rate = self.rate;
        let (bucket, used) =
            self.buckets.entry(values.to_vec()).or_insert_with(|| (TokenBucket::new(rate, now), 0));
        *used = self.used;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_buckets_that_were_used_last_are_kept() {
        let now = Instant::now();
        let rate = Rate { requests: 1, per: Duration::from_secs(60), burst: 1 };
        let mut kept = Kept::new(rate, 2);
        let mut take = |name: &str| kept.of(&[name.to_owned()], now).take(now);
        assert!(take("a") && take("b"));
        assert!(!take("a"), "it is the one that was used last now");
        assert!(take("c"), "which drops b");
        assert!(!take("a") && take("b"), "a was kept, and b begins anew");
        assert_eq!((kept.buckets.len(), kept.order.len()), (2, 2));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
    }

    #[test]
    fn cookies_and_parameters_are_found_as_envoy_finds_them() {
        assert_eq!(cookie(&["a=1; c=\"zz\"; c=yy"], "c"), Some("zz"));
        assert_eq!(cookie(&["a=1", "c=2"], "c"), Some("2"));
        assert_eq!(cookie(&["xc=1; c"], "c"), None);
        assert_eq!(parameter("a=1&t=a%62&t=x", "t").as_deref(), Some("ab"));
        assert_eq!(parameter("%74=1", "t").as_deref(), Some("1"));
        assert_eq!(parameter("a", "t").as_deref(), Some(""));
        assert_eq!(parameter("t=%e4", "t"), None, "no ASCII");
        assert_eq!(parameter("t=%4", "t"), None, "no escape");
    }
}
