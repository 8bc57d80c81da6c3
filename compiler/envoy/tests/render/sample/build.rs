//! Pieces of plans, with what does not matter filled in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lang_diagnostics::{FileId, Origin, Span};
use meshc_plan::{
    Deployment, Ejection, EjectionTiming, Elsewhere, Endpoint, EndpointAddress, Entrance, FailingAnswers,
    GatewayDeployment, Group, GroupBalance, HttpAction, HttpListener, HttpRoute, Identity, Listener,
    ListenerKind, Locality, MetricsListener, Owner, PodFailures, PoolPlan, ProbeCheck, ProxyName, ProxyPlan,
    RetryPlan, RetryReason, Role, ServerTls, Serves, Share, SidecarDeployment, Socket, Spill, StatusListener,
    Upstream, UpstreamProtocol, UpstreamTls, VirtualHost, WeightedUpstream, bounds, sni,
};
use meshc_vocabulary::model::policy::BackOff;
use meshc_vocabulary::model::{
    DataPlane, DeadShare, ExternalTraffic, GatewayService, HttpMatch, IpFamily, Resources, ServiceType,
    SpiffeId, Table, Upgrade,
};

pub(crate) fn origin(name: &str) -> Origin {
    Origin::new(Span::new(FileId(0), 0, 0), format!("`{name}`"))
}

pub(crate) fn identity(namespace: &str, account: &str) -> Identity {
    Identity {
        spiffe: SpiffeId {
            trust_domain: "cluster.local".to_owned(),
            namespace: namespace.to_owned(),
            account: account.to_owned(),
        },
        secret: format!("mesh-id-{account}"),
    }
}

pub(crate) fn sidecar_plan(cluster: &str, service: &str) -> ProxyPlan {
    let deployment = Deployment::Sidecar(SidecarDeployment {
        owner: Owner::User,
        namespace: "istioinaction".to_owned(),
        service: service.to_owned(),
        subset: None,
        account: service.to_owned(),
        workloads: Vec::new(),
        replicas: 1,
        ports: Vec::new(),
        probes: Vec::new(),
        scrape: None,
        redirected_for: None,
        lowest_privileged_port: None,
    });
    let mut plan = plan(
        cluster,
        &format!("sidecars/istioinaction/{service}"),
        Role::Sidecar(Table::default().next_id()),
        deployment,
    );
    plan.identity = Some(identity("istioinaction", service));
    plan
}

pub(crate) fn gateway_plan(cluster: &str, name: &str) -> ProxyPlan {
    let deployment = Deployment::Gateway(GatewayDeployment {
        name: name.to_owned(),
        object: format!("{cluster}-{name}"),
        account: format!("{cluster}-{name}"),
        replicas: 2,
        autoscale: None,
        service: GatewayService {
            kind: ServiceType::LoadBalancer,
            class: None,
            annotations: BTreeMap::new(),
            external_traffic: ExternalTraffic::Cluster,
            sources: Vec::new(),
        },
        resources: Resources::default(),
        addresses: Vec::new(),
        ports: Vec::new(),
        server_tls_secrets: Vec::new(),
        client_ca_secrets: Vec::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    });
    plan(cluster, &format!("gateways/{name}"), Role::IngressGateway(Table::default().next_id()), deployment)
}

fn plan(cluster: &str, path: &str, role: Role, deployment: Deployment) -> ProxyPlan {
    ProxyPlan {
        name: ProxyName { cluster: cluster.to_owned(), path: path.to_owned() },
        role,
        cluster: Table::default().next_id(),
        data_plane: DataPlane::Envoy,
        ip_family: IpFamily::V4,
        locality: locality(cluster),
        identity: None,
        listeners: Vec::new(),
        upstreams: Vec::new(),
        capture: None,
        host_aliases: Vec::new(),
        memory: bounds::memory(DataPlane::Envoy),
        trusted_hops: 0,
        rate_limit_upstream: None,
        deployment,
        origin: origin(path),
    }
}

