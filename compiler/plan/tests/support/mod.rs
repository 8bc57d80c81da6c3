//! Meshes built by hand, piece by piece, for tests of the lowering.

use std::time::Duration;

use lang_diagnostics::{FileId, Origin, Sink, Span, Spanned};
use meshc_plan::Plan;
use meshc_vocabulary::model::policy::{
    AuthorizationRule, Defaults, Failover, FailoverBy, Outlier, PolicySettings, Pool, Retry, RetryOn, Source,
    Timeout,
};
use meshc_vocabulary::model::{
    Bind, Call, Callee, Capture, Cluster, ClusterState, DataPlane, Destination, Gateway, GatewayPort,
    GatewayRole, Host, HttpMatch, Id, IpFamily, Issuer, KubernetesVersion, Mesh, Model, Mtls, Namespace,
    Network, NetworkPolicyEnforcement, Policy, PolicyScope, Port, Presence, Protocol, Route, RouteRule,
    Service, Table, Trust, Workload, WorkloadKind,
};

/// A place that nothing else has.
pub(crate) fn span(at: usize) -> Span {
    Span::new(FileId(0), at, at + 1)
}

pub(crate) fn origin(name: &str) -> Origin {
    Origin::new(span(name.len()), name)
}

pub(crate) fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, span(0))
}

/// A mesh without anything in it, on Envoy.
pub(crate) fn empty() -> Model {
    let year = Duration::from_secs(365 * 24 * 3600);
    Model {
        mesh: Mesh {
            origin: origin("mesh"),
            name: String::from("usmesh"),
            trust_domain: String::from("cluster.local"),
            data_plane: DataPlane::Envoy,
            namespace: String::from("mesh-system"),
            capture: Capture::Loopback,
        },
        trust: Trust {
            origin: origin("trust"),
            name: String::from("acme"),
            issuer: Issuer::Builtin,
            root_common_name: String::from("root.acme.example"),
            root_lifetime: spanned(year * 10),
            intermediate_lifetime: spanned(year),
            workload_lifetime: spanned(year / 4),
        },
        networks: Table::default(),
        clusters: Table::default(),
        gateways: Table::default(),
        links: Vec::new(),
        namespaces: Table::default(),
        services: Table::default(),
        externals: Table::default(),
        routes: Table::default(),
        policies: Table::default(),
        defaults: Defaults {
            failover: Failover {
                origin: origin("defaults"),
                enabled: true,
                by: vec![FailoverBy::Zone, FailoverBy::Region],
            },
            outlier: Outlier {
                origin: origin("defaults"),
                consecutive_5xx: 5,
                interval: Duration::from_secs(10),
                ejection: Duration::from_secs(30),
            },
            pool: Pool {
                origin: origin("defaults"),
                max_connections: 1024,
                max_pending_requests: 1024,
                max_concurrent_requests: 1024,
                requests_per_connection: None,
                connect_timeout: Duration::from_secs(5),
                retry_budget_percent: 20,
                min_concurrent_retries: 10,
            },
            timeout: Timeout {
                origin: origin("defaults"),
                request: Some(Duration::from_secs(15)),
                idle: Some(Duration::from_secs(300)),
            },
        },
    }
}

pub(crate) fn cluster(model: &mut Model, name: &str, network: &str) -> Id<Cluster> {
    let known = model.networks.iter().find(|(_, it)| it.name == network).map(|(id, _)| id);
    let network = known.unwrap_or_else(|| {
        model.networks.push(Network { origin: origin(network), name: network.to_owned() })
    });
    model.clusters.push(Cluster {
        origin: origin(name),
        name: name.to_owned(),
        network,
        region: format!("{name}us"),
        zone: String::from("0"),
        domain: String::from("cluster.local"),
        domain_resolvable: false,
        ip_family: IpFamily::V4,
        kubernetes: KubernetesVersion { major: 1, minor: 33 },
        network_policy: NetworkPolicyEnforcement::Enforced,
        state: ClusterState::Active,
        trust_domain: None,
        data_plane: None,
        data_plane_origin: None,
    })
}

pub(crate) fn gateway(
    model: &mut Model,
    cluster: Id<Cluster>,
    name: &str,
    role: GatewayRole,
    (address, number): (&str, u16),
) -> Id<Gateway> {
    let port = match role {
        GatewayRole::Ingress => "http",
        GatewayRole::EastWest => "tls",
    };
    model.gateways.push(Gateway {
        origin: origin(name),
        name: name.to_owned(),
        cluster,
        role,
        addresses: vec![spanned(Host::Ip(address.parse().unwrap()))],
        ports: vec![GatewayPort { origin: origin(port), name: port.to_owned(), number, tls: None }],
        replicas: 2,
        trusted_hops: 0,
    })
}

pub(crate) fn namespace(model: &mut Model, name: &str) -> Id<Namespace> {
    model.namespaces.push(Namespace { origin: origin(name), name: name.to_owned() })
}

