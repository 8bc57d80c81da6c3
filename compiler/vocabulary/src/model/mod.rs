//! The typed model of a mesh.

pub mod answer;
mod cluster;
mod external;
pub mod filter;
mod mesh;
pub mod policy;
mod route;
mod service;
mod spiffe;
mod table;

pub use cluster::{
    Autoscale, ClientCertificate, ClientCertificates, Cluster, ClusterState, ExternalTraffic, Gateway,
    GatewayCertificate, GatewayPort, GatewayProtocol, GatewayRole, GatewayService, GatewayTls, Host, Http10,
    HttpVersion, IpFamily, KubernetesVersion, Link, Network, NetworkPolicyEnforcement, Platform, Resources,
    ServiceType, TlsVersion,
};
pub use external::{ExternalHost, OutsideTls};
pub use mesh::{Capture, CaptureChoice, DataPlane, Issuer, IssuerFiles, Mesh, Namespace, Trust};
pub use policy::{Policy, PolicyScope, PolicySettings};
pub use route::{
    AtGateways, CallSource, DeadShare, Destination, GatewayPortName, HeaderMatch, HttpMatch, NotMatch,
    OfCalls, PathMatch, QueryMatch, QueryValue, Route, RouteRule, RouteScope, RoutedCallee, StringMatch,
    Upgrade, contains_host,
};
pub use service::{
    Bind, Call, Callee, Mtls, Port, Presence, Probe, ProbeKind, Protocol, Scrape, Service, SubsetOf,
    Workload, WorkloadKind,
};
pub use spiffe::SpiffeId;
pub use table::{Id, Table};

/// A whole mesh: every name resolved, every default filled in.
#[derive(Clone, Debug)]
pub struct Model {
    /// The mesh block.
    pub mesh: Mesh,
    /// How identities are proved.
    pub trust: Trust,
    /// Networks, in order of name.
    pub networks: Table<Network>,
    /// Clusters, in order of name.
    pub clusters: Table<Cluster>,
    /// Gateways, in order of (cluster name, gateway name).
    pub gateways: Table<Gateway>,
    /// Declared links between networks, in order of (from, to).
    pub links: Vec<Link>,
    /// Namespaces, in order of name.
    pub namespaces: Table<Namespace>,
    /// Services and clients, in order of (namespace name, service name), each followed by its subsets.
    pub services: Table<Service>,
    /// The service that counts for the whole mesh, if there is one: made for `rate_limits` of the mesh, and of the mesh.
    pub limiter: Option<Id<Service>>,
    /// Hosts outside the mesh, in order of (namespace name, name).
    pub externals: Table<ExternalHost>,
    /// Routes, in order of (namespace name, route name).
    pub routes: Table<Route>,
    /// Policies, in order of (namespace name, policy name); those of the mesh come first.
    pub policies: Table<Policy>,
    /// The settings of `stdlib/defaults.mesh`: the outermost scope of every policy, complete where a data plane
    /// needs a number.
    pub defaults: policy::Defaults,
}

impl Model {
    /// The ports of a callee, in source order.
    #[must_use]
    pub fn ports(&self, callee: Callee) -> &[Port] {
        match callee {
            Callee::Service(service) => &self.services.at(service).ports,
            Callee::External(external) => &self.externals.at(external).ports,
        }
    }

    /// The identity of a service in a cluster (the trust domain may differ per cluster).
    #[must_use]
    pub fn service_identity(&self, service: Id<Service>, cluster: Id<Cluster>) -> SpiffeId {
        let service = self.services.at(service);
        SpiffeId {
            trust_domain: self.trust_domain(cluster).to_owned(),
            namespace: self.namespaces.at(service.namespace).name.clone(),
            account: service.account.clone(),
        }
    }

    /// All identities of a service: one for each trust domain it runs in, in order and without duplicates.
    #[must_use]
    pub fn service_identities(&self, service: Id<Service>) -> Vec<SpiffeId> {
        let presences = self.services.at(service).clusters.iter();
        let mut identities: Vec<_> =
            presences.map(|presence| self.service_identity(service, presence.cluster)).collect();
        identities.sort();
        identities.dedup();
        identities
    }

    /// The identity of an ingress or egress gateway; a pure east-west gateway has none.
    #[must_use]
    pub fn gateway_identity(&self, gateway: Id<Gateway>) -> Option<SpiffeId> {
        let gateway = self.gateways.at(gateway);
        match gateway.role {
            GatewayRole::EastWest => None,
            GatewayRole::Ingress | GatewayRole::Egress => Some(SpiffeId {
                trust_domain: self.trust_domain(gateway.cluster).to_owned(),
                namespace: self.mesh.namespace.clone(),
                account: self.gateway_account(gateway),
            }),
        }
    }

    /// The service account of a gateway: `<cluster>-<gateway>` unless declared.
    #[must_use]
    pub fn gateway_account(&self, gateway: &Gateway) -> String {
        let declared = gateway.account.as_ref().map(|account| account.value.clone());
        declared.unwrap_or_else(|| format!("{}-{}", self.clusters.at(gateway.cluster).name, gateway.name))
    }

    /// The trust domain of a cluster.
    #[must_use]
    pub fn trust_domain(&self, cluster: Id<Cluster>) -> &str {
        self.clusters.at(cluster).trust_domain.as_deref().unwrap_or(&self.mesh.trust_domain)
    }

    /// The data plane of a cluster.
    #[must_use]
    pub fn data_plane(&self, cluster: Id<Cluster>) -> DataPlane {
        self.clusters.at(cluster).data_plane.unwrap_or(self.mesh.data_plane)
    }

    /// The service of which a subset is a part; itself for everything else.
    #[must_use]
    pub fn whole(&self, service: Id<Service>) -> Id<Service> {
        self.services.at(service).subset_of.as_ref().map_or(service, |subset| subset.service)
    }

    /// The services and clients without subsets, in order.
    pub fn whole_services(&self) -> impl Iterator<Item = (Id<Service>, &Service)> {
        self.services.iter().filter(|(_, service)| service.subset_of.is_none())
    }

    /// `namespace.service`, as messages and references name a service.
    #[must_use]
    pub fn service_name(&self, service: Id<Service>) -> String {
        let service = self.services.at(service);
        format!("{}.{}", self.namespaces.at(service.namespace).name, service.name)
    }

    /// `namespace.name` of a service, a subset of one, or a host outside.
    #[must_use]
    pub fn callee_name(&self, callee: Callee) -> String {
        match callee {
            Callee::Service(service) => self.service_name(service),
            Callee::External(external) => {
                let external = self.externals.at(external);
                format!("{}.{}", self.namespaces.at(external.namespace).name, external.name)
            }
        }
    }

    /// `cluster.gateway`, as messages and references name a gateway.
    #[must_use]
    pub fn gateway_name(&self, gateway: Id<Gateway>) -> String {
        let gateway = self.gateways.at(gateway);
        format!("{}.{}", self.clusters.at(gateway.cluster).name, gateway.name)
    }
}