fn locality(cluster: &str) -> Locality {
    Locality { region: format!("{cluster}us"), zone: "0".to_owned(), cluster: cluster.to_owned() }
}

pub(crate) fn listener(name: &str, address: &str, kind: ListenerKind) -> Listener {
    Listener {
        name: name.to_owned(),
        address: address.parse().expect("an address"),
        socket: Socket::Own,
        proxy_protocol: false,
        kind,
        origin: origin(name),
    }
}

pub(crate) fn http(virtual_hosts: Vec<VirtualHost>) -> ListenerKind {
    ListenerKind::Http(HttpListener {
        edge: false,
        tls: None,
        http10: None,
        entrance: Entrance::default(),
        limits: Vec::new(),
        virtual_hosts: virtual_hosts.into(),
    })
}

pub(crate) fn edge(tls: Option<ServerTls>, virtual_hosts: Vec<VirtualHost>) -> HttpListener {
    let (entrance, limits) = (Entrance::default(), Vec::new());
    HttpListener { edge: true, tls, http10: None, entrance, limits, virtual_hosts: virtual_hosts.into() }
}

pub(crate) fn readiness(probes: Vec<ProbeCheck>) -> Listener {
    listener("readiness", "0.0.0.0:15021", ListenerKind::Readiness(StatusListener { probes }))
}

pub(crate) fn metrics() -> Listener {
    listener("metrics", "0.0.0.0:15090", ListenerKind::Metrics(MetricsListener::default()))
}

