//! Small meshes built by hand and topologies as text, so that a test reads as a story.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lang_diagnostics::{FileId, Origin, Span, Spanned};
use meshc_topology::{ProxyKey, Topology, Via};
use meshc_vocabulary::model::answer::RuleAction;
use meshc_vocabulary::model::policy::{
    Balance, BalanceBy, Defaults, Failover, FailoverBy, Failures, Judged, OrDefault, Outlier, Pool, Timeout,
};
use meshc_vocabulary::model::*;

/// A mesh in declared order; [`Sketch::model`] puts everything in order of name, as evaluation does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch {
    pub(crate) networks: Vec<String>,
    pub(crate) clusters: Vec<ClusterSketch>,
    pub(crate) gateways: Vec<GatewaySketch>,
    pub(crate) links: Vec<(String, String, Option<u64>)>,
    pub(crate) services: Vec<ServiceSketch>,
    pub(crate) routes: Vec<(String, String)>,
    pub(crate) failover: Option<(bool, Vec<FailoverBy>)>,
}

#[derive(Clone, Debug)]
pub(crate) struct ClusterSketch {
    pub(crate) name: String,
    pub(crate) network: String,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) domain: Option<String>,
    pub(crate) state: ClusterState,
}

#[derive(Clone, Debug)]
pub(crate) struct GatewaySketch {
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) role: GatewayRole,
    pub(crate) address: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ServiceSketch {
    pub(crate) name: String,
    pub(crate) clusters: Vec<String>,
    pub(crate) calls: Vec<String>,
    pub(crate) replicas: u32,
}

impl Sketch {
    /// A cluster in a network (declared with it if new), with an east-west gateway named `ew`.
    pub(crate) fn cluster(mut self, name: &str, network: &str, region: &str, zone: &str) -> Self {
        if !self.networks.iter().any(|it| it == network) {
            self.networks.push(network.to_owned());
        }
        self.clusters.push(ClusterSketch {
            name: name.to_owned(),
            network: network.to_owned(),
            region: region.to_owned(),
            zone: zone.to_owned(),
            domain: None,
            state: ClusterState::Active,
        });
        self.gateway(name, "ew", GatewayRole::EastWest, true)
    }

    pub(crate) fn gateway(mut self, cluster: &str, name: &str, role: GatewayRole, address: bool) -> Self {
        self.gateways.push(GatewaySketch {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            role,
            address,
        });
        self
    }

    pub(crate) fn without_gateway(mut self, cluster: &str) -> Self {
        self.gateways.retain(|it| it.cluster != cluster);
        self
    }

    pub(crate) fn domain(mut self, cluster: &str, domain: &str) -> Self {
        self.clusters.iter_mut().find(|it| it.name == cluster).unwrap().domain = Some(domain.to_owned());
        self
    }

    pub(crate) fn state(mut self, cluster: &str, state: ClusterState) -> Self {
        self.clusters.iter_mut().find(|it| it.name == cluster).unwrap().state = state;
        self
    }

    pub(crate) fn link(mut self, from: &str, to: &str) -> Self {
        self.links.push((from.to_owned(), to.to_owned(), None));
        self
    }

    /// A link with a latency in milliseconds, which is also its cost.
    pub(crate) fn slow_link(mut self, from: &str, to: &str, milliseconds: u64) -> Self {
        self.links.push((from.to_owned(), to.to_owned(), Some(milliseconds)));
        self
    }

    pub(crate) fn service(mut self, name: &str, clusters: &[&str], calls: &[&str]) -> Self {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        self.services.push(ServiceSketch {
            name: name.to_owned(),
            clusters: owned(clusters),
            calls: owned(calls),
            replicas: 1,
        });
        self
    }

    pub(crate) fn failover(mut self, enabled: bool, by: &[FailoverBy]) -> Self {
        self.failover = Some((enabled, by.to_vec()));
        self
    }

    /// A route from an ingress gateway (`cluster.gateway`) to a service.
    pub(crate) fn route(mut self, gateway: &str, service: &str) -> Self {
        self.routes.push((gateway.to_owned(), service.to_owned()));
        self
    }

