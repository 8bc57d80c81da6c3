//! What each data plane can enforce, as data, and the check of a plan against it.
//!
//! A setting that a data plane cannot enforce is an error at the place that asks for it, never a dropped setting.

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_vocabulary::model::{DataPlane, IpFamily, Mtls};

use crate::{Deployment, Listener, Plan, ProxyPlan, Serves, SidecarDeployment, Socket, Upstream, codes};

/// What a mesh may ask of a data plane and not get everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Calls to hosts outside the mesh.
    ExternalHosts,
    /// Ports that the sidecar stays out of (`mtls = off`).
    PlainPorts,
    /// Connections redirected to one outbound port (`capture = redirect`).
    RedirectedCalls,
    /// Pods without IPv4 addresses, or with both families.
    Ipv6,
    /// Calls that mean only some of a service's pods (`subset`).
    Subsets,
    /// The application's own metrics beside the proxy's.
    AppMetrics,
}

impl Feature {
    /// Whether a data plane enforces it.
    #[must_use]
    pub const fn supported_by(self, data_plane: DataPlane) -> bool {
        match (self, data_plane) {
            (
                Self::ExternalHosts | Self::PlainPorts | Self::Ipv6 | Self::Subsets,
                DataPlane::Envoy | DataPlane::Meshd,
            )
            | (Self::RedirectedCalls | Self::AppMetrics, DataPlane::Meshd) => false,
            (Self::RedirectedCalls | Self::AppMetrics, DataPlane::Envoy) => true,
        }
    }

    /// What it is called in a message, and what to do without it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ExternalHosts => {
                ("calls to hosts outside the mesh", "let the application call the host itself")
            }
            Self::PlainPorts => ("ports with `mtls = off`", "use `mtls = permissive`, or leave the port out"),
            Self::RedirectedCalls => {
                ("`capture = redirect`", "use `capture = loopback`, or `data_plane = envoy`")
            }
            Self::Ipv6 => ("pods with IPv6 addresses", "use `ip_family = ipv4`"),
            Self::Subsets => ("subsets of a service", "declare a service for each subset"),
            Self::AppMetrics => (
                "metrics of the application",
                "let the application be scraped itself, or use `data_plane = envoy` in this cluster",
            ),
        }
    }
}

/// Reports whatever a plan asks of a data plane that cannot do it.
pub(crate) fn check(plan: &Plan, sink: &mut Sink) {
    for cluster in &plan.clusters {
        match cluster.ip_family {
            IpFamily::V4 => {}
            IpFamily::V6 | IpFamily::Dual => need(Feature::Ipv6, cluster.data_plane, &cluster.origin, sink),
        }
    }
    for proxy in &plan.proxies {
        for listener in &proxy.listeners {
            listens(proxy, listener, sink);
        }
        for upstream in &proxy.upstreams {
            connects(proxy, upstream, sink);
        }
        match &proxy.deployment {
            Deployment::Sidecar(sidecar) => offers(proxy, sidecar, sink),
            Deployment::Gateway(_) => {}
        }
    }
}

fn listens(proxy: &ProxyPlan, listener: &Listener, sink: &mut Sink) {
    match listener.socket {
        Socket::Own => {}
        Socket::Redirected => need(Feature::RedirectedCalls, proxy.data_plane, &proxy.origin, sink),
    }
}

fn connects(proxy: &ProxyPlan, upstream: &Upstream, sink: &mut Sink) {
    for endpoint in upstream.groups.iter().flat_map(|group| &group.endpoints) {
        match endpoint.serves {
            Serves::External => need(Feature::ExternalHosts, proxy.data_plane, &upstream.origin, sink),
            Serves::Proxy { .. } | Serves::App | Serves::RateLimit => {}
        }
    }
}

fn offers(proxy: &ProxyPlan, sidecar: &SidecarDeployment, sink: &mut Sink) {
    for port in &sidecar.ports {
        match port.mtls {
            Mtls::Strict | Mtls::Permissive => {}
            Mtls::Off => need(Feature::PlainPorts, proxy.data_plane, &port.origin, sink),
        }
    }
    for workload in sidecar.workloads.iter().filter(|workload| workload.subset.is_some()) {
        need(Feature::Subsets, proxy.data_plane, &workload.origin, sink);
    }
    if let Some(scrape) = &sidecar.scrape {
        need(Feature::AppMetrics, proxy.data_plane, &scrape.origin, sink);
    }
}

fn need(feature: Feature, data_plane: DataPlane, origin: &Origin, sink: &mut Sink) {
    if feature.supported_by(data_plane) {
        return;
    }
    let (what, help) = feature.words();
    sink.push(
        Diagnostic::error(
            codes::NOT_ENFORCED,
            origin.span,
            format!("{} does not support {what}", data_plane.word()),
        )
        .label(format!("{} asks for it", origin.name))
        .help(help),
    );
}
