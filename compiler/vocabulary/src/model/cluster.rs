//! Networks, clusters, gateways and links.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};

use super::policy::AddressRange;
use super::{DataPlane, Id};

/// A network: pods in it reach each other by address.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
}

/// A declared way between two networks; without any declared link, every network reaches every other one's
/// gateways.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it is declared.
    pub origin: Origin,
    /// From this network …
    pub from: Id<Network>,
    /// … to gateways in this one. A link goes both ways.
    pub to: Id<Network>,
    /// One-way latency, if declared.
    pub latency: Option<Duration>,
    /// Relative cost, if declared.
    pub cost: Option<u64>,
}

/// A Kubernetes cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// The network its pods are in.
    pub network: Id<Network>,
    /// Region, such as `westus`.
    pub region: String,
    /// Zone within the region; empty if not declared.
    pub zone: String,
    /// DNS domain of its services. Default `cluster.local`.
    pub domain: String,
    /// Whether `domain` was declared and can therefore be resolved from other clusters of the same network.
    pub domain_resolvable: bool,
    /// Address family of its pods.
    pub ip_family: IpFamily,
    /// Kubernetes version. Default 1.33.
    pub kubernetes: KubernetesVersion,
    /// Whether its network plugin enforces NetworkPolicy.
    pub network_policy: NetworkPolicyEnforcement,
    /// What its services run on.
    pub platform: Platform,
    /// Whether it is joining, active or draining.
    pub state: ClusterState,
    /// Its own trust domain, if it differs from the mesh's.
    pub trust_domain: Option<String>,
    /// Its own data plane, if it differs from the mesh's.
    pub data_plane: Option<DataPlane>,
    /// Where `data_plane` or the cluster is declared, for diagnostics on capabilities.
    pub data_plane_origin: Option<Origin>,
}

/// Address family of a cluster's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpFamily {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Dual,
}

impl IpFamily {
    /// Whether pods of this family have addresses of the same kind, and so reach it.
    #[must_use]
    pub const fn has(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 | Self::Dual, IpAddr::V4(_)) | (Self::V6 | Self::Dual, IpAddr::V6(_)) => true,
            (Self::V4, IpAddr::V6(_)) | (Self::V6, IpAddr::V4(_)) => false,
        }
    }

    /// Whether pods of this family reach a host: a name may have addresses of any family.
    #[must_use]
    pub const fn reaches(self, host: &Host) -> bool {
        match host {
            Host::Ip(address) => self.has(*address),
            Host::Name(_) => true,
        }
    }

    /// Whether pods of this family and of another one have a kind of addresses in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4, Self::V6) | (Self::V6, Self::V4) => false,
            (Self::V4 | Self::V6 | Self::Dual, _) => true,
        }
    }

    /// Its words for a message: `IPv4`, `IPv6`, `IPv4 and IPv6`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Dual => "IPv4 and IPv6",
        }
    }
}

/// A Kubernetes version such as 1.33.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion {
    /// Major number.
    pub major: u16,
    /// Minor number.
    pub minor: u16,
}

/// Whether a cluster's network plugin enforces NetworkPolicy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkPolicyEnforcement {
    /// It does.
    Enforced,
    /// It does not: a strict port bound to any address would be exposed.
    None,
}

/// Where a cluster stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterState {
    /// It gets its configuration but no traffic from other clusters yet.
    Joining,
    /// It takes part.
    Active,
    /// It gets no new traffic from other clusters.
    Draining,
}

/// A gateway of a cluster.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique in its cluster.
    pub name: String,
    /// Its cluster.
    pub cluster: Id<super::Cluster>,
    /// What it does.
    pub role: GatewayRole,
    /// Addresses or host names at which others reach it; may be empty (a check reports where that breaks a path).
    pub addresses: Vec<Spanned<Host>>,
    /// Ports of an ingress gateway, in source order. An east-west gateway has exactly one, 15443 unless declared.
    pub ports: Vec<GatewayPort>,
    /// How many replicas run, or the fewest if their number follows their load. Default 2.
    pub replicas: u32,
    /// How their number follows their load, if it does.
    pub autoscale: Option<Autoscale>,
    /// The name of its service account, if it is not `<cluster>-<gateway>`.
    pub account: Option<Spanned<String>>,
    /// Its Service.
    pub service: GatewayService,
    /// What its pods are given.
    pub resources: Resources,
    /// Labels of all its objects, beside those that meshc gives them, by key.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its pods, by key.
    pub annotations: BTreeMap<String, String>,
    /// How many proxies in front of an ingress gateway are trusted to have set `x-forwarded-for`. Default 0.
    pub trusted_hops: u32,
}

impl Gateway {
    /// Where pods of this family reach it, in source order.
    pub fn addresses_for(&self, family: IpFamily) -> impl Iterator<Item = &Host> {
        self.addresses.iter().map(|address| &address.value).filter(move |address| family.reaches(address))
    }
}

