//! The document: one proxy.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshc_plan::{Locality, ProxyName, ProxyPlan, Role, Upstream, bounds, dns, paths};
use meshc_vocabulary::model::IpFamily;
use meshd_config::{Period, VERSION, raw};

use crate::placed::Placed;
use crate::{listener, upstream};

/// The configuration of the proxy.
pub(crate) fn config(placed: &Placed<'_>) -> raw::Config {
    let ProxyPlan {
        name,
        role,
        cluster: _,
        data_plane: _,
        ip_family,
        locality,
        identity,
        listeners,
        upstreams,
        // How connections reach the proxy is the manifests' affair.
        capture: _,
        host_aliases: _,
        memory,
        trusted_hops,
        rate_limit_upstream,
        deployment: _,
        origin: _,
    } = placed.plan;
    let is_limiter =
        |upstream: &&Arc<Upstream>| rate_limit_upstream.as_deref() == Some(upstream.name.as_str());
    raw::Config {
        version: VERSION,
        node: node(name, *role, locality),
        identity: identity.as_ref().map(|_| raw::Identity {
            certificate: placed.path(paths::CERTIFICATE),
            private_key: placed.path(paths::PRIVATE_KEY),
            trust_bundle: placed.path(paths::TRUST_BUNDLE),
        }),
        listeners: listener::all(placed, listeners, *trusted_hops),
        upstreams: upstreams
            .iter()
            .filter(|one| !is_limiter(one))
            .map(|one| (one.name.clone(), upstream::render(placed, one)))
            .collect(),
        rate_limit_service: upstreams.iter().find(is_limiter).and_then(|one| limiter(placed, one)),
        dns: Some(raw::Dns {
            servers: Vec::new(),
            family: match ip_family {
                IpFamily::V4 => raw::Family::Ipv4,
                IpFamily::V6 => raw::Family::Ipv6,
                IpFamily::Dual => raw::Family::Ipv4Preferred,
            },
            refresh: Period::from(dns::REFRESH),
            refresh_after_failure: Some(Period::from(dns::REFRESH_AFTER_FAILURE)),
            timeout: Period::from(dns::TIMEOUT),
            tries: dns::TRIES,
        }),
        bounds: Some(raw::Bounds { memory: Some(*memory), connections: bounds::connections(*memory) }),
        access_log: Some(raw::AccessLog::Stdout),
        admin: Some(raw::Admin::Unix(placed.path(paths::ADMIN_SOCKET))),
    }
}

fn node(name: &ProxyName, role: Role, locality: &Locality) -> raw::Node {
    let ProxyName { cluster, path: _ } = name;
    let Locality { region, zone, cluster: _ } = locality;
    let role = match role {
        Role::IngressGateway(_) => "ingress gateway",
        Role::EastWestGateway(_) => "east-west gateway",
        Role::EgressGateway(_) => "egress gateway",
        Role::Sidecar(_) => "sidecar",
    };
    let facts = [("region", region.as_str()), ("role", role), ("zone", zone.as_str())];
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    raw::Node {
        name: name.to_string(),
        cluster: cluster.clone(),
        data: known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
    }
}

/// The rate-limit service: its client speaks gRPC itself, so it is an address and no upstream.
fn limiter(placed: &Placed<'_>, upstream: &Upstream) -> Option<raw::RateLimitService> {
    let endpoint = upstream.groups.first()?.endpoints.first()?;
    let (host, port) = placed.connect(endpoint);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(raw::RateLimitService { address: format!("{host}:{port}") })
}
