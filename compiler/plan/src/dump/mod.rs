//! The plan as text, for people and for golden files: stable, complete, and one fact per line.
//!
//! Every value is taken apart field by field, so that a new field of the plan cannot be forgotten here.

mod deployment;
mod listener;
pub mod phrases;
mod upstream;
mod words;

use std::fmt::Write;

use meshc_vocabulary::model::{Capture, Platform};

use crate::bounds;
use crate::{
    ClusterPlan, Descriptor, ExternalPlan, ExternalPortPlan, Identity, Locality, Plan, ProxyPlan,
    RateLimitDomain, RateLimitService, Role,
};

/// The whole plan as text.
#[must_use]
pub fn dump(plan: &Plan) -> String {
    let Plan { clusters, proxies, externals, rate_limits } = plan;
    let mut text = Text::default();
    for cluster in clusters {
        self::cluster(&mut text, cluster);
    }
    for proxy in proxies {
        text.end_paragraph();
        dump_proxy(&mut text, proxy);
    }
    for external in externals {
        text.end_paragraph();
        self::external(&mut text, external);
    }
    for service in rate_limits {
        text.end_paragraph();
        rate_limit_service(&mut text, service);
    }
    text.lines
}

/// Lines with two spaces for each level.
#[derive(Default)]
struct Text {
    lines: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.lines.push_str("  ");
        }
        self.lines.push_str(line.as_ref());
        self.lines.push('\n');
    }

    fn nested(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    fn end_paragraph(&mut self) {
        self.lines.push('\n');
    }
}

fn cluster(text: &mut Text, cluster: &ClusterPlan) {
    let ClusterPlan {
        id: _,
        name,
        mesh_namespace,
        domain,
        ip_family,
        kubernetes,
        network_policy,
        platform,
        data_plane,
        namespaces,
        trust_domains,
        origin,
    } = cluster;
    text.line(format!("cluster {name}, from {}", origin.name));
    text.nested(|text| {
        text.line(format!("{}, Kubernetes {}.{}", data_plane.word(), kubernetes.major, kubernetes.minor));
        text.line(format!("mesh namespace {mesh_namespace}, domain {domain}, {}", ip_family.words()));
        text.line(format!("network policy {}", words::network_policy(*network_policy)));
        match platform {
            Platform::Kubernetes => {}
            Platform::Machines => text.line("machines"),
        }
        text.line(format!("namespaces {}", namespaces.join(" ")));
        text.line(format!("trust domains {}", trust_domains.join(" ")));
    });
}

fn dump_proxy(text: &mut Text, proxy: &ProxyPlan) {
    let ProxyPlan {
        name,
        role,
        cluster: _,
        data_plane,
        ip_family,
        locality,
        identity,
        listeners,
        upstreams,
        capture,
        host_aliases,
        memory,
        trusted_hops,
        rate_limit_upstream,
        deployment,
        origin,
    } = proxy;
    text.line(format!("proxy {name}, from {}", origin.name));
    text.nested(|text| {
        let role = match role {
            Role::IngressGateway(_) => "ingress gateway",
            Role::EastWestGateway(_) => "east-west gateway",
            Role::EgressGateway(_) => "egress gateway",
            Role::Sidecar(_) => "sidecar",
        };
        let Locality { region, zone, cluster } = locality;
        let family = ip_family.words();
        text.line(format!("{role}, {}, {family}, in {region}/{zone} of {cluster}", data_plane.word()));
        match identity {
            Some(Identity { spiffe, secret }) => text.line(format!("identity {spiffe}, secret {secret}")),
            None => text.line("no identity"),
        }
        match capture {
            Some(Capture::Loopback) => text.line("capture loopback"),
            Some(Capture::Redirect) => text.line("capture redirect"),
            None => {}
        }
        for (address, names) in host_aliases {
            text.line(format!("alias {address} {}", names.join(" ")));
        }
        if *memory != bounds::memory(*data_plane) {
            text.line(format!("memory {memory} bytes"));
        }
        if *trusted_hops > 0 {
            text.line(format!("trusted hops {trusted_hops}"));
        }
        if let Some(upstream) = rate_limit_upstream {
            text.line(format!("limits are counted by {upstream}"));
        }
        deployment::dump(text, deployment);
        for listener in listeners {
            listener::dump(text, listener);
        }
        for upstream in upstreams {
            upstream::dump(text, upstream);
        }
    });
}

fn external(text: &mut Text, external: &ExternalPlan) {
    let ExternalPlan { name, hosts, addresses, ports, origin } = external;
    text.line(format!("outside {name}, {}, from {}", hosts.join(" "), origin.name));
    text.nested(|text| {
        for address in addresses {
            text.line(format!("at {}", upstream::address(address)));
        }
        for ExternalPortPlan { number, target, protocol, tls } in ports {
            let port = format!("port {number}, target {target}, {}", words::protocol(*protocol));
            text.line(parts([Some(port), tls.as_ref().map(upstream::outside_tls)]));
        }
    });
}

fn rate_limit_service(text: &mut Text, service: &RateLimitService) {
    let RateLimitService { cluster: _, cluster_name, domains } = service;
    text.line(format!("rate-limit service of {cluster_name}"));
    text.nested(|text| {
        for RateLimitDomain { name, descriptors, origin } in domains {
            text.line(format!("domain {name}, from {}", origin.name));
            text.nested(|text| {
                for Descriptor { entries, requests, unit } in descriptors {
                    let entry = |(key, value): &(String, Option<String>)| match value {
                        Some(value) => format!("{key} = {value}"),
                        None => format!("each {key}"),
                    };
                    let entries: Vec<_> = entries.iter().map(entry).collect();
                    text.line(format!("{}: {requests} per {unit}", entries.join(", ")));
                }
            });
        }
    });
}

/// `word value, word value`, without the parts that are not there.
fn parts(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let mut line = String::new();
    for part in parts.into_iter().flatten() {
        let comma = if line.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{comma}{part}");
    }
    line
}
