//! Who may do what: a matching `deny` wins, then a matching `allow` admits, then nobody.

use crate::route::Seen;
use meshd_config::{Authorization, PeerPattern, Rule, SpiffeId};

/// Whether the request is admitted. A caller without an identity matches only rules about anyone.
pub(crate) fn admits(authorization: &Authorization, peer: Option<&SpiffeId>, seen: &Seen<'_>) -> bool {
    if authorization.deny.iter().any(|rule| applies(rule, peer, seen)) {
        return false;
    }
    authorization.allow.as_ref().is_none_or(|allow| allow.iter().any(|rule| applies(rule, peer, seen)))
}

fn applies(rule: &Rule, peer: Option<&SpiffeId>, seen: &Seen<'_>) -> bool {
    let who = rule.principals.iter().any(|principal| match peer {
        Some(peer) => principal.matches(peer),
        None => PeerPattern::is_anyone(principal),
    });
    who && (rule.matches.is_empty() || rule.matches.iter().any(|wanted| seen.matches(wanted)))
}