    pub(crate) fn model(&self) -> Model {
        let mut networks = Table::default();
        let network_ids = ids(self.networks.clone(), |name| {
            networks.push(Network { origin: origin(name), name: name.to_owned() })
        });
        let mut clusters = Table::default();
        let by_name: BTreeMap<_, _> = self.clusters.iter().map(|it| (it.name.as_str(), it)).collect();
        let cluster_ids = ids(self.clusters.iter().map(|it| it.name.clone()).collect(), |name| {
            clusters.push(cluster(by_name[name], network_ids[&by_name[name].network]))
        });
        let mut sorted = self.gateways.clone();
        sorted.sort_by_key(|it| (it.cluster.clone(), it.name.clone()));
        let mut gateways = Table::default();
        let mut gateway_ids = BTreeMap::new();
        for it in &sorted {
            let id = gateways.push(gateway(it, cluster_ids[&it.cluster]));
            gateway_ids.insert(format!("{}.{}", it.cluster, it.name), id);
        }
        let mut links: Vec<_> = self.links.iter().map(|it| link(it, &network_ids)).collect();
        links.sort_by_key(|it| (it.from, it.to));
        let mut namespaces = Table::default();
        let namespace = namespaces.push(Namespace { origin: origin("shop"), name: String::from("shop") });
        let mut names: Vec<_> = self.services.iter().map(|it| it.name.clone()).collect();
        names.sort();
        let probe: Table<Service> = Table::default();
        let mut service_ids = BTreeMap::new();
        let mut filler = probe.clone();
        for name in &names {
            let clusters = Vec::new();
            service_ids.insert(name.clone(), filler.push(service(name, namespace, clusters, Vec::new())));
        }
        let mut services = Table::default();
        for name in &names {
            let sketch = self.services.iter().find(|it| it.name == *name).unwrap();
            let mut presences: Vec<_> = sketch
                .clusters
                .iter()
                .map(|it| Presence {
                    cluster: cluster_ids[it],
                    span: span(),
                    replicas: sketch.replicas,
                    addresses: Vec::new(),
                })
                .collect();
            presences.sort_by_key(|it| it.cluster);
            let call = |callee: &String| Call {
                origin: origin(&format!("{name} calls {callee}")),
                callee: Callee::Service(service_ids[callee]),
                port: None,
                critical: None,
            };
            services.push(service(name, namespace, presences, sketch.calls.iter().map(call).collect()));
        }
        let mut sorted = self.routes.clone();
        sorted.sort();
        let mut routes = Table::default();
        for (gateway, to) in &sorted {
            routes.push(route(namespace, to, gateway_ids[gateway], service_ids[to]));
        }
        Model {
            mesh: mesh(),
            trust: trust(),
            networks,
            clusters,
            gateways,
            links,
            namespaces,
            services,
            limiter: None,
            externals: Table::default(),
            routes,
            policies: Table::default(),
            defaults: defaults(self.failover.clone()),
        }
    }
}

/// The topology of a mesh.
pub(crate) fn build(model: &Model) -> Topology {
    meshc_topology::build(&meshc_resolve::resolve(model))
}

/// What a sidecar's proxy reaches, one line per callee port: `catalog:80 = east via east.ew, north via …`.
pub(crate) fn reaches(model: &Model, topology: &Topology, cluster: &str, service: &str) -> Vec<String> {
    let cluster = model.clusters.iter().find(|(_, it)| it.name == cluster).unwrap().0;
    let service = model.services.iter().find(|(_, it)| it.name == service).unwrap().0;
    lines(model, topology, ProxyKey::Sidecar { cluster, service })
}

/// The same for a gateway, as `cluster.gateway`.
pub(crate) fn gateway_reaches(model: &Model, topology: &Topology, gateway: &str) -> Vec<String> {
    lines(model, topology, ProxyKey::Gateway(gateway_id(model, gateway)))
}

