//! The plan of a mesh and of one proxy.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{
    Capture, Cluster, DataPlane, Gateway, Id, IpFamily, OutsideTls, Protocol, Service,
};

use crate::{ClusterPlan, Deployment, EndpointAddress, Identity, Listener, RateLimitService, Upstream};

/// The plan of a whole mesh.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The clusters, in order of name.
    pub clusters: Vec<ClusterPlan>,
    /// One plan per proxy, in order of name.
    pub proxies: Vec<ProxyPlan>,
    /// The hosts outside that some proxy connects to, in order of name.
    pub externals: Vec<ExternalPlan>,
    /// One rate-limit service for each cluster that counts anything, in order of cluster name.
    pub rate_limits: Vec<RateLimitService>,
}

/// A host outside the mesh that some proxy connects to.
#[derive(Clone, Debug)]
pub struct ExternalPlan {
    /// `namespace.name`, as it is declared.
    pub name: String,
    /// The names by which it is called, as virtual hosts are written; never empty.
    pub hosts: Vec<String>,
    /// Its addresses, in order of preference; never empty.
    pub addresses: Vec<EndpointAddress>,
    /// The ports that are called, in source order.
    pub ports: Vec<ExternalPortPlan>,
    /// Where it comes from.
    pub origin: Origin,
}

/// A port of a host outside the mesh.
#[derive(Clone, Debug)]
pub struct ExternalPortPlan {
    /// The number by which callers know it.
    pub number: u16,
    /// The number that the host listens on.
    pub target: u16,
    /// What applications speak on it.
    pub protocol: Protocol,
    /// TLS that proxies begin.
    pub tls: Option<OutsideTls>,
}

/// The name of a proxy, unique in the mesh, and the path of its files below the cluster's folder:
/// `west`, `gateways/ingress` or `east`, `sidecars/istioinaction/catalog`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyName {
    /// The cluster's name.
    pub cluster: String,
    /// `gateways/<gateway>` or `sidecars/<namespace>/<service>`.
    pub path: String,
}

impl fmt::Display for ProxyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.cluster, self.path)
    }
}

/// What a proxy is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes requests from outside the mesh.
    IngressGateway(Id<Gateway>),
    /// Passes mTLS between clusters through.
    EastWestGateway(Id<Gateway>),
    /// Connects to hosts outside, for proxies of the mesh.
    EgressGateway(Id<Gateway>),
    /// Stands beside an application.
    Sidecar(Id<Service>),
}

/// Region and zone of a proxy or of a group of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// Region.
    pub region: String,
    /// Zone; may be empty.
    pub zone: String,
    /// The cluster's name.
    pub cluster: String,
}

/// Everything that one proxy must do.
#[derive(Clone, Debug)]
pub struct ProxyPlan {
    /// Its name.
    pub name: ProxyName,
    /// What it is there for.
    pub role: Role,
    /// The cluster it runs in.
    pub cluster: Id<Cluster>,
    /// The data plane that carries it.
    pub data_plane: DataPlane,
    /// Address family of its pod: what names are resolved to.
    pub ip_family: IpFamily,
    /// Where it runs.
    pub locality: Locality,
    /// Memory of its container in bytes, which its bounds follow.
    pub memory: u64,
    /// Who it is; `None` for a pure east-west gateway.
    pub identity: Option<Identity>,
    /// Where it listens, in order of name.
    pub listeners: Vec<Listener>,
    /// What it connects to, in order of name. All callers of a callee port in one cluster share one value.
    pub upstreams: Vec<Arc<Upstream>>,
    /// How the application's outbound connections reach it (sidecars only).
    pub capture: Option<Capture>,
    /// Names that the pod's `hostAliases` map to virtual addresses, in order of address.
    pub host_aliases: Vec<(IpAddr, Arc<[String]>)>,
    /// How many proxies in front are trusted to have set `x-forwarded-for` (ingress gateways).
    pub trusted_hops: u32,
    /// The cluster's rate-limit service as an upstream's name, if any listener asks it.
    pub rate_limit_upstream: Option<String>,
    /// How it is deployed.
    pub deployment: Deployment,
    /// Where the proxy comes from.
    pub origin: Origin,
}

impl ProxyPlan {
    /// Leaves what it is and how it is deployed, and forgets where it listens and what it connects to: most of its size.
    pub fn outline(&mut self) {
        self.listeners = Vec::new();
        self.upstreams = Vec::new();
        self.host_aliases = Vec::new();
    }
}
