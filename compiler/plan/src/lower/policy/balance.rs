//! `balance`: which endpoint of a group gets the next request.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::Port;
use meshc_vocabulary::model::policy::{Balance, BalanceBy, HashKey};

use crate::GroupBalance;

/// Points of a hash ring, at least. The more there are, the more even are the shares: of ten endpoints each has about
/// four hundred, and its share differs from the others' by about a twentieth. They take 64 KiB.
const RING: u32 = 4096;

/// Pods that answer requests.
pub(in crate::lower) fn of_pods(balance: &Balance) -> GroupBalance {
    let Balance { origin: _, by, slow_start } = balance;
    let slow_start = slow_start.as_ref().map(|slow_start| slow_start.value);
    match by.value {
        BalanceBy::RoundRobin => GroupBalance::RoundRobin { slow_start },
        BalanceBy::LeastRequest => GroupBalance::LeastRequest { slow_start },
        BalanceBy::Random => GroupBalance::Random,
        BalanceBy::Hash(_) => GroupBalance::Hash { ring: RING },
    }
}

/// Where a hash would be of no use: connections have no properties, and behind a gateway the same connection leads to
/// whatever pod the gateway chose when it was made.
pub(in crate::lower) fn without_hash(balance: &Balance) -> GroupBalance {
    match of_pods(balance) {
        GroupBalance::Hash { ring: _ } => GroupBalance::EVENLY,
        other @ (GroupBalance::RoundRobin { slow_start: _ }
        | GroupBalance::LeastRequest { slow_start: _ }
        | GroupBalance::Random) => other,
    }
}

/// Who sends requests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lower) enum Sender {
    /// A gateway, which sees the addresses of clients.
    Gateway,
    /// A sidecar, which sees its own application.
    Sidecar,
}

/// The properties of a request that decide together which pod of a callee gets it.
pub(in crate::lower) fn keys(balance: &Balance, port: &Port, sender: Sender) -> Vec<HashKey> {
    let keys = match &balance.by.value {
        BalanceBy::Hash(keys) if port.protocol.is_http() => keys.as_slice(),
        BalanceBy::Hash(_) | BalanceBy::RoundRobin | BalanceBy::LeastRequest | BalanceBy::Random => &[],
    };
    let seen = |key: &&HashKey| match (key, sender) {
        (HashKey::Source, Sender::Sidecar) => false,
        (HashKey::Header(_) | HashKey::Cookie { name: _, ttl: _ } | HashKey::Query(_), _)
        | (HashKey::Source, Sender::Gateway) => true,
    };
    keys.iter().filter(seen).cloned().collect()
}