/// What a gateway passes on, one line per SNI.
pub(crate) fn exports(model: &Model, topology: &Topology, gateway: &str) -> Vec<String> {
    let list = &topology.exports[&gateway_id(model, gateway)];
    list.iter()
        .map(|export| {
            let hops = export.hops.iter().map(|hop| place(model, hop.cluster, &hop.via));
            format!("{} = {}", model.services.at(export.service).name, hops.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// Who cannot reach whom, one line each.
pub(crate) fn unreachable(model: &Model, topology: &Topology) -> Vec<String> {
    let list = topology.unreachable.iter();
    list.map(|it| {
        let cluster = &model.clusters.at(it.cluster).name;
        let partly = if it.partly { " (partly)" } else { "" };
        format!("{}: {cluster} {:?}{partly}", it.origin.name, it.reason)
    })
    .collect()
}

pub(crate) fn cluster_id(model: &Model, name: &str) -> Id<Cluster> {
    model.clusters.iter().find(|(_, it)| it.name == name).unwrap().0
}

pub(crate) fn service_id(model: &Model, name: &str) -> Id<Service> {
    model.services.iter().find(|(_, it)| it.name == name).unwrap().0
}

pub(crate) fn gateway_id(model: &Model, name: &str) -> Id<Gateway> {
    model.gateways.ids().find(|id| model.gateway_name(*id) == name).unwrap()
}

fn lines(model: &Model, topology: &Topology, proxy: ProxyKey) -> Vec<String> {
    topology.reaches[&proxy]
        .iter()
        .map(|reach| {
            let Callee::Service(callee) = reach.callee else {
                unreachable!("sketches have no external hosts")
            };
            let groups = reach.groups.iter().map(|group| place(model, group.cluster, &group.via));
            format!("{} = {}", model.services.at(callee).name, groups.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

fn place(model: &Model, cluster: Id<Cluster>, via: &Via) -> String {
    let name = &model.clusters.at(cluster).name;
    match via {
        Via::Pods => name.clone(),
        Via::External => String::from("outside"),
        Via::Gateways { gateways, from: _, hops } => {
            let gateways: Vec<_> = gateways.iter().map(|it| model.gateway_name(*it)).collect();
            let hops: Vec<_> = hops.iter().map(|it| model.clusters.at(*it).name.as_str()).collect();
            match hops.as_slice() {
                [only] if only == name => format!("{name} via {}", gateways.join("+")),
                _ => format!("{name} via {} ({})", gateways.join("+"), hops.join(" > ")),
            }
        }
    }
}

fn ids<T>(mut names: Vec<String>, mut push: impl FnMut(&str) -> Id<T>) -> BTreeMap<String, Id<T>> {
    names.sort();
    names.into_iter().map(|name| (name.clone(), push(&name))).collect()
}

fn span() -> Span {
    Span::new(FileId(0), 0, 0)
}

fn origin(name: &str) -> Origin {
    Origin::new(span(), name)
}

fn cluster(sketch: &ClusterSketch, network: Id<Network>) -> Cluster {
    Cluster {
        origin: origin(&sketch.name),
        name: sketch.name.clone(),
        network,
        region: sketch.region.clone(),
        zone: sketch.zone.clone(),
        domain: sketch.domain.clone().unwrap_or_else(|| String::from("cluster.local")),
        domain_resolvable: sketch.domain.is_some(),
        ip_family: IpFamily::V4,
        kubernetes: KubernetesVersion { major: 1, minor: 33 },
        network_policy: NetworkPolicyEnforcement::Enforced,
        platform: Platform::Kubernetes,
        state: sketch.state,
        trust_domain: None,
        data_plane: None,
        data_plane_origin: None,
    }
}

fn gateway(sketch: &GatewaySketch, cluster: Id<Cluster>) -> Gateway {
    let address = Host::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    Gateway {
        origin: origin(&sketch.name),
        name: sketch.name.clone(),
        cluster,
        role: sketch.role,
        addresses: if sketch.address { vec![Spanned::new(address, span())] } else { Vec::new() },
        ports: Vec::new(),
        replicas: 2,
        autoscale: None,
        account: None,
        service: GatewayService {
            kind: ServiceType::LoadBalancer,
            class: None,
            annotations: BTreeMap::new(),
            external_traffic: ExternalTraffic::Cluster,
            sources: Vec::new(),
        },
        resources: Resources::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        trusted_hops: 0,
    }
}

fn link(
    (from, to, latency): &(String, String, Option<u64>),
    networks: &BTreeMap<String, Id<Network>>,
) -> Link {
    let (from, to) = (networks[from], networks[to]);
    Link { origin: origin("link"), from, to, latency: latency.map(Duration::from_millis), cost: *latency }
}

fn service(name: &str, namespace: Id<Namespace>, clusters: Vec<Presence>, calls: Vec<Call>) -> Service {
    let port = Port {
        origin: origin("http"),
        name: String::from("http"),
        number: 80,
        target: 8080,
        protocol: Protocol::Http,
        bind: Bind::Any,
        mtls: Mtls::Strict,
    };
    Service {
        subset_of: None,
        subsets: Vec::new(),
        origin: origin(name),
        name: name.to_owned(),
        namespace,
        documentation: None,
        clusters,
        ports: vec![port],
        calls,
        account: name.to_owned(),
        workloads: Vec::new(),
        capture: CaptureChoice::Loopback,
        vip: None,
        max_amplification: None,
        probes: Vec::new(),
        scrape: None,
    }
}

fn route(namespace: Id<Namespace>, name: &str, gateway: Id<Gateway>, service: Id<Service>) -> Route {
    let callee = Callee::Service(service);
    Route {
        origin: origin(name),
        name: name.to_owned(),
        namespace,
        scope: RouteScope::Gateways(AtGateways {
            gateways: vec![Spanned::new(gateway, span())],
            ports: Vec::new(),
            protocol: GatewayProtocol::Http,
            hosts: vec![Spanned::new(format!("{name}.example.org"), span())],
        }),
        rules: vec![RouteRule {
            dead_share: DeadShare::Kept,
            filters: Vec::new(),
            origin: origin(name),
            matches: vec![HttpMatch::EVERYTHING],
            action: RuleAction::Forward(vec![Destination {
                origin: origin(name),
                callee,
                port: None,
                weight: 1,
            }]),
            timeout: None,
            retry: None,
            critical: None,
            upgrade: None,
        }],
    }
}

fn mesh() -> Mesh {
    Mesh {
        origin: origin("mesh"),
        name: String::from("mesh"),
        trust_domain: String::from("cluster.local"),
        data_plane: DataPlane::Envoy,
        namespace: String::from("mesh-system"),
        capture: CaptureChoice::Loopback,
        rate_limits: None,
        max_amplification: None,
    }
}

fn trust() -> Trust {
    let lifetime = |days: u64| Spanned::new(Duration::from_secs(days * 86_400), span());
    Trust {
        origin: origin("trust"),
        name: String::from("trust"),
        issuer: Issuer::Builtin,
        root_common_name: String::from("root"),
        root_lifetime: lifetime(3650),
        intermediate_lifetime: lifetime(365),
        workload_lifetime: lifetime(90),
    }
}

/// A value that nobody declared.
const fn default<T>(value: T) -> OrDefault<T> {
    OrDefault { value, declared: None }
}

fn defaults(failover: Option<(bool, Vec<FailoverBy>)>) -> Defaults {
    let (enabled, by) = failover.unwrap_or((true, vec![FailoverBy::Zone, FailoverBy::Region]));
    let second = Duration::from_secs(1);
    Defaults {
        balance: Balance {
            origin: origin("balance"),
            by: Spanned::new(BalanceBy::RoundRobin, origin("by").span),
            slow_start: None,
        },
        failover: Failover { origin: origin("failover"), enabled, spill: false, by, locality: Vec::new() },
        outlier: Outlier {
            origin: origin("outlier"),
            enabled: true,
            failures: Failures::GatewayErrors,
            consecutive: 5,
            judged: Judged::InARow,
            of_requests: None,
            max_ejected: default(100),
            interval: second,
            ejection: second,
        },
        pool: Pool {
            origin: origin("pool"),
            max_connections: 1024,
            max_pending_requests: default(1024),
            max_concurrent_requests: default(1024),
            requests_per_connection: default(None),
            connect_timeout: second,
            retry_budget_percent: default(20),
            min_concurrent_retries: default(3),
        },
        timeout: Timeout { origin: origin("timeout"), request: default(Some(second)), idle: default(None) },
    }
}