pub(crate) fn port(number: u16, target: u16, protocol: Protocol) -> Port {
    Port {
        origin: origin("port"),
        name: format!("p{number}"),
        number,
        target,
        protocol,
        bind: Bind::Any,
        mtls: Mtls::Strict,
    }
}

pub(crate) fn service(
    model: &mut Model,
    namespace: Id<Namespace>,
    name: &str,
    clusters: &[Id<Cluster>],
    ports: Vec<Port>,
) -> Id<Service> {
    let presence = |cluster: &Id<Cluster>| Presence { cluster: *cluster, span: span(1), replicas: 1 };
    model.services.push(Service {
        origin: origin(name),
        name: name.to_owned(),
        namespace,
        documentation: None,
        clusters: clusters.iter().map(presence).collect(),
        ports,
        calls: Vec::new(),
        account: name.to_owned(),
        workloads: vec![Workload {
            origin: origin(name),
            kind: WorkloadKind::Deployment,
            name: name.to_owned(),
            container: None,
            image: None,
            labels: Default::default(),
            annotations: Default::default(),
            subset: None,
        }],
        capture: Capture::Loopback,
        vip: None,
        probes: Vec::new(),
        scrape: None,
    })
}

pub(crate) fn call(model: &mut Model, from: Id<Service>, to: Id<Service>) {
    let callee = Callee::Service(to);
    let call = Call { origin: origin("call"), callee, port: None };
    model.services.get_mut(from).unwrap().calls.push(call);
}

pub(crate) fn route(
    model: &mut Model,
    namespace: Id<Namespace>,
    gateway: Id<Gateway>,
    host: &str,
    to: Id<Service>,
) {
    let destination =
        Destination { origin: origin("to"), callee: Callee::Service(to), port: None, weight: 1 };
    model.routes.push(Route {
        origin: origin("route"),
        name: host.split('.').next().unwrap().to_owned(),
        namespace,
        gateways: vec![spanned(gateway)],
        port: None,
        hosts: vec![spanned(host.to_owned())],
        rules: vec![RouteRule {
            origin: origin("rule"),
            matches: HttpMatch::default(),
            to: vec![destination],
            timeout: None,
            retry: None,
        }],
    });
}

pub(crate) fn policy(
    model: &mut Model,
    namespace: Id<Namespace>,
    name: &str,
    to: Id<Service>,
    settings: PolicySettings,
) {
    model.policies.push(Policy {
        origin: origin(name),
        name: name.to_owned(),
        namespace: Some(namespace),
        scope: PolicyScope::Targets { services: vec![spanned(to)], routes: Vec::new() },
        settings,
    });
}

/// The two clusters of the design's example.
pub(crate) fn acme() -> Model {
    let mut model = empty();
    let east = cluster(&mut model, "east", "east-net");
    let west = cluster(&mut model, "west", "west-net");
    gateway(&mut model, east, "eastwest", GatewayRole::EastWest, ("172.18.255.202", 15443));
    gateway(&mut model, west, "eastwest", GatewayRole::EastWest, ("172.18.255.201", 15443));
    let ingress = gateway(&mut model, west, "ingress", GatewayRole::Ingress, ("172.18.255.200", 80));
    let shop = namespace(&mut model, "istioinaction");
    let http = |target| vec![port(80, target, Protocol::Http)];
    let catalog = service(&mut model, shop, "catalog", &[east], http(3000));
    let backend = service(&mut model, shop, "simple-backend", &[west, east], http(8080));
    let webapp = service(&mut model, shop, "webapp", &[west], http(8080));
    call(&mut model, webapp, catalog);
    route(&mut model, shop, ingress, "webapp.istioinaction.io", webapp);
    route(&mut model, shop, ingress, "simple-backend.istioinaction.io", backend);
    let retry = Retry {
        origin: origin("retry"),
        attempts: 3,
        when: vec![RetryOn::StatusClass(5)],
        other_localities: true,
        methods: vec![String::from("GET")],
        per_try_timeout: None,
    };
    let id = model.routes.ids().last().unwrap();
    model.routes.get_mut(id).unwrap().rules[0].retry = Some(retry);
    let outlier = Outlier {
        origin: origin("outlier"),
        consecutive_5xx: 1,
        interval: Duration::from_secs(20),
        ejection: Duration::from_secs(30),
    };
    let rule = AuthorizationRule {
        origin: origin("allow"),
        from: vec![spanned(Source::Gateway(ingress))],
        matches: HttpMatch::default(),
    };
    let settings = PolicySettings { outlier: Some(outlier), allow: vec![rule], ..Default::default() };
    policy(&mut model, shop, "stay-local", backend, settings);
    model
}

/// The plan of a mesh in which nothing is wrong.
pub(crate) fn lowered(model: &Model) -> Plan {
    let mut sink = Sink::default();
    let plan = meshc_plan::lower(model, &meshc_topology::build(model), &mut sink);
    assert_eq!(sink.diagnostics(), []);
    plan
}
