//! Ranges of addresses, in each way in which an address can be written.

use std::net::{IpAddr, Ipv6Addr};

use meshc_vocabulary::model::policy::AddressRange;

use crate::pb::base::CidrRange;
use crate::pb::number;

/// The ranges, those of IPv4 also as addresses of IPv6: Envoy takes `::ffff:192.0.2.1`, which the PROXY protocol and
/// `x-forwarded-for` may say, for an address of IPv6.
pub(crate) fn written(ranges: &[AddressRange]) -> impl Iterator<Item = CidrRange> {
    ranges.iter().flat_map(|range| {
        let mapped = match range.address {
            IpAddr::V4(_) => Some(range.in_ipv6()),
            IpAddr::V6(_) => None,
        };
        let mapped = mapped.map(|(address, bits)| cidr(Ipv6Addr::from_bits(address).into(), bits));
        std::iter::once(cidr(range.address, range.bits)).chain(mapped)
    })
}

fn cidr(address: IpAddr, bits: u8) -> CidrRange {
    CidrRange { address_prefix: address.to_string(), prefix_len: number(u32::from(bits)) }
}
