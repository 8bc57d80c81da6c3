//! The service that counts for the whole mesh: made of one attribute, and from then on a service as any other.

use std::collections::BTreeMap;

use lang_diagnostics::Origin;

use crate::model::{
    Bind, CaptureChoice, Id, Mesh, Mtls, Namespace, Port, Presence, Protocol, Service, Table, Workload,
    WorkloadKind,
};

/// What its Deployment, its Service and its container are called, as those of the service that counts for a cluster.
pub const RATE_LIMIT_SERVICE: &str = "rate-limit";
/// The port on which it is asked, over gRPC.
pub const RATE_LIMIT_GRPC_PORT: u16 = 8081;

/// Takes the service and its namespace to their places, since tables are in the order of names.
pub(crate) struct Counting {
    wanted: bool,
    namespace: Option<Id<Namespace>>,
    /// The service, once it is there.
    pub(crate) service: Option<Id<Service>>,
}

impl Counting {
    pub(crate) fn of(mesh: &Mesh) -> Self {
        Self { wanted: mesh.rate_limits.is_some(), namespace: None, service: None }
    }

    /// Adds the namespace before one that comes after it; it may be one that is declared.
    pub(crate) fn namespace(&mut self, mesh: &Mesh, next: Option<&str>, namespaces: &mut Table<Namespace>) {
        if !self.wanted || self.namespace.is_some() {
            return;
        }
        let name = mesh.namespace.as_str();
        if next == Some(name) {
            self.namespace = Some(namespaces.next_id());
        } else if next.is_none_or(|next| name < next) {
            let namespace = Namespace { origin: mesh.origin.clone(), name: name.to_owned() };
            self.namespace = Some(namespaces.push(namespace));
        }
    }

    /// Adds the service before one that comes after it.
    pub(crate) fn service(
        &mut self,
        mesh: &Mesh,
        next: Option<(Id<Namespace>, &str)>,
        services: &mut Table<Service>,
    ) {
        let (Some(namespace), Some(cluster), None) = (self.namespace, mesh.rate_limits, self.service) else {
            return;
        };
        if next.is_some_and(|next| next < (namespace, RATE_LIMIT_SERVICE)) {
            return;
        }
        let origin = Origin::new(cluster.span, "`rate_limits`");
        let presence =
            Presence { cluster: cluster.value, span: cluster.span, replicas: 2, addresses: Vec::new() };
        self.service = Some(services.push(service(namespace, presence, &origin)));
    }
}

fn service(namespace: Id<Namespace>, presence: Presence, origin: &Origin) -> Service {
    Service {
        origin: origin.clone(),
        name: RATE_LIMIT_SERVICE.to_owned(),
        namespace,
        documentation: None,
        clusters: vec![presence],
        ports: vec![Port {
            origin: Origin::new(origin.span, "port `grpc`"),
            name: String::from("grpc"),
            number: RATE_LIMIT_GRPC_PORT,
            target: RATE_LIMIT_GRPC_PORT,
            protocol: Protocol::Grpc,
            // The proxies of its own cluster ask it past its sidecar for what is counted there, so another check says
            // where nothing but NetworkPolicies would close the port.
            bind: Bind::Loopback,
            mtls: Mtls::Strict,
        }],
        calls: Vec::new(),
        account: RATE_LIMIT_SERVICE.to_owned(),
        workloads: vec![Workload {
            origin: origin.clone(),
            kind: WorkloadKind::Deployment,
            name: RATE_LIMIT_SERVICE.to_owned(),
            container: Some(RATE_LIMIT_SERVICE.to_owned()),
            image: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }],
        subset_of: None,
        subsets: Vec::new(),
        capture: CaptureChoice::Loopback,
        vip: None,
        max_amplification: None,
        probes: Vec::new(),
        scrape: None,
    }
}
