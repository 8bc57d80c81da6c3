//! A range of IPv4 addresses, as `240.240.0.0/16`.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of IPv4 addresses: those whose leading bits are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    network: Ipv4Addr,
    mask: Ipv4Addr,
}

impl Range {
    /// The first address.
    #[must_use]
    pub const fn network(self) -> Ipv4Addr {
        self.network
    }

    /// Ones for the bits that are the same.
    #[must_use]
    pub const fn mask(self) -> Ipv4Addr {
        self.mask
    }
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of IPv4 addresses such as `240.240.0.0/16`")]
pub struct RangeError(String);

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(network, bits)| {
            let network: Ipv4Addr = network.parse().ok()?;
            let bits: u32 = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
            let mask = Ipv4Addr::from_bits(u32::MAX << (32 - bits));
            // A bit behind the prefix is a mistake, not a request for the range around it.
            (network.to_bits() & !mask.to_bits() == 0).then_some(Self { network, mask })
        });
        parsed.ok_or_else(|| RangeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let range: Range = "240.240.0.0/16".parse().unwrap();
        assert_eq!(range.network(), Ipv4Addr::new(240, 240, 0, 0));
        assert_eq!(range.mask(), Ipv4Addr::new(255, 255, 0, 0));
        assert_eq!("10.0.0.1/32".parse::<Range>().unwrap().mask(), Ipv4Addr::BROADCAST);
    }

    #[test]
    fn what_is_no_range_is_named() {
        for text in
            ["", "240.240.0.0", "240.240.0.0/", "240.240.0.0/33", "240.240.0.0/0", "240.240.0.1/16", "::/16"]
        {
            let error = text.parse::<Range>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}`")), "{error}");
        }
    }
}
