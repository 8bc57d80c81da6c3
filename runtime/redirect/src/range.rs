//! A range of addresses of one family, as `240.240.0.0/16`.

use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses: those whose leading bits are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    network: IpAddr,
    mask: Vec<u8>,
}

impl Range {
    /// The first address.
    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        bytes(self.network)
    }

    /// Ones for the bits that are the same; as long as an address.
    pub(crate) fn mask(&self) -> &[u8] {
        &self.mask
    }
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses such as `240.240.0.0/16` or `100::/64`")]
pub struct RangeError(String);

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(network, bits)| {
            let network: IpAddr = network.parse().ok()?;
            let whole = bytes(network);
            let bits: usize = bits.parse().ok().filter(|bits| (1..=whole.len() * 8).contains(bits))?;
            let mask: Vec<u8> = (0..whole.len()).map(|byte| ones(bits.saturating_sub(byte * 8))).collect();
            // A bit behind the prefix is a mistake, not a request for the range around it.
            whole.iter().zip(&mask).all(|(byte, mask)| byte & !mask == 0).then_some(Self { network, mask })
        });
        parsed.ok_or_else(|| RangeError(text.to_owned()))
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A byte that begins with so many ones, or eight.
fn ones(bits: usize) -> u8 {
    (0..bits.min(8)).fold(0, |byte, bit| byte | 0x80 >> bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (text, network, mask) in [
            ("240.240.0.0/16", "240.240.0.0", "255.255.0.0"),
            ("10.0.0.1/32", "10.0.0.1", "255.255.255.255"),
            ("127.64.0.0/10", "127.64.0.0", "255.192.0.0"),
            ("100::/64", "100::", "ffff:ffff:ffff:ffff::"),
            ("fd00:8000::/17", "fd00:8000::", "ffff:8000::"),
        ] {
            let range: Range = text.parse().unwrap();
            let [network, mask] = [network, mask].map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!((range.network(), range.mask()), (network, bytes(mask).as_slice()), "{text}");
            assert_eq!(range.bytes(), bytes(network));
        }
    }

    #[test]
    fn what_is_no_range_is_named() {
        for text in [
            "",
            "240.240.0.0",
            "240.240.0.0/",
            "240.240.0.0/33",
            "240.240.0.0/0",
            "240.240.0.1/16",
            "::/0",
            "100::/129",
            "100::1/64",
        ] {
            let error = text.parse::<Range>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}`")), "{error}");
        }
    }
}
