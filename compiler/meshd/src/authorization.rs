//! Who may call what.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    AccessException, AccessRequests, AccessRule, Audit, Authorization, ClientName, ClientRanges, Entrance,
    Principal,
};
use meshc_vocabulary::model::policy::AddressRange;
use meshd_config::raw;

use crate::matches;

/// The rules. The list of those who may call is always there: an empty one admits nobody.
pub(crate) fn render(authorization: &Authorization) -> raw::Authorization {
    let Authorization { deny, allow } = authorization;
    raw::Authorization {
        deny: deny.iter().map(rule).collect(),
        allow: Some(allow.iter().map(rule).collect()),
    }
}

/// Rules that are tried.
pub(crate) fn audit(audit: &Audit) -> raw::Authorization {
    let Audit { deny, allow } = audit;
    raw::Authorization {
        deny: deny.iter().map(rule).collect(),
        allow: allow.as_ref().map(|allow| allow.iter().map(rule).collect()),
    }
}

/// Who may come in.
pub(crate) fn entrance(entrance: &Entrance) -> raw::Entrance {
    let Entrance { rules, tried } = entrance;
    raw::Entrance { rules: rules.as_ref().map(render), tried: tried.as_ref().map(audit) }
}

fn rule(rule: &AccessRule) -> raw::Rule {
    let AccessRule { name, principals, requests, except, origin: _ } = rule;
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    raw::Rule {
        name: name.clone(),
        principals: principals.iter().filter_map(principal).collect(),
        clients: principals.iter().filter_map(client).collect(),
        hosts: hosts.clone(),
        addresses: ranges(addresses),
        client_addresses: ranges(client_addresses),
        matches: matches.iter().map(matches::request).collect(),
        except: except.iter().map(exception).collect(),
    }
}

fn exception(except: &AccessException) -> raw::Exception {
    let AccessException { principals, requests } = except;
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    raw::Exception {
        principals: principals.iter().filter_map(principal).collect(),
        hosts: hosts.clone(),
        addresses: ranges(addresses),
        client_addresses: ranges(client_addresses),
        matches: matches.iter().map(matches::request).collect(),
    }
}

/// From which addresses connections are taken.
pub(crate) fn clients(clients: &ClientRanges) -> raw::ClientRanges {
    let ClientRanges { admitted, refused } = clients;
    raw::ClientRanges { admitted: ranges(admitted), refused: ranges(refused) }
}

fn ranges(ranges: &[AddressRange]) -> Vec<String> {
    ranges.iter().map(ToString::to_string).collect()
}

fn principal(principal: &Principal) -> Option<String> {
    match principal {
        Principal::Identity(identity) => Some(identity.to_string()),
        Principal::Namespace { trust_domain, namespace } => {
            Some(format!("spiffe://{trust_domain}/ns/{namespace}/sa/*"))
        }
        Principal::Anyone => Some("*".to_owned()),
        Principal::Client(_) => None,
    }
}

fn client(principal: &Principal) -> Option<String> {
    match principal {
        Principal::Client(ClientName::Exact(name)) => Some(name.clone()),
        Principal::Client(ClientName::Prefix(prefix)) => Some(format!("{prefix}*")),
        Principal::Identity(_)
        | Principal::Namespace { trust_domain: _, namespace: _ }
        | Principal::Anyone => None,
    }
}
