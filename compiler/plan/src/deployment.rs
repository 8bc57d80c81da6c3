//! What whoever deploys a proxy must know beyond what the proxy itself does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{
    Autoscale, Bind, Cluster, DataPlane, GatewayService, Host, Id, IpFamily, KubernetesVersion, Mtls,
    NetworkPolicyEnforcement, Platform, Probe, Protocol, Resources, Scrape, Workload,
};

use crate::object_name;

/// All addresses of a pod, as one socket takes them: that of IPv6 takes connections over IPv4, too, on both data planes.
#[must_use]
pub const fn wildcard(family: IpFamily) -> IpAddr {
    match family {
        IpFamily::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpFamily::V6 | IpFamily::Dual => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The address of loopback at which a pod talks to itself. Programs that take IPv6 connections do not always take those
/// over IPv4 (`IPV6_V6ONLY`), so where pods have IPv6 addresses alone it is that of IPv6.
#[must_use]
pub const fn localhost(family: IpFamily) -> IpAddr {
    match family {
        IpFamily::V4 | IpFamily::Dual => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpFamily::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

/// A cluster as the deployment sees it.
#[derive(Clone, Debug, Hash)]
pub struct ClusterPlan {
    /// The cluster.
    pub id: Id<Cluster>,
    /// Its name: the folder of its tree.
    pub name: String,
    /// The mesh's namespace.
    pub mesh_namespace: String,
    /// DNS domain of its services.
    pub domain: String,
    /// Address family of its pods.
    pub ip_family: IpFamily,
    /// Kubernetes version.
    pub kubernetes: KubernetesVersion,
    /// Whether it enforces NetworkPolicy.
    pub network_policy: NetworkPolicyEnforcement,
    /// What its proxies run on.
    pub platform: Platform,
    /// The data plane of its proxies.
    pub data_plane: DataPlane,
    /// Namespaces that have a proxy in this cluster, in order: each gets the trust bundle.
    pub namespaces: Vec<String>,
    /// Trust domains whose roots its bundle holds, in order.
    pub trust_domains: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// How a proxy is deployed.
#[derive(Clone, Debug, Hash)]
pub enum Deployment {
    /// Beside the user's own application.
    Sidecar(SidecarDeployment),
    /// On its own.
    Gateway(GatewayDeployment),
}

/// Whose a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The user's.
    User,
    /// The mesh's: it counts for all clusters.
    Mesh,
}

/// A sidecar beside the user's own workloads.
#[derive(Clone, Debug, Hash)]
pub struct SidecarDeployment {
    /// Whose workload it stands beside.
    pub owner: Owner,
    /// The namespace.
    pub namespace: String,
    /// The service's name.
    pub service: String,
    /// The subset's name, if these are only some of the service's pods.
    pub subset: Option<String>,
    /// The service account.
    pub account: String,
    /// The workloads it joins; never empty.
    pub workloads: Vec<Workload>,
    /// Replicas in this cluster.
    pub replicas: u32,
    /// The application's ports.
    pub ports: Vec<ApplicationPort>,
    /// Probes that the proxy answers in the application's place.
    pub probes: Vec<Probe>,
    /// The application's own metrics.
    pub scrape: Option<Scrape>,
    /// Why its calls are redirected although nobody asked for that.
    pub redirected_for: Option<RedirectedFor>,
    /// Whether a callee's port below 1024 makes the pod need the sysctl `net.ipv4.ip_unprivileged_port_start`; the
    /// lowest such port.
    pub lowest_privileged_port: Option<u16>,
}

/// Why calls are redirected that need not be by declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedirectedFor {
    /// The pod listens on this port and calls it elsewhere.
    HeldPort(u16),
    /// The pod has IPv6 addresses alone.
    Ipv6,
}

impl SidecarDeployment {
    /// `catalog`, or `reviews.v2` for a subset: as references and paths name it.
    #[must_use]
    pub fn called(&self) -> String {
        match &self.subset {
            Some(subset) => format!("{}.{subset}", self.service),
            None => self.service.clone(),
        }
    }

    /// What its Kubernetes objects are called.
    #[must_use]
    pub fn object_name(&self) -> String {
        object_name(&self.service, self.subset.as_deref())
    }
}

/// A port of the application beside a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApplicationPort {
    /// Its name.
    pub name: String,
    /// The number that callers use.
    pub number: u16,
    /// The number that the application listens on.
    pub target: u16,
    /// What is spoken.
    pub protocol: Protocol,
    /// Which addresses the application listens on.
    pub bind: Bind,
    /// Whether callers must prove who they are.
    pub mtls: Mtls,
    /// Where it comes from.
    pub origin: Origin,
}

/// A gateway.
#[derive(Clone, Debug, Hash)]
pub struct GatewayDeployment {
    /// Its name.
    pub name: String,
    /// `<cluster>-<gateway>`: the name of its objects.
    pub object: String,
    /// Its service account: the same unless declared.
    pub account: String,
    /// Replicas, or the fewest.
    pub replicas: u32,
    /// How their number follows their load, if it does.
    pub autoscale: Option<Autoscale>,
    /// Its Service.
    pub service: GatewayService,
    /// What its pods are given.
    pub resources: Resources,
    /// Declared addresses.
    pub addresses: Vec<Host>,
    /// (name, number that clients use, number that the proxy listens on), in source order.
    pub ports: Vec<GatewayPortPlan>,
    /// Secrets with server certificates that must be mounted, in order.
    pub server_tls_secrets: Vec<String>,
    /// Secrets with the roots of clients' certificates that must be mounted too, in order.
    pub client_ca_secrets: Vec<String>,
    /// Labels that every object of the gateway carries.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its pods.
    pub annotations: BTreeMap<String, String>,
}

/// A port of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewayPortPlan {
    /// Its name.
    pub name: String,
    /// The number that clients use.
    pub number: u16,
    /// The number that the proxy listens on (`listen_port`).
    pub listen: u16,
    /// The number at each node, if one is asked for.
    pub node_port: Option<u16>,
}
