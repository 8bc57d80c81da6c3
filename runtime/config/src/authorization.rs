//! Who may do what, checked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::rules::Context;
use crate::{HostPattern, Path, PeerPattern, RequestMatch, raw};
use std::net::IpAddr;

/// Who may do what; a matching `deny` wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorization {
    /// Requests that are refused; the first that matches is named.
    pub deny: Vec<Rule>,
    /// Requests that are admitted; `None` is all.
    pub allow: Option<Vec<Rule>>,
}

/// Which clients outside the mesh may send requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entrance {
    /// Rules that are enforced; `None`: everybody may.
    pub rules: Option<Authorization>,
    /// Rules that are tried.
    pub tried: Option<Authorization>,
}

/// One of the principals, doing one of the things.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The name in logs and metrics.
    pub name: String,
    /// Who; empty only if clients are meant.
    pub principals: Vec<PeerPattern>,
    /// Which clients outside the mesh.
    pub clients: Vec<ClientPattern>,
    /// What.
    pub requests: Requests,
    /// What of it is not meant.
    pub except: Vec<Exception>,
}

/// Requests that meet one condition of each list that is not empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Requests {
    /// The host.
    pub hosts: Vec<HostPattern>,
    /// The address that connected.
    pub addresses: Vec<AddressRange>,
    /// The address of the client.
    pub client_addresses: Vec<AddressRange>,
    /// What is requested.
    pub matches: Vec<RequestMatch>,
}

/// Requests that a rule does not mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Whose; empty is everybody's.
    pub principals: Vec<PeerPattern>,
    /// Which.
    pub requests: Requests,
}

/// A name in the certificate of a client outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPattern {
    /// Exactly this one.
    Exact(String),
    /// One that begins so.
    Prefix(String),
}

impl ClientPattern {
    /// Whether a URI or DNS name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            ClientPattern::Exact(exact) => name == exact,
            ClientPattern::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    fn check(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<Self> {
        let name = cx.text(text, at)?;
        Some(match name.strip_suffix('*') {
            Some(prefix) => ClientPattern::Prefix(prefix.to_owned()),
            None => ClientPattern::Exact(name),
        })
    }
}

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    /// At most as many as the address has.
    bits: u8,
}

impl Authorization {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Authorization, at: &Path) -> Option<Self> {
        let raw::Authorization { deny, allow } = raw;
        let deny = cx.each(deny, &at.field("deny"), rule);
        let allow = cx.optional(allow.as_ref(), &at.field("allow"), |cx, rules, at| cx.each(rules, at, rule));
        Some(Authorization { deny: deny?, allow: allow? })
    }
}

impl Entrance {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Entrance, at: &Path) -> Option<Self> {
        let raw::Entrance { rules, tried } = raw;
        let rules = cx.optional(rules.as_ref(), &at.field("rules"), Authorization::check);
        let tried = cx.optional(tried.as_ref(), &at.field("tried"), Authorization::check);
        Some(Entrance { rules: rules?, tried: tried? })
    }
}

fn rule(cx: &mut Context<'_>, raw: &raw::Rule, at: &Path) -> Option<Rule> {
    let raw::Rule { name, principals, clients, hosts, addresses, client_addresses, matches, except } = raw;
    let name = cx.text(name, &at.field("name"));
    if principals.is_empty() && clients.is_empty() {
        cx.wrong(&at.field("principals"), "a rule needs a principal; `*` is anyone");
    }
    let principals =
        cx.each(principals, &at.field("principals"), |cx, peer, at| PeerPattern::check(cx, peer, at));
    let requests = Requests::check(cx, (hosts, [addresses, client_addresses], matches), at);
    let except = cx.each(except, &at.field("except"), exception);
    let clients = cx.each(clients, &at.field("clients"), |cx, name, at| ClientPattern::check(cx, name, at));
    Some(Rule {
        name: name?,
        principals: principals?,
        clients: clients?,
        requests: requests?,
        except: except?,
    })
}

