//! Who may do what: a matching `deny` wins, then a matching `allow` admits, then nobody.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::route::Seen;
use meshd_config::{Authorization, PeerPattern, Rule, SpiffeId};

/// Whether the request is admitted. A caller without an identity matches only rules about anyone.
pub(crate) fn admits(authorization: &Authorization, peer: Option<&SpiffeId>, seen: &Seen<'_>) -> bool {
    let Authorization { deny, allow } = authorization;
    if deny.iter().any(|rule| applies(rule, peer, seen)) {
        return false;
    }
    allow.as_ref().is_none_or(|allow| allow.iter().any(|rule| applies(rule, peer, seen)))
}

fn applies(rule: &Rule, peer: Option<&SpiffeId>, seen: &Seen<'_>) -> bool {
    let Rule { name: _, principals, matches } = rule;
    let who = principals.iter().any(|principal| match peer {
        Some(peer) => principal.matches(peer),
        None => PeerPattern::is_anyone(principal),
    });
    who && (matches.is_empty() || matches.iter().any(|wanted| seen.matches(wanted)))
}
