//! Who may do what: a matching `deny` wins, then a matching `allow` admits, then nobody.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::headers::{Arrival, client_address};
use crate::route::{Seen, without_port};
use crate::tls::ClientCertificate;
use meshd_config::{Authorization, ClientPattern, Exception, PeerPattern, Requests, Rule, SpiffeId};
use std::net::IpAddr;

/// What is named where no rule admits a request.
const NO_RULE: &str = "none";

/// Whoever asks, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// The identity that was proved, if one was.
    pub(crate) peer: Option<&'a SpiffeId>,
    /// The certificate of a client outside the mesh.
    pub(crate) client: Option<&'a ClientCertificate>,
    /// The address that connected.
    pub(crate) address: IpAddr,
    /// How the request came in, by which the address of the client is found.
    pub(crate) arrival: Arrival,
    /// The host that the request names.
    pub(crate) host: &'a str,
    /// What is requested.
    pub(crate) seen: Seen<'a>,
}

/// The name of the rule that refuses a request; `None` if it is admitted. A caller without an identity matches only rules
/// about anyone.
pub(crate) fn refuses<'a>(authorization: &'a Authorization, asker: &Asker<'_>) -> Option<&'a str> {
    let Authorization { deny, allow } = authorization;
    if let Some(rule) = deny.iter().find(|rule| asker.is_meant_by(rule)) {
        return Some(&rule.name);
    }
    let admitted = allow.as_ref().is_none_or(|allow| allow.iter().any(|rule| asker.is_meant_by(rule)));
    (!admitted).then_some(NO_RULE)
}

impl Asker<'_> {
    fn is_meant_by(&self, rule: &Rule) -> bool {
        let Rule { name: _, principals, clients, requests, except } = rule;
        (self.is_one_of(principals) || self.is_client(clients))
            && self.asks_for(requests)
            && !except.iter().any(|Exception { principals, requests }| {
                (principals.is_empty() || self.is_one_of(principals)) && self.asks_for(requests)
            })
    }

    fn is_client(&self, clients: &[ClientPattern]) -> bool {
        let mut names = self.client.into_iter().flat_map(|client| client.uris.iter().chain(&client.names));
        names.any(|name| clients.iter().any(|pattern| pattern.matches(name)))
    }

    fn is_one_of(&self, principals: &[PeerPattern]) -> bool {
        principals.iter().any(|principal| match self.peer {
            Some(peer) => principal.matches(peer),
            None => principal.is_anyone(),
        })
    }

    fn asks_for(&self, requests: &Requests) -> bool {
        let Requests { hosts, addresses, client_addresses, matches } = requests;
        (matches.is_empty() || matches.iter().any(|wanted| self.seen.matches(wanted)))
            && (addresses.is_empty() || addresses.iter().any(|range| range.contains(self.address)))
            && (client_addresses.is_empty() || {
                let client = client_address(self.seen.headers, self.arrival);
                client_addresses.iter().any(|range| range.contains(client))
            })
            && (hosts.is_empty() || {
                let host = without_port(self.host).to_ascii_lowercase();
                hosts.iter().any(|pattern| pattern.matches(&host))
            })
    }
}
