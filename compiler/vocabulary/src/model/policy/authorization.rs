//! `allow` and `deny`: who may call.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lang_diagnostics::{Origin, Spanned};

use crate::model::{Gateway, HttpMatch, Id, Namespace, Port, Service};

/// One `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRule {
    /// Where it is declared.
    pub origin: Origin,
    /// Whom it speaks of, in source order. Empty in policies of gateways and their routes, where it is about clients outside
    /// the mesh.
    pub from: Vec<Spanned<Source>>,
    /// Names in certificates that clients of ingress gateways show, of which one must be there; empty: any client.
    pub clients: Vec<Spanned<String>>,
    /// Which requests.
    pub requests: Requests,
    /// What it does not mean of these: requests that meet any of the exceptions.
    pub except: Vec<Exception>,
}

/// Which requests a rule or an exception means: those that meet a condition of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The host, lower case and without a port; `*.example.org` is any one or more leading labels. Empty: any.
    pub hosts: Vec<Spanned<String>>,
    /// Names of the service's ports. Empty: any.
    pub ports: Vec<Spanned<String>>,
    /// The address that connects, or at a gateway that of the client, is in one of these. Empty: any.
    pub addresses: Vec<Spanned<AddressRange>>,
    /// Those that meet any of these; never empty. An empty match is all of them (and the only one possible on a TCP
    /// port).
    pub matches: Vec<HttpMatch>,
}

/// What a rule does not mean although it meets the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Where it is declared.
    pub origin: Origin,
    /// Whose requests; empty: those of everybody whom the rule means.
    pub from: Vec<Spanned<Source>>,
    /// Which of them.
    pub requests: Requests,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many of its leading bits all of them have in common.
    pub bits: u8,
}

impl fmt::Display for AddressRange {
    /// As it is declared: `10.0.0.0/8`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, bits } = self;
        write!(formatter, "{address}/{bits}")
    }
}

impl AddressRange {
    /// What IPv4 addresses are in IPv6 (RFC 4291, section 2.5.5.2).
    const MAPPED: u128 = 0xffff_0000_0000;

    /// The range among the addresses of IPv6, in which those of IPv4 are `::ffff:0:0/96`: any address of it, and how many
    /// leading bits all of them have in common.
    #[must_use]
    pub fn in_ipv6(self) -> (u128, u8) {
        match self.address {
            IpAddr::V4(address) => (Self::MAPPED | u128::from(address.to_bits()), self.bits + 96),
            IpAddr::V6(address) => (address.to_bits(), self.bits),
        }
    }

    /// Whether an address is in it. One of IPv4 that is written as one of IPv6 is one of IPv4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same_family = address.is_ipv4() == self.address.is_ipv4();
        let ((of, bits), (other, _)) = (self.in_ipv6(), Self { address, bits: 0 }.in_ipv6());
        same_family && (of ^ other).checked_shr(u32::from(128_u8.saturating_sub(bits))).unwrap_or(0) == 0
    }

    /// Whether all addresses of another range are in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }

    /// The same range by its first address.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(self.bits))).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(self.bits))).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, bits: self.bits }
    }
}

/// Whom a rule means. Identities carry no cluster, so a cluster is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A service or client, wherever it runs.
    Service(Id<Service>),
    /// An ingress gateway.
    Gateway(Id<Gateway>),
    /// Every identity of a namespace.
    Namespace(Id<Namespace>),
    /// Every identity of the mesh.
    Everyone,
    /// Whoever connects without an identity, at a permissive port.
    Unauthenticated,
}

impl AuthorizationRule {
    /// Whether it means all requests at a port that its `matches` take.
    #[must_use]
    pub fn is_exact_at(&self, port: &Port) -> bool {
        let Self { origin: _, from: _, clients, requests, except } = self;
        let Requests { hosts, ports: _, addresses, matches: _ } = requests;
        clients.is_empty()
            && hosts.is_empty()
            && addresses.is_empty()
            && requests.are_at(port)
            && !except.iter().any(|except| except.requests.are_at(port))
    }

    /// Whether it says anything of a port's requests.
    #[must_use]
    pub fn is_about(&self, port: &Port) -> bool {
        self.is_about_port(&port.name)
    }

    /// The same of a port with this name, be it that of a service or of a gateway.
    #[must_use]
    pub fn is_about_port(&self, name: &str) -> bool {
        self.requests.are_at_port(name) && !self.except.iter().any(|except| except.takes_all_of(name))
    }

    /// Whether it is about clients outside the mesh, since it names nobody inside.
    #[must_use]
    pub fn is_about_clients(&self) -> bool {
        self.sources().next().is_none()
    }

    /// Whom it names, exceptions included.
    pub fn sources(&self) -> impl Iterator<Item = &Spanned<Source>> {
        self.from.iter().chain(self.except.iter().flat_map(|except| &except.from))
    }

    /// Every condition on requests, exceptions included.
    pub fn requests(&self) -> impl Iterator<Item = &Requests> {
        std::iter::once(&self.requests).chain(self.except.iter().map(|except| &except.requests))
    }
}

impl Requests {
    /// Whether a port is meant.
    #[must_use]
    pub fn are_at(&self, port: &Port) -> bool {
        self.are_at_port(&port.name)
    }

    /// Whether a port with this name is meant.
    #[must_use]
    pub fn are_at_port(&self, name: &str) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|named| named.value == name)
    }

    /// Whether they are told apart by more than their port.
    #[must_use]
    pub fn have_conditions(&self) -> bool {
        let Self { hosts, ports: _, addresses, matches } = self;
        !hosts.is_empty() || !addresses.is_empty() || matches.iter().any(|it| *it != HttpMatch::EVERYTHING)
    }
}

impl Exception {
    /// Whether all requests at a port are meant.
    fn takes_all_of(&self, port: &str) -> bool {
        self.from.is_empty() && !self.requests.have_conditions() && self.requests.are_at_port(port)
    }
}