/// How the number of a gateway's replicas follows their load.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Autoscale {
    /// Where it is declared.
    pub origin: Origin,
    /// The most replicas, at least as many as the fewest.
    pub most: u32,
    /// The share of the reserved processor time that is aimed at, in percent.
    pub cpu: Option<u8>,
    /// The share of the reserved memory that is aimed at, in percent.
    pub memory: Option<u8>,
}

/// The Kubernetes Service of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewayService {
    /// Its type. Default `LoadBalancer`.
    pub kind: ServiceType,
    /// `loadBalancerClass`, if one is asked for.
    pub class: Option<Spanned<String>>,
    /// Annotations, by key.
    pub annotations: BTreeMap<String, String>,
    /// Where a node sends what arrives from outside. Default to all pods.
    pub external_traffic: ExternalTraffic,
    /// From where its load balancer takes connections; empty: from everywhere.
    pub sources: Vec<AddressRange>,
}

/// How clients outside the cluster reach a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceType {
    /// Through a load balancer of the cluster's provider.
    LoadBalancer,
    /// At a port of every node.
    NodePort,
    /// Not: only from inside the cluster, or by somebody who knows the pods.
    ClusterIp,
}

/// Where a node sends what arrives at it for a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExternalTraffic {
    /// To all pods, from an address of its own: the client's is lost.
    Cluster,
    /// To its own pods only, from the client's address.
    Local,
}

/// What the pods of a gateway are given. What is not said is the mesh's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// Processor time that is reserved, in thousandths of a core.
    pub cpu: Option<u64>,
    /// The most processor time, in thousandths of a core.
    pub cpu_limit: Option<u64>,
    /// Memory that is reserved, in bytes.
    pub memory: Option<u64>,
    /// The most memory, in bytes.
    pub memory_limit: Option<u64>,
}

/// What the services of a cluster run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Pods of Kubernetes.
    Kubernetes,
    /// Machines with systemd, which are found by their addresses.
    Machines,
}

/// What a gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayRole {
    /// Takes requests from outside the mesh.
    Ingress,
    /// Passes mTLS between clusters through, by SNI.
    EastWest,
    /// Connects to hosts outside, for callers that prove who they are.
    Egress,
}

/// An address or a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, without a final dot.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

/// A port of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayPort {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// The number that clients use.
    pub number: u16,
    /// The number at each node, if one is asked for.
    pub node_port: Option<Spanned<u16>>,
    /// What is done with connections.
    pub protocol: GatewayProtocol,
    /// Whether connections begin with the PROXY protocol's header.
    pub proxy_protocol: bool,
    /// Whether clients may speak HTTP/1.0.
    pub http10: Option<Http10>,
    /// How it ends TLS, if it does.
    pub tls: Option<GatewayTls>,
}

/// Clients that speak HTTP/1.0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Http10 {
    /// The host of requests that name none, in lower case and without a port.
    pub default_host: Option<String>,
}

/// What a port of an ingress gateway does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayProtocol {
    /// Requests, by host.
    Http,
    /// Bytes, all to one route.
    Tcp,
    /// TLS that is never ended here, by server name.
    Tls,
}

/// How an ingress port ends TLS.
#[derive(Clone, Debug)]
pub struct GatewayTls {
    /// Where it is declared.
    pub origin: Origin,
    /// The server certificates, in source order; never empty, and no two are for the same host.
    pub certificates: Vec<GatewayCertificate>,
    /// The oldest version of TLS that is accepted. Default 1.2.
    pub minimum_version: TlsVersion,
    /// What is offered to clients, in order of preference; never empty. Default HTTP/2, then HTTP/1.1.
    pub alpn: Vec<HttpVersion>,
    /// What certificates of clients must be, if they are asked for.
    pub clients: Option<ClientCertificates>,
}

/// The certificates that clients of an ingress port show.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// The Secret in the mesh's namespace with the roots that they descend from, under the key `ca.crt`.
    pub ca: Spanned<String>,
    /// Whether a client may do without.
    pub presence: ClientCertificate,
}

/// Whether a client of an ingress port shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientCertificate {
    /// Always.
    Required,
    /// If it has one.
    Optional,
}

/// A server certificate of an ingress port.
#[derive(Clone, Debug)]
pub struct GatewayCertificate {
    /// The Secret (type `kubernetes.io/tls`) in the mesh's namespace that holds it.
    pub secret: Spanned<String>,
    /// The hosts that it is for, in lower case; never empty. `*.example.org` is any one or more leading labels, `*`
    /// every host, also of clients that send no server name.
    pub hosts: Vec<Spanned<String>>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// A version of HTTP, as clients choose it in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}
