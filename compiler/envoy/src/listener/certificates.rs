//! Several certificates at one port: a chain for each, chosen by the name that the client asks for.
//!
//! A connection serves the hosts of its chain's certificate only; a request for a host of another one is answered with 421
//! (RFC 9110, section 7.4), also where nothing is routed for it. Envoy takes the virtual host with the most specific
//! domain, so every pattern of any route and of any certificate is a domain in every chain.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::{ServerCertificate, ServerTls, VirtualHost};
use meshc_vocabulary::model::contains_host;

use crate::pb::listener::FilterChainMatch;
use crate::pb::route;

/// What a certificate's chain serves.
pub(super) struct Served {
    /// Virtual hosts, with those of their hosts that the certificate is for.
    pub(super) hosts: Vec<VirtualHost>,
    /// What answers for all other hosts of the port.
    pub(super) others: Vec<route::VirtualHost>,
}

/// Which of a port's hosts are served on connections with the certificate at `position`.
pub(super) fn served(tls: &ServerTls, position: usize, all: &[VirtualHost]) -> Served {
    let routed = all.iter().flat_map(|host| host.hosts.iter());
    let certified = tls.certificates.iter().flat_map(|one| one.hosts.iter());
    let mut hosts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let (mut misdirected, mut unknown) = (Vec::new(), Vec::new());
    for pattern in routed.chain(certified).collect::<BTreeSet<_>>() {
        match (tls.chosen(pattern) == Some(position), virtual_host(all, pattern)) {
            (true, Some(host)) => hosts.entry(host).or_default().push(pattern.clone()),
            (true, None) => unknown.push(pattern.clone()),
            (false, _) => misdirected.push(pattern.clone()),
        }
    }
    let with_hosts = |(host, hosts): (usize, Vec<String>)| {
        let VirtualHost { name, hosts: _, entrance, limits, routes, origin } = all.get(host)?;
        Some(VirtualHost {
            name: name.clone(),
            hosts: hosts.into(),
            entrance: entrance.clone(),
            limits: limits.clone(),
            routes: routes.clone(),
            origin: origin.clone(),
        })
    };
    let others = [answering("misdirected", misdirected, Some(421)), answering("unknown", unknown, None)];
    Served {
        hosts: hosts.into_iter().filter_map(with_hosts).collect(),
        others: others.into_iter().flatten().collect(),
    }
}

/// Position of the virtual host that takes requests for a pattern.
fn virtual_host(all: &[VirtualHost], pattern: &str) -> Option<usize> {
    let names = all.iter().enumerate().flat_map(|(i, host)| host.hosts.iter().map(move |name| (i, name)));
    let fitting = names.filter(|(_, name)| contains_host(name, pattern));
    fitting.max_by_key(|(_, name)| name.len()).map(|(position, _)| position)
}

/// A virtual host without routes, which is answered with 404, or with one answer to everything.
fn answering(name: &str, domains: Vec<String>, status: Option<u32>) -> Option<route::VirtualHost> {
    if domains.is_empty() {
        return None;
    }
    let routes = status.map(|status| route::Route {
        r#match: Some(crate::http::matches::route(&meshc_vocabulary::model::HttpMatch::default())),
        action: Some(route::route::Action::DirectResponse(route::DirectResponseAction {
            status,
            ..Default::default()
        })),
        ..Default::default()
    });
    Some(route::VirtualHost {
        name: name.to_owned(),
        domains,
        routes: routes.into_iter().collect(),
        ..Default::default()
    })
}

/// The names that choose a certificate's chain. The one for `*` is chosen where no name is, and so is the client that sends
/// none.
pub(super) fn chosen_by(certificate: &ServerCertificate) -> Vec<FilterChainMatch> {
    let ServerCertificate { secret: _, hosts } = certificate;
    let (every, named): (Vec<String>, Vec<String>) = hosts.iter().cloned().partition(|host| host == "*");
    let tls = || FilterChainMatch { transport_protocol: "tls".to_owned(), ..Default::default() };
    let named = (!named.is_empty()).then(|| FilterChainMatch { server_names: named, ..tls() });
    named.into_iter().chain((!every.is_empty()).then(tls)).collect()
}