fn exception(cx: &mut Context<'_>, raw: &raw::Exception, at: &Path) -> Option<Exception> {
    let raw::Exception { principals, hosts, addresses, client_addresses, matches } = raw;
    let has_address = !addresses.is_empty() || !client_addresses.is_empty();
    if principals.is_empty() && hosts.is_empty() && !has_address && matches.is_empty() {
        cx.wrong(at, "an exception needs a condition; without one the rule means nothing");
    }
    let principals =
        cx.each(principals, &at.field("principals"), |cx, peer, at| PeerPattern::check(cx, peer, at));
    let requests = Requests::check(cx, (hosts, [addresses, client_addresses], matches), at);
    Some(Exception { principals: principals?, requests: requests? })
}

impl Requests {
    fn check(
        cx: &mut Context<'_>,
        (hosts, [addresses, client_addresses], matches): (&[String], [&Vec<String>; 2], &[raw::RequestMatch]),
        at: &Path,
    ) -> Option<Self> {
        let hosts = cx.each(hosts, &at.field("hosts"), |cx, host, at| HostPattern::check(cx, host, at));
        let addresses = AddressRange::all(cx, addresses, &at.field("addresses"));
        let client_addresses = AddressRange::all(cx, client_addresses, &at.field("client_addresses"));
        let matches = cx.each(matches, &at.field("matches"), RequestMatch::check);
        Some(Requests {
            hosts: hosts?,
            addresses: addresses?,
            client_addresses: client_addresses?,
            matches: matches?,
        })
    }
}

/// From which addresses connections are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRanges {
    /// Those of clients who may connect.
    pub admitted: Vec<AddressRange>,
    /// Those of clients who may not. Of several ranges that have an address, the most specific one decides.
    pub refused: Vec<AddressRange>,
}

impl ClientRanges {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::ClientRanges, at: &Path) -> Option<Self> {
        let raw::ClientRanges { admitted, refused } = raw;
        let admitted = AddressRange::all(cx, admitted, &at.field("admitted"));
        let refused = AddressRange::all(cx, refused, &at.field("refused"));
        Some(ClientRanges { admitted: admitted?, refused: refused? })
    }
}

impl AddressRange {
    fn all(cx: &mut Context<'_>, ranges: &[String], at: &Path) -> Option<Vec<Self>> {
        cx.each(ranges, at, |cx, range, at| AddressRange::check(cx, range, at))
    }

    /// Whether the range has an address. An IPv4 address that a socket of IPv6 reports is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(of), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(self.bits))).unwrap_or(0);
                (of.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(of), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(self.bits))).unwrap_or(0);
                (of.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// How many leading bits all its addresses have in common.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
        let most = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        (bits <= most).then_some(Self { address, bits })
    }

    fn check(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<Self> {
        let range = Self::parse(text);
        if range.is_none() {
            cx.wrong(at, format!("`{text}` is not a range of addresses, such as `10.0.0.0/8`"));
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::AddressRange;

    #[test]
    fn a_range_is_as_wide_as_its_bits_say() {
        let has = |range: &str, address: &str| {
            AddressRange::parse(range).unwrap().contains(address.parse().unwrap())
        };
        for (range, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/8", "10.255.0.1", "11.1.2.3"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("::1/128", "::1", "::2"),
        ] {
            assert!(has(range, inside), "{range} {inside}");
            assert!(!has(range, outside), "{range} {outside}");
        }
        assert!(has("0.0.0.0/0", "203.0.113.9") && has("::/0", "2001:db8::1"));
        assert!(has("10.0.0.0/8", "::ffff:10.9.9.9"), "an IPv4 address at a socket of both families");
        assert!(!has("0.0.0.0/0", "2001:db8::1") && !has("::/0", "10.0.0.1"), "families are apart");
        for wrong in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "/8", ""] {
            assert_eq!(AddressRange::parse(wrong), None, "{wrong}");
        }
    }
}