pub(crate) fn virtual_host(name: &str, hosts: &[&str], routes: Vec<HttpRoute>) -> VirtualHost {
    VirtualHost {
        name: name.to_owned(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        entrance: Entrance::default(),
        limits: Vec::new(),
        routes,
        origin: origin(name),
    }
}

pub(crate) fn route(matches: HttpMatch, action: HttpAction) -> HttpRoute {
    HttpRoute { filters: Vec::new(), matches, action, origin: origin("route") }
}

pub(crate) fn forward(upstream: &str, retry: RetryPlan) -> HttpAction {
    HttpAction::Forward {
        to: vec![WeightedUpstream { upstream: upstream.to_owned(), weight: 1 }],
        hash: Vec::new(),
        dead_share: DeadShare::Kept,
        timeout: Some(Duration::from_secs(15)),
        idle_timeout: None,
        retry,
        upgrades: vec![Upgrade::WebSocket],
        deadlines: meshc_plan::Deadlines::Unknown,
    }
}

pub(crate) fn retry(attempts: u32, when: Vec<RetryReason>, other_localities: bool) -> RetryPlan {
    let elsewhere = if other_localities { Elsewhere::AtOnce } else { Elsewhere::AfterAnotherEndpoint };
    RetryPlan {
        attempts,
        when,
        elsewhere,
        methods: Vec::new(),
        per_try_timeout: None,
        hedge: false,
        per_try_idle: None,
        back_off: BackOff::DEFAULT,
        max_retry_after: None,
        max_body: meshc_plan::REPLAYED_BODY,
    }
}

/// An mTLS upstream for port 80 of a service in `istioinaction`.
pub(crate) fn callee(service: &str, groups: Vec<Group>) -> Upstream {
    let mut upstream =
        upstream(&format!("{service}.istioinaction:80"), UpstreamProtocol::HttpLikeDownstream, groups);
    upstream.tls = Some(UpstreamTls::Mutual {
        sni: sni(service, None, "istioinaction", 80),
        peers: vec![identity("istioinaction", service).spiffe],
    });
    upstream
}

/// A plain upstream.
pub(crate) fn upstream(name: &str, protocol: UpstreamProtocol, groups: Vec<Group>) -> Upstream {
    Upstream {
        name: name.to_owned(),
        protocol,
        groups,
        spill: Spill::WhenEmpty,
        failing_answers: FailingAnswers::GatewayErrors,
        tls: None,
        health: None,
        pool: PoolPlan {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 10,
            connect_timeout: Duration::from_secs(1),
            retry_budget_percent: 20,
            min_concurrent_retries: 10,
        },
        origin: origin(name),
    }
}

/// The application on loopback.
pub(crate) fn app(port: u16, protocol: UpstreamProtocol) -> Upstream {
    let endpoint = Endpoint {
        address: EndpointAddress::Ip(IpAddr::from([127, 0, 0, 1])),
        port,
        weight: 1,
        copies: 1,
        serves: Serves::App,
    };
    upstream(&format!("app:{port}"), protocol, vec![group("west", vec![endpoint])])
}

pub(crate) fn rate_limit() -> Upstream {
    let endpoint = Endpoint {
        address: EndpointAddress::Name("rate-limit.mesh-system.svc.cluster.local".to_owned()),
        port: 8081,
        weight: 1,
        copies: 1,
        serves: Serves::RateLimit,
    };
    upstream("rate-limit", UpstreamProtocol::Http2, vec![group("east", vec![endpoint])])
}

/// Pods of a service in one cluster, through the companion Service.
pub(crate) fn pods(cluster: &str, service: &str) -> Group {
    let serves = Serves::Proxy {
        proxy: ProxyName { cluster: cluster.to_owned(), path: format!("sidecars/istioinaction/{service}") },
        listener: "inbound".to_owned(),
    };
    let mut group = group(
        cluster,
        vec![Endpoint {
            address: EndpointAddress::Name(format!("{service}-mesh.istioinaction.svc.cluster.local")),
            port: 15006,
            weight: 1,
            copies: 1,
            serves,
        }],
    );
    let unanswered = Share { percent: 85, attempts: 3 };
    let judged = PodFailures::InARow { consecutive: 1, unanswered };
    group.ejection = Ejection::Pods { judged, most: 100, timing: timing(20) };
    group.requests_per_connection = Some(10);
    group
}

/// The east-west gateway of another cluster.
pub(crate) fn gateway(cluster: &str, address: [u8; 4]) -> Group {
    let serves = Serves::Proxy {
        proxy: ProxyName { cluster: cluster.to_owned(), path: "gateways/eastwest".to_owned() },
        listener: "eastwest".to_owned(),
    };
    let mut group = group(
        cluster,
        vec![Endpoint {
            address: EndpointAddress::Ip(IpAddr::from(address)),
            port: 15443,
            weight: 1,
            copies: 8,
            serves,
        }],
    );
    group.ejection = Ejection::Gateway {
        consecutive_connections: 3,
        failed: Share { percent: 85, attempts: 1 },
        timing: timing(20),
    };
    group.requests_per_connection = Some(100);
    group
}

/// Ejections of half a minute, considered after so many seconds.
pub(crate) fn timing(seconds: u64) -> EjectionTiming {
    EjectionTiming { interval: Duration::from_secs(seconds), ejection: Duration::from_secs(30) }
}

pub(crate) fn literal(address: IpAddr, weight: u32) -> Endpoint {
    Endpoint {
        address: EndpointAddress::Ip(address),
        port: 8080,
        weight,
        copies: 1,
        serves: Serves::External { external: "shop.pay".to_owned(), number: 8080 },
    }
}

pub(crate) fn group(cluster: &str, endpoints: Vec<Endpoint>) -> Group {
    Group {
        name: cluster.to_owned(),
        locality: locality(cluster),
        endpoints,
        balance: GroupBalance::EVENLY,
        ejection: Ejection::Never,
        requests_per_connection: None,
    }
}

/// Upstreams as a plan holds them.
pub(crate) fn shared(upstreams: Vec<Upstream>) -> Vec<Arc<Upstream>> {
    upstreams.into_iter().map(Arc::new).collect()
}
