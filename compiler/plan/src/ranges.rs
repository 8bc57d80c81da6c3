//! Ranges of addresses from conditions on addresses: of several that have an address, the most specific one decides.

use std::net::{Ipv4Addr, Ipv6Addr};

use meshc_vocabulary::model::policy::AddressRange;

/// From which addresses connections are taken. The most specific range of either list decides; an address that is in none is
/// refused. No range is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientRanges {
    /// Those of clients who may connect, in order.
    pub admitted: Vec<AddressRange>,
    /// Those of clients who may not, in order: parts of what is admitted.
    pub refused: Vec<AddressRange>,
}

impl ClientRanges {
    /// Ranges by what conditions say of all addresses of one. `named` are the ranges in these conditions: a range that is
    /// none of them and lies in none of them is as its surroundings are.
    pub(crate) fn new(
        named: impl IntoIterator<Item = AddressRange>,
        admits: impl Fn(AddressRange) -> bool,
    ) -> Self {
        let whole = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let mut named: Vec<AddressRange> = named.into_iter().map(AddressRange::trimmed).collect();
        named.extend(whole.map(|address| AddressRange { address, bits: 0 }));
        named.sort_unstable_by_key(|range| (range.bits, range.address));
        named.dedup();
        let mut ranges = Self::default();
        for range in named {
            // What surrounds it is shorter, and so came before.
            let surrounding = |list: &[AddressRange]| {
                list.iter().filter(|other| other.covers(range)).map(|other| other.bits).max()
            };
            let is_admitted = surrounding(&ranges.admitted) > surrounding(&ranges.refused);
            match (admits(range), is_admitted) {
                (true, false) => ranges.admitted.push(range),
                (false, true) => ranges.refused.push(range),
                (true, true) | (false, false) => {}
            }
        }
        ranges.admitted.sort_unstable();
        ranges.refused.sort_unstable();
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        let (address, bits) = text.split_once('/').unwrap();
        AddressRange { address: address.parse().unwrap(), bits: bits.parse().unwrap() }
    }

    /// What is in one of the first and in none of the second, as ranges that are admitted and refused.
    fn but(allow: &[&str], deny: &[&str]) -> [Vec<String>; 2] {
        let all = |texts: &[&str]| texts.iter().map(|text| range(text)).collect::<Vec<_>>();
        let (allow, deny) = (all(allow), all(deny));
        let has = |ranges: &[AddressRange], range| ranges.iter().any(|other| other.covers(range));
        let ClientRanges { admitted, refused } =
            ClientRanges::new([allow.clone(), deny.clone()].concat(), |it| {
                (allow.is_empty() || has(&allow, it)) && !has(&deny, it)
            });
        [admitted, refused].map(|list| list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_most_specific_range_decides() {
        let none: [&str; 0] = [];
        assert_eq!(but(&[], &[]), [vec!["0.0.0.0/0", "::/0"], vec![]]);
        let two = ["192.0.2.7/24", "2001:db8::/32"];
        assert_eq!(but(&two, &[]), [vec!["192.0.2.0/24", "2001:db8::/32"], vec![]]);
        assert_eq!(but(&["192.0.2.0/24"], &["192.0.2.1/32"]), [["192.0.2.0/24"], ["192.0.2.1/32"]]);
        assert_eq!(but(&["192.0.2.0/24"], &["192.0.0.0/16"]), [none, none]);
        assert_eq!(but(&["192.0.2.0/24", "192.0.2.1/32"], &[]), [vec!["192.0.2.0/24"], vec![]]);
        assert_eq!(but(&["::/0"], &[]), [vec!["::/0"], vec![]], "IPv4 is no part of it");
        assert_eq!(but(&[], &["192.0.2.0/24"]), [vec!["0.0.0.0/0", "::/0"], vec!["192.0.2.0/24"]]);
        assert_eq!(but(&[], &["0.0.0.0/0"]), [vec!["::/0"], vec![]]);
    }

    #[test]
    fn an_ipv4_address_is_one_however_it_is_written() {
        let mapped: std::net::IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(range("192.0.2.0/24").contains(mapped) && !range("::/0").contains(mapped));
        assert!(!range("192.0.2.2/32").contains(mapped) && range("0.0.0.0/0").contains(mapped));
        assert!(range("2001:db8::/33").contains("2001:db8:7fff::1".parse().unwrap()));
        assert!(!range("2001:db8::/33").contains("2001:db8:8000::".parse().unwrap()));
    }
}
