//! Services, clients, external hosts, and what they call.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use lang_diagnostics::{Origin, Span, Spanned};

use super::{CaptureChoice, Cluster, ExternalHost, Host, Id, Namespace};

/// A service, or a client (which calls and offers nothing: its `ports` are empty), or a subset of a service: some of its
/// pods, with workloads and clusters of their own. A subset has the ports, the account, the probes and the capture of its
/// service, and no calls: its pods make those of the service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique in its namespace. That of a subset is `<service>.<subset>`.
    pub name: String,
    /// Its namespace.
    pub namespace: Id<Namespace>,
    /// The `///` text above it.
    pub documentation: Option<String>,
    /// Where it runs, in order of cluster; never empty.
    pub clusters: Vec<Presence>,
    /// The ports it offers, in source order; empty for a client.
    pub ports: Vec<Port>,
    /// What it calls, in source order.
    pub calls: Vec<Call>,
    /// Its service account. Default: the service's name.
    pub account: String,
    /// Its workloads; empty for a service with subsets, which have them. Default: one Deployment of its name.
    pub workloads: Vec<Workload>,
    /// The service of which these pods are a part, if they are only some of its pods.
    pub subset_of: Option<SubsetOf>,
    /// The parts that its pods make up, in order of name; empty if there is no such distinction. None of its pods is in
    /// none of them.
    pub subsets: Vec<Id<Service>>,
    /// What is said about how its outbound connections reach the sidecar.
    pub capture: CaptureChoice,
    /// A virtual address that overrides the derived one.
    pub vip: Option<Spanned<IpAddr>>,
    /// How often one request may arrive at it at most, if it has a bound of its own.
    pub max_amplification: Option<Spanned<u32>>,
    /// Probes that the sidecar answers in the application's place by asking it on loopback.
    pub probes: Vec<Probe>,
    /// The application's own metrics that the sidecar serves.
    pub scrape: Option<Scrape>,
}

impl Service {
    /// Whether it only calls.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.ports.is_empty()
    }

    /// The presence in a cluster, if it runs there.
    #[must_use]
    pub fn presence(&self, cluster: Id<Cluster>) -> Option<&Presence> {
        self.clusters.iter().find(|presence| presence.cluster == cluster)
    }
}

/// What a subset is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetOf {
    /// The service.
    pub service: Id<Service>,
    /// The service's name.
    pub service_name: String,
    /// The subset's own name.
    pub name: String,
}

/// That a service runs in a cluster, with its values there.
#[derive(Clone, Debug)]
pub struct Presence {
    /// The cluster.
    pub cluster: Id<Cluster>,
    /// Where that is said.
    pub span: Span,
    /// How many replicas run there: the weight of the cluster's endpoints. Default 1.
    pub replicas: u32,
    /// Where they are, on machines; empty in Kubernetes.
    pub addresses: Vec<Spanned<Host>>,
}

/// A port of a service.
#[derive(Clone, Debug)]
pub struct Port {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// The number that callers use.
    pub number: u16,
    /// The number that the application listens on. Default: `number`.
    pub target: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Which addresses the application listens on.
    pub bind: Bind,
    /// Whether callers must prove who they are.
    pub mtls: Mtls,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1 at the application; the proxies may speak HTTP/2 between each other.
    Http,
    /// HTTP/2 at the application.
    Http2,
    /// gRPC: HTTP/2 without a route timeout.
    Grpc,
    /// Anything over TCP.
    Tcp,
    /// TLS that the application begins, told apart by the server name that it sends. At hosts outside only: at a service it
    /// is bytes.
    Tls,
}

impl Protocol {
    /// Whether requests can be told apart.
    #[must_use]
    pub const fn is_http(self) -> bool {
        match self {
            Self::Http | Self::Http2 | Self::Grpc => true,
            Self::Tcp | Self::Tls => false,
        }
    }
}

/// Which addresses an application listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bind {
    /// 127.0.0.1 only (::1 where pods have IPv6 addresses alone), so that all connections come from the sidecar.
    Loopback,
    /// All addresses (the default): only a NetworkPolicy closes the port.
    Any,
}

/// Whether callers of a port must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mtls {
    /// Always.
    Strict,
    /// Plain connections are taken too, for adoption.
    Permissive,
    /// The sidecar stays out of the way.
    Off,
}

/// What somebody calls: a service or a host outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callee {
    /// A service of the mesh.
    Service(Id<Service>),
    /// A host outside the mesh.
    External(Id<ExternalHost>),
}

impl From<Id<Service>> for Callee {
    fn from(service: Id<Service>) -> Self {
        Self::Service(service)
    }
}

impl From<Id<ExternalHost>> for Callee {
    fn from(external: Id<ExternalHost>) -> Self {
        Self::External(external)
    }
}

/// A declared call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where it is declared.
    pub origin: Origin,
    /// What is called.
    pub callee: Callee,
    /// Name of the port, if only one of several is meant.
    pub port: Option<Spanned<String>>,
    /// Where it is said that it has to be served after each single loss.
    pub critical: Option<Span>,
}

/// A Kubernetes workload that runs a service.
#[derive(Clone, Debug, Hash)]
pub struct Workload {
    /// Where it is declared (or the service, if nothing was said).
    pub origin: Origin,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// The application's container; `None`: the first one.
    pub container: Option<String>,
    /// The image: if given, the Deployment is written too.
    pub image: Option<Spanned<String>>,
    /// Further labels of the pods.
    pub labels: BTreeMap<String, String>,
    /// Further annotations of the pods.
    pub annotations: BTreeMap<String, String>,
}

/// The kinds of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `argoproj.io/v1alpha1` Rollout.
    Rollout,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
}

/// A probe that the sidecar answers in the application's place.
#[derive(Clone, Debug, Hash)]
pub struct Probe {
    /// Where it is declared.
    pub origin: Origin,
    /// Which probe.
    pub kind: ProbeKind,
    /// Path at the application.
    pub path: String,
    /// Port of the application.
    pub port: u16,
    /// How long the application may take.
    pub timeout: Duration,
}

/// The kinds of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// Restart when it fails.
    Liveness,
    /// No traffic while it fails.
    Readiness,
    /// Starting until it passes.
    Startup,
}

/// Where the application serves its own metrics.
#[derive(Clone, Debug, Hash)]
pub struct Scrape {
    /// Where it is declared.
    pub origin: Origin,
    /// Path at the application.
    pub path: String,
    /// Port of the application.
    pub port: u16,
}
