//! The document: one proxy.

use std::sync::Arc;

use std::collections::BTreeMap;

use meshc_plan::{Role, Upstream, bounds, paths};
use meshc_vocabulary::model::IpFamily;
use meshd_config::{Period, VERSION, raw};

use crate::placed::Placed;
use crate::{listener, upstream};

/// How often names are asked for again, how long one question may take, and how often it is asked: the numbers that
/// the Envoy backend uses too.
const DNS_REFRESH: Period = Period::from_secs(5);
const DNS_TIMEOUT: Period = Period::from_secs(2);
const DNS_TRIES: u32 = 1;

/// The configuration of the proxy.
pub(crate) fn config(placed: &Placed<'_>) -> raw::Config {
    let plan = placed.plan;
    let is_limiter =
        |upstream: &&Arc<Upstream>| plan.rate_limit_upstream.as_deref() == Some(upstream.name.as_str());
    let upstreams = plan.upstreams.iter().filter(|one| !is_limiter(one));
    raw::Config {
        version: VERSION,
        node: node(placed),
        identity: plan.identity.as_ref().map(|_| raw::Identity {
            certificate: placed.path(paths::CERTIFICATE),
            private_key: placed.path(paths::PRIVATE_KEY),
            trust_bundle: placed.path(paths::TRUST_BUNDLE),
        }),
        listeners: listener::all(placed),
        upstreams: upstreams.map(|one| (one.name.clone(), upstream::render(placed, one))).collect(),
        rate_limit_service: plan.upstreams.iter().find(is_limiter).and_then(|one| limiter(placed, one)),
        dns: Some(raw::Dns {
            servers: Vec::new(),
            family: match plan.ip_family {
                IpFamily::V4 => raw::Family::Ipv4,
                IpFamily::V6 => raw::Family::Ipv6,
                IpFamily::Dual => raw::Family::Both,
            },
            refresh: DNS_REFRESH,
            timeout: DNS_TIMEOUT,
            tries: DNS_TRIES,
        }),
        bounds: Some(raw::Bounds {
            memory: Some(bounds::PROXY_MEMORY),
            connections: bounds::MOST_CONNECTIONS,
        }),
        access_log: Some(raw::AccessLog::Stdout),
        admin: Some(raw::Admin::Unix(placed.path(paths::ADMIN_SOCKET))),
    }
}

fn node(placed: &Placed<'_>) -> raw::Node {
    let plan = placed.plan;
    let role = match plan.role {
        Role::IngressGateway(_) => "ingress gateway",
        Role::EastWestGateway(_) => "east-west gateway",
        Role::Sidecar(_) => "sidecar",
    };
    let facts =
        [("region", plan.locality.region.as_str()), ("role", role), ("zone", plan.locality.zone.as_str())];
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    raw::Node {
        name: plan.name.to_string(),
        cluster: plan.name.cluster.clone(),
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
