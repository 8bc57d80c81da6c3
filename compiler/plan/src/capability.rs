//! What each data plane can enforce, as data, and the check of a plan against it.
//!
//! A setting that a data plane cannot enforce is an error at the place that asks for it, never a dropped setting.

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_vocabulary::model::{DataPlane, IpFamily, Issuer, Mtls, Trust};

use crate::{Deployment, Plan, ProxyPlan, Serves, SidecarDeployment, Upstream, codes};

/// What a mesh may ask of a data plane and not get everywhere. What every data plane does has no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Calls to hosts outside the mesh.
    ExternalHosts,
    /// Ports that the sidecar stays out of (`mtls = off`).
    PlainPorts,
    /// Pods without IPv4 addresses, or with both families: never proved with traffic.
    Ipv6,
    /// Calls that mean only some of a service's pods (`subset`).
    Subsets,
}

impl Feature {
    /// Whether a data plane enforces it. Today the two differ in nothing.
    #[must_use]
    pub const fn supported_by(self, data_plane: DataPlane) -> bool {
        match (self, data_plane) {
            (
                Self::ExternalHosts | Self::PlainPorts | Self::Ipv6 | Self::Subsets,
                DataPlane::Envoy | DataPlane::Meshd,
            ) => false,
        }
    }

    /// What it is called in a message, and what to do without it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ExternalHosts => {
                ("calls to hosts outside the mesh", "let the application call the host itself")
            }
            Self::PlainPorts => ("ports with `mtls = off`", "use `mtls = permissive`, or leave the port out"),
            Self::Ipv6 => ("pods with IPv6 addresses", "use `ip_family = ipv4`"),
            Self::Subsets => ("subsets of a service", "declare a service for each subset"),
        }
    }
}

/// Reports an issuer of certificates that nothing is written for yet, whatever the data plane.
pub(crate) fn issuer(trust: &Trust, sink: &mut Sink) {
    match trust.issuer {
        Issuer::Builtin | Issuer::Files(_) => {}
        Issuer::CertManager => sink.push(
            Diagnostic::error(
                codes::ISSUER_NOT_SUPPORTED,
                trust.origin.span,
                "certificates from cert-manager are not supported yet",
            )
            .label("it has `issuer = cert_manager`")
            .help("use `issuer = builtin`, or bring certificates with `issuer = files { … }`"),
        ),
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
        for upstream in &proxy.upstreams {
            connects(proxy, upstream, sink);
        }
        match &proxy.deployment {
            Deployment::Sidecar(sidecar) => offers(proxy, sidecar, sink),
            Deployment::Gateway(_) => {}
        }
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
