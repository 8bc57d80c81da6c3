//! The table, its chains and its rules.
//!
//! Numbers are nf_tables' own (`linux/netfilter/nf_tables.h`), named after their constants there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::Range;
use crate::message::{Attributes, Batch, Family, Request};

/// The table's name; it holds nothing else.
const TABLE: &str = "mesh";
/// The chain that redirects, and the one that refuses what is left.
const REDIRECT: &str = "redirect";
const REFUSE: &str = "refuse";

/// `NF_INET_LOCAL_OUT`: packets of this host's own processes.
const HOOK_OUTPUT: u32 = 3;
/// `NF_IP_PRI_NAT_DST` and `NF_IP_PRI_FILTER`: redirection comes first, so the filter sees only what was not redirected.
const PRIORITY_NAT: i32 = -100;
const PRIORITY_FILTER: i32 = 0;

/// `NFT_REG_1`.
const REGISTER: u32 = 1;
/// `NFT_META_L4PROTO`.
const META_PROTOCOL: u32 = 16;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
const NETWORK_HEADER: u32 = 1;
/// `NFT_CMP_EQ` and `NFT_CMP_NEQ`.
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
/// `NFT_REJECT_ICMP_UNREACH`.
const REJECT_UNREACHABLE: u32 = 0;

impl Family {
    fn of(range: &Range) -> Self {
        match range.network() {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// Where a header has its destination (RFC 791, section 3.1; RFC 8200, section 3).
    const fn destination(self) -> u32 {
        match self {
            Self::Ipv4 => 16,
            Self::Ipv6 => 24,
        }
    }

    /// The code for an unreachable port (RFC 792; RFC 4443, section 3.1).
    const fn port_unreachable(self) -> u8 {
        match self {
            Self::Ipv4 => 3,
            Self::Ipv6 => 4,
        }
    }
}

/// The transaction that puts the rules in the place of whatever the tables held: its bytes, and the sequence number of
/// its last request.
pub(crate) fn replace(ranges: &[Range], port: u16) -> (Vec<u8>, u32) {
    let table = Attributes::default().text(1, TABLE);
    let families: BTreeSet<Family> = ranges.iter().map(Family::of).collect();
    let mut batch = Batch::new();
    for family in families {
        // A table that is not there cannot be deleted, so it is made first.
        batch = batch
            .request(family, Request::NewTable, &table)
            .request(family, Request::DeleteTable, &table)
            .request(family, Request::NewTable, &table)
            .request(family, Request::NewChain, &chain(REDIRECT, "nat", PRIORITY_NAT))
            .request(family, Request::NewChain, &chain(REFUSE, "filter", PRIORITY_FILTER));
        for range in ranges.iter().filter(|range| Family::of(range) == family) {
            batch = batch.request(family, Request::NewRule, &rule(REDIRECT, &redirect(range, port))).request(
                family,
                Request::NewRule,
                &rule(REFUSE, &refuse(range)),
            );
        }
    }
    batch.finish()
}

/// A chain at the hook for the host's own packets.
fn chain(name: &str, kind: &str, priority: i32) -> Attributes {
    let hook = Attributes::default().number(1, HOOK_OUTPUT).bytes(2, &priority.to_be_bytes());
    Attributes::default().text(1, TABLE).text(3, name).nested(4, &hook).text(7, kind)
}

/// A rule: expressions that are tried in turn until one does not match.
fn rule(chain: &str, expressions: &[Attributes]) -> Attributes {
    let list = expressions.iter().fold(Attributes::default(), |list, one| list.nested(1, one));
    Attributes::default().text(1, TABLE).text(2, chain).nested(4, &list)
}

/// TCP to the range goes to the port on loopback.
fn redirect(range: &Range, port: u16) -> Vec<Attributes> {
    let value = Attributes::default().bytes(1, &port.to_be_bytes());
    let load = Attributes::default().number(1, REGISTER).nested(2, &value);
    let mut expressions = protocol(EQUAL, TCP);
    expressions.extend(destination(range));
    expressions.push(expression("immediate", &load));
    expressions.push(expression("redir", &Attributes::default().number(1, REGISTER)));
    expressions
}

/// Anything but TCP to the range is refused: it would leave the pod for a network that knows no such address.
fn refuse(range: &Range) -> Vec<Attributes> {
    let mut expressions = protocol(DIFFERENT, TCP);
    expressions.extend(destination(range));
    let answer =
        Attributes::default().number(1, REJECT_UNREACHABLE).bytes(2, &[Family::of(range).port_unreachable()]);
    expressions.push(expression("reject", &answer));
    expressions
}

/// Whether the packet's protocol is, or is not, this one.
fn protocol(comparison: u32, number: u8) -> Vec<Attributes> {
    let load = Attributes::default().number(1, REGISTER).number(2, META_PROTOCOL);
    vec![expression("meta", &load), compare(comparison, &[number])]
}

/// Whether the destination lies in the range.
fn destination(range: &Range) -> Vec<Attributes> {
    let network = range.bytes();
    // Four bytes or sixteen.
    let length = u32::try_from(network.len()).unwrap_or_default();
    let address = Attributes::default()
        .number(1, REGISTER)
        .number(2, NETWORK_HEADER)
        .number(3, Family::of(range).destination())
        .number(4, length);
    let bits = Attributes::default()
        .number(1, REGISTER)
        .number(2, REGISTER)
        .number(3, length)
        .nested(4, &Attributes::default().bytes(1, range.mask()))
        .nested(5, &Attributes::default().bytes(1, &vec![0; network.len()]));
    vec![expression("payload", &address), expression("bitwise", &bits), compare(EQUAL, &network)]
}

/// Whether the register holds, or does not hold, these bytes.
fn compare(comparison: u32, bytes: &[u8]) -> Attributes {
    let value = Attributes::default().bytes(1, bytes);
    let settings = Attributes::default().number(1, REGISTER).number(2, comparison).nested(3, &value);
    expression("cmp", &settings)
}

fn expression(name: &str, settings: &Attributes) -> Attributes {
    Attributes::default().text(1, name).nested(2, settings)
}
