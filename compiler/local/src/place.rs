//! Where each listener, application port and rate-limit service is.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use meshc_plan::{ListenerKind, Placement, Plan, ProxyPlan, Serves, localhost};
use meshc_vocabulary::model::IpFamily;

/// Characters of a proxy's name in its directory: socket paths must stay below 108 bytes (`sockaddr_un`).
const NAME_LENGTH: usize = 24;

/// Gives everything in a plan a place of its own on loopback, and each proxy a directory below `directory`: on ::1 what
/// belongs to a cluster whose pods have IPv6 addresses alone, else on 127.0.0.1. `ports` hands out a free port of both
/// with each call and is told what for, by a name that stays as long as the thing is declared; it is asked in the plan's
/// order, so the same answers give the same placement.
#[must_use]
pub fn place(plan: &Plan, ports: &mut dyn FnMut(&str) -> u16, directory: &str) -> Placement {
    let mut placement = Placement::local();
    let mut next = |family, name: String| SocketAddr::new(localhost(family), ports(&name));
    for (index, proxy) in plan.proxies.iter().enumerate() {
        placement.put_root(&proxy.name, &root(directory, index, proxy));
        for listener in &proxy.listeners {
            match listener.kind {
                // Nothing is redirected on one machine: the listeners behind it have sockets of their own.
                ListenerKind::Redirected => {}
                ListenerKind::Http(_)
                | ListenerKind::Tcp(_)
                | ListenerKind::Inbound(_)
                | ListenerKind::PassThrough(_)
                | ListenerKind::Readiness(_)
                | ListenerKind::Metrics(_) => {
                    let address = next(proxy.ip_family, format!("{} {}", proxy.name, listener.name));
                    placement.put_listener(&proxy.name, &listener.name, address);
                }
            }
        }
        for port in app_ports(proxy) {
            let name = format!("{} application {port}", proxy.name);
            placement.put_app(&proxy.name, port, next(proxy.ip_family, name));
        }
    }
    for external in &plan.externals {
        for port in &external.ports {
            for declared in &external.addresses {
                let name = format!("outside {} {} {declared:?}", external.name, port.number);
                placement.put_external(&external.name, port.number, declared, next(IpFamily::V4, name));
            }
        }
    }
    for service in &plan.rate_limits {
        let of_cluster = plan.clusters.iter().find(|cluster| cluster.name == service.cluster_name);
        let family = of_cluster.map_or(IpFamily::V4, |cluster| cluster.ip_family);
        let address = next(family, format!("{} rate-limit", service.cluster_name));
        placement.put_rate_limit(&service.cluster_name, address);
    }
    placement
}

/// How many ports [`place`] asks for.
#[must_use]
pub fn ports(plan: &Plan) -> usize {
    let mut count = 0;
    let mut port = |_: &str| {
        count += 1;
        0
    };
    let _ = place(plan, &mut port, "");
    count
}

/// The directory that stands for `/` to the proxy at this position of the plan.
#[must_use]
pub fn root(directory: &str, index: usize, proxy: &ProxyPlan) -> String {
    let name = proxy.name.path.rsplit('/').next().unwrap_or_default();
    let short: String = name.chars().take(NAME_LENGTH).collect();
    format!("{}/{index}-{short}", directory.trim_end_matches('/'))
}

/// Every port of the application beside a proxy that the proxy ever connects to, in order.
pub(crate) fn app_ports(proxy: &ProxyPlan) -> BTreeSet<u16> {
    let groups = proxy.upstreams.iter().flat_map(|upstream| &upstream.groups);
    let endpoints = groups.flat_map(|group| &group.endpoints);
    endpoints
        .filter(|endpoint| match endpoint.serves {
            Serves::App => true,
            Serves::Proxy { .. } | Serves::RateLimit | Serves::External { .. } => false,
        })
        .map(|endpoint| endpoint.port)
        .collect()
}
