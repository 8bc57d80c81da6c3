//! Plans of ACME's two clusters, one for each role, and one sidecar that has everything else.

mod build;
mod checks;
mod limits;
mod outside;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use meshc_plan::filter::Filter;
use meshc_plan::{
    AccessRequests, AccessRule, AppMetrics, AppPort, Authorization, Carried, Ejection, FailingAnswers,
    GlobalLimit, Group, GroupBalance, HttpListener, InboundChain, InboundListener, InboundProtocol,
    LimitBucket, LimitCondition, Listener, ListenerKind, LocalLimit, MetricsListener, PassThrough,
    PassThroughChain, PeerCheck, PodFailures, Principal, ProbeCheck, ProxyPlan, RetryReason,
    ServerCertificate, ServerTls, Share, Socket, TcpListener, Told, UpstreamProtocol, WeightedUpstream,
    check_sni, sni,
};
use meshc_vocabulary::model::policy::{CookieTtl, Enforcement, GrpcStatus, HashKey, OnError};
use meshc_vocabulary::model::{
    Capture, DeadShare, HeaderMatch, Http10, HttpMatch, HttpVersion, IpFamily, PathMatch, ProbeKind,
    StringMatch, TlsVersion,
};

use build::{
    app, callee, edge, forward, gateway, gateway_plan, group, http, identity, listener, metrics, origin,
    pods, readiness, retry, route, shared, sidecar_plan, upstream, virtual_host,
};
use checks::checked;
use limits::per_pod;

/// All of them, by the name of their golden folder.
pub(crate) fn plans() -> Vec<(&'static str, ProxyPlan)> {
    vec![
        ("ingress", ingress()),
        ("east-west", east_west()),
        ("balanced", balanced()),
        ("caller", caller()),
        ("callee", limited_callee()),
        ("everything-else", everything_else()),
        ("egress", outside::egress()),
        ("closed-gateway", closed_gateway()),
        ("closed-sidecar", closed_sidecar()),
    ]
}

/// West's ingress: simple-backend in both clusters, webapp at home, and a port with TLS.
pub(crate) fn ingress() -> ProxyPlan {
    let hosts = vec![
        virtual_host(
            "istioinaction.backend",
            &["simple-backend.istioinaction.io"],
            vec![route(
                HttpMatch::default(),
                forward("simple-backend.istioinaction:80", retry(3, server_errors(), true)),
            )],
        ),
        virtual_host(
            "istioinaction.webapp",
            &["webapp.istioinaction.io"],
            vec![route(
                HttpMatch::default(),
                forward("webapp.istioinaction:80", retry(1, vec![RetryReason::ConnectFailure], false)),
            )],
        ),
    ];
    let http10 = Some(Http10 { default_host: Some("old.example".to_owned()) });
    let plain = HttpListener { http10, ..edge(None, hosts.clone()) };
    let certificates =
        vec![ServerCertificate { secret: "shop-certificate".to_owned(), hosts: vec!["*".to_owned()] }];
    let tls = ServerTls {
        certificates,
        minimum_version: TlsVersion::Tls12,
        alpn: vec![HttpVersion::Http2, HttpVersion::Http1],
        clients: None,
    };
    let secure = edge(Some(tls), hosts);
    let mut plan = gateway_plan("west", "ingress");
    plan.identity = Some(identity("mesh-system", "west-ingress"));
    plan.trusted_hops = 1;
    plan.listeners = vec![
        listener("ingress_http", "0.0.0.0:8080", ListenerKind::Http(plain)),
        listener("ingress_https", "0.0.0.0:8443", ListenerKind::Http(secure)),
        metrics(),
        readiness(Vec::new()),
    ];
    plan.upstreams = shared(vec![
        callee("simple-backend", vec![pods("west", "simple-backend"), gateway("east", [172, 18, 255, 202])]),
        callee("webapp", vec![pods("west", "webapp")]),
    ]);
    plan
}

/// A gateway with an upstream for each way of balancing, and a route for each property that is hashed.
pub(crate) fn balanced() -> ProxyPlan {
    let grows = Some(Duration::from_secs(30));
    let ways = [
        ("turns", GroupBalance::RoundRobin { slow_start: grows }),
        ("busy", GroupBalance::LeastRequest { slow_start: None }),
        ("growing", GroupBalance::LeastRequest { slow_start: grows }),
        ("any", GroupBalance::Random),
        ("hash", GroupBalance::Hash { ring: 4096 }),
    ];
    let mut upstreams =
        ways.map(|(service, balance)| callee(service, vec![Group { balance, ..pods("west", service) }]));
    let cookie = |ttl| HashKey::Cookie { name: "shop".to_owned(), ttl };
    let keys = [
        HashKey::Header("x-user".to_owned()),
        cookie(None),
        cookie(Some(CookieTtl::Session)),
        cookie(Some(CookieTtl::For(Duration::from_secs(3600)))),
        HashKey::Source,
        HashKey::Query("user".to_owned()),
    ];
    let two = vec![HashKey::Header("x-user".to_owned()), HashKey::Query("user".to_owned())];
    let routes = keys.into_iter().map(|key| vec![key]).chain([two]).map(|keys| {
        let mut action = forward("hash.istioinaction:80", retry(1, vec![RetryReason::ConnectFailure], false));
        let meshc_plan::HttpAction::Forward { hash, .. } = &mut action else { panic!("not sent on") };
        *hash = keys;
        route(HttpMatch::default(), action)
    });
    let hosts = vec![virtual_host("istioinaction.hash", &["hash.example"], routes.collect())];
    let plain = edge(None, hosts);
    let mut plan = gateway_plan("west", "ingress");
    plan.identity = Some(identity("mesh-system", "west-ingress"));
    plan.listeners = vec![
        listener("ingress_http", "0.0.0.0:8080", ListenerKind::Http(plain)),
        metrics(),
        readiness(Vec::new()),
    ];
    let judged = [
        PodFailures::ByShare { failed: Share { percent: 40, attempts: 20 } },
        PodFailures::Compared { deviation: 1900, attempts: 20, endpoints: 5 },
    ];
    let [turns, busy, ..] = &mut upstreams;
    for (upstream, judged) in [turns, busy].into_iter().zip(judged) {
        upstream.failing_answers = FailingAnswers::Statuses(vec![(429, 429), (500, 599)]);
        for group in &mut upstream.groups {
            let Ejection::Pods { judged: before, most, timing: _ } = &mut group.ejection else { continue };
            (*before, *most) = (judged, 50);
        }
    }
    checked(&mut upstreams);
    plan.upstreams = shared(upstreams.to_vec());
    plan
}

/// East's east-west gateway: two exported ports, no identity.
pub(crate) fn east_west() -> ProxyPlan {
    let chain = |service: &str| PassThroughChain {
        names: vec![sni(service, None, "istioinaction", 80)],
        to: vec![WeightedUpstream { upstream: format!("{service}.istioinaction:80"), weight: 1 }],
        dead_share: meshc_vocabulary::model::DeadShare::Kept,
        idle_timeout: None,
        connect_attempts: 3,
        carries: Carried::Calls,
        clients: None,
        origin: origin(service),
    };
    let mut plan = gateway_plan("east", "eastwest");
    plan.listeners = vec![
        listener(
            "eastwest",
            "0.0.0.0:15443",
            ListenerKind::PassThrough(PassThrough {
                hello_timeout: Duration::from_secs(5),
                chains: vec![chain("catalog"), chain("simple-backend")],
            }),
        ),
        metrics(),
        readiness(Vec::new()),
    ];
    let passed = |service: &str| {
        let mut passed = callee(service, vec![pods("east", service)]);
        passed.protocol = UpstreamProtocol::Tcp;
        passed.tls = None;
        for group in &mut passed.groups {
            group.ejection = local_origin();
            group.requests_per_connection = None;
        }
        passed
    };
    plan.upstreams = shared(vec![passed("catalog"), passed("simple-backend")]);
    plan
}

/// A gateway that exports nothing yet.
pub(crate) fn closed_gateway() -> ProxyPlan {
    let mut plan = gateway_plan("west", "eastwest");
    let nothing = PassThrough { hello_timeout: Duration::from_secs(5), chains: Vec::new() };
    plan.listeners = vec![
        listener("eastwest", "0.0.0.0:15443", ListenerKind::PassThrough(nothing)),
        metrics(),
        readiness(Vec::new()),
    ];
    plan
}

/// A sidecar that nobody may call.
pub(crate) fn closed_sidecar() -> ProxyPlan {
    let mut plan = sidecar_plan("west", "worker");
    let mut chain = http_chain("worker", 8080, Authorization::default(), Vec::new(), Vec::new());
    chain.peers = PeerCheck::Nobody;
    plan.listeners = vec![inbound(vec![chain]), metrics(), readiness(Vec::new())];
    plan.upstreams = shared(vec![app(8080, UpstreamProtocol::Http1)]);
    plan
}

/// West's webapp, which calls catalog in the other cluster.
pub(crate) fn caller() -> ProxyPlan {
    let mut plan = sidecar_plan("west", "webapp");
    let hosts = vec![virtual_host(
        "catalog.istioinaction",
        &["*"],
        vec![route(
            HttpMatch::default(),
            forward("catalog.istioinaction:80", retry(1, vec![RetryReason::ConnectFailure], false)),
        )],
    )];
    plan.capture = Some(Capture::Loopback);
    plan.listeners = vec![
        inbound(vec![http_chain(
            "webapp",
            8080,
            admits(&[("mesh-system", "west-ingress")]),
            Vec::new(),
            Vec::new(),
        )]),
        metrics(),
        listener("outbound_istioinaction_catalog_80", "127.92.1.17:80", http(hosts)),
        readiness(Vec::new()),
    ];
    plan.upstreams = shared(vec![
        app(8080, UpstreamProtocol::HttpLikeDownstream),
        callee("catalog", vec![gateway("east", [172, 18, 255, 202])]),
    ]);
    plan
}

/// East's catalog: one caller, and tiers that the rate-limit service counts.
pub(crate) fn limited_callee() -> ProxyPlan {
    let tier = |value: &str, requests| LimitBucket {
        value: format!("{value}_request"),
        condition: LimitCondition::HeaderIs { header: "x-loyalty".to_owned(), value: value.to_owned() },
        keys: Vec::new(),
        requests,
        burst: requests,
        per: Duration::from_mins(1),
    };
    let values = ["gold", "silver", "bronze"].map(str::to_owned).to_vec();
    let limit = GlobalLimit {
        upstream: "rate-limit".to_owned(),
        domain: "loyalty.catalog.istioinaction".to_owned(),
        matches: HttpMatch { path: PathMatch::Exact("/items".to_owned()), ..Default::default() },
        buckets: vec![
            tier("gold", 10),
            tier("silver", 5),
            tier("bronze", 3),
            LimitBucket {
                value: "otherwise".to_owned(),
                condition: LimitCondition::HeaderIsNoneOf { header: "x-loyalty".to_owned(), values },
                keys: Vec::new(),
                requests: 1,
                burst: 1,
                per: Duration::from_mins(1),
            },
        ],
        mode: Enforcement::Enforced,
        on_error: OnError::Deny,
        timeout: Duration::from_millis(100),
        origin: origin("loyalty"),
    };
    let mut plan = sidecar_plan("east", "catalog");
    plan.listeners = vec![
        inbound(vec![http_chain(
            "catalog",
            3000,
            admits(&[("istioinaction", "webapp")]),
            Vec::new(),
            vec![limit],
        )]),
        metrics(),
        readiness(Vec::new()),
    ];
    plan.rate_limit_upstream = Some("rate-limit".to_owned());
    plan.upstreams = shared(vec![app(3000, UpstreamProtocol::HttpLikeDownstream), build::rate_limit()]);
    plan
}

/// What the others lack: TCP both ways, a permissive port, redirected connections, refusals, limits per pod, weights,
/// methods, headers, probes, IPv6, a port that nobody may call.
pub(crate) fn everything_else() -> ProxyPlan {
    let mut plan = sidecar_plan("west", "everything");
    plan.capture = Some(Capture::Redirect);
    plan.ip_family = IpFamily::Dual;
    let database = InboundChain {
        sni: sni("everything", None, "istioinaction", 5432),
        subset_sni: None,
        peers: PeerCheck::Exactly(vec![identity("istioinaction", "webapp").spiffe]),
        plain: None,
        protocol: InboundProtocol::Tcp { connect_attempts: 1 },
        app: AppPort { upstream: "app:5432".to_owned(), port: 5432 },
        carries: Carried::Calls,
        origin: origin("database"),
    };
    let unused = InboundChain {
        sni: sni("everything", None, "istioinaction", 9999),
        peers: PeerCheck::Nobody,
        app: AppPort { upstream: "app:9999".to_owned(), port: 9999 },
        ..database.clone()
    };
    let checks = InboundChain {
        sni: check_sni("everything", None, "istioinaction", 5432),
        carries: Carried::Checks,
        ..database.clone()
    };
    let mut open = http_chain("everything", 8080, guarded(), vec![per_pod()], Vec::new());
    open.plain = Some(open.protocol.clone());
    let redirected = |mut listener: Listener| {
        listener.socket = Socket::Redirected;
        listener
    };
    let probe = |kind, path: &str| ProbeCheck {
        kind,
        upstream: "app:8080".to_owned(),
        path: path.to_owned(),
        timeout: Duration::from_secs(1),
    };
    plan.listeners = vec![
        inbound(vec![checks, open, database, unused]),
        listener(
            "metrics",
            "[::]:15090",
            ListenerKind::Metrics(MetricsListener {
                app: Some(AppMetrics {
                    upstream: "app:8080".to_owned(),
                    path: "/internal/metrics".to_owned(),
                }),
            }),
        ),
        listener("outbound", "0.0.0.0:15001", ListenerKind::Redirected),
        redirected(listener("outbound_istioinaction_catalog_80", "240.240.1.17:80", http(split()))),
        redirected(listener(
            "outbound_istioinaction_queue_5672",
            "240.240.9.3:5672",
            ListenerKind::Tcp(TcpListener {
                tls: None,
                to: vec![WeightedUpstream { upstream: "queue.istioinaction:80".to_owned(), weight: 1 }],
                connect_attempts: 2,
                dead_share: DeadShare::Kept,
                idle_timeout: Some(Duration::from_hours(1)),
                clients: None,
            }),
        )),
        readiness(vec![probe(ProbeKind::Liveness, "/live"), probe(ProbeKind::Readiness, "/ready?full=1")]),
    ];
    let mut queue = callee("queue", vec![pods("west", "queue"), gateway("east", [172, 18, 255, 202])]);
    queue.protocol = UpstreamProtocol::Tcp;
    for group in &mut queue.groups {
        group.ejection = local_origin();
        group.requests_per_connection = None;
    }
    let literal = IpAddr::V4(Ipv4Addr::new(10, 10, 3, 4));
    plan.upstreams = shared(vec![
        app(5432, UpstreamProtocol::Tcp),
        app(8080, UpstreamProtocol::Http1),
        app(9999, UpstreamProtocol::Tcp),
        callee("catalog", vec![pods("west", "catalog"), gateway("east", [172, 18, 255, 202])]),
        upstream(
            "canary.istioinaction:80",
            UpstreamProtocol::Http2,
            vec![group("west", vec![build::literal(literal, 3)])],
        ),
        queue,
    ]);
    plan
}

fn local_origin() -> Ejection {
    Ejection::Connections { consecutive: 3, timing: build::timing(10) }
}

fn inbound(chains: Vec<InboundChain>) -> Listener {
    listener("inbound", "0.0.0.0:15006", ListenerKind::Inbound(InboundListener { chains }))
}

fn http_chain(
    service: &str,
    port: u16,
    authorization: Authorization,
    local_limits: Vec<LocalLimit>,
    global_limits: Vec<GlobalLimit>,
) -> InboundChain {
    let mut filters = vec![Filter::Authorize(authorization)];
    filters.extend(local_limits.into_iter().map(Filter::LocalLimit));
    filters.extend(global_limits.into_iter().map(Filter::GlobalLimit));
    InboundChain {
        sni: sni(service, None, "istioinaction", 80),
        subset_sni: None,
        peers: PeerCheck::TrustDomains(vec!["cluster.local".to_owned()]),
        plain: None,
        protocol: InboundProtocol::Http {
            app_http2: false,
            upgrades: vec![meshc_vocabulary::model::Upgrade::WebSocket],
            vouching: Vec::new(),
            told: Told::Caller,
            retry: None,
            filters,
        },
        app: AppPort { upstream: format!("app:{port}"), port },
        carries: Carried::Calls,
        origin: origin(service),
    }
}

fn admits(callers: &[(&str, &str)]) -> Authorization {
    let identity =
        |(namespace, account): &(&str, &str)| Principal::Identity(identity(namespace, account).spiffe);
    let principals = callers.iter().map(identity).collect();
    Authorization {
        deny: Vec::new(),
        allow: vec![AccessRule {
            name: "callers".to_owned(),
            principals,
            requests: AccessRequests::default(),
            except: Vec::new(),
            origin: origin("callers"),
        }],
    }
}

fn guarded() -> Authorization {
    let internal = HttpMatch {
        path: PathMatch::Prefix("/internal".to_owned()),
        methods: vec!["DELETE".to_owned(), "PUT".to_owned()],
        headers: vec![HeaderMatch {
            name: "x-debug".to_owned(),
            negated: false,
            value: StringMatch::Present,
        }],
        queries: Vec::new(),
        not: Vec::new(),
    };
    let rule = |name: &str, principals, matches| AccessRule {
        name: name.to_owned(),
        principals,
        requests: AccessRequests { matches: vec![matches], ..AccessRequests::default() },
        except: Vec::new(),
        origin: origin(name),
    };
    let namespace =
        Principal::Namespace { trust_domain: "cluster.local".to_owned(), namespace: "shop".to_owned() };
    let items = HttpMatch { path: PathMatch::Regex("/items/[0-9]+".to_owned()), ..Default::default() };
    Authorization {
        deny: vec![rule("no-internals", vec![Principal::Anyone], internal)],
        allow: vec![
            rule("shop", vec![namespace], HttpMatch::default()),
            rule("all", vec![Principal::Anyone], items),
        ],
    }
}

fn split() -> Vec<meshc_plan::VirtualHost> {
    let beta = HttpMatch {
        path: PathMatch::Prefix("/items/".to_owned()),
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        headers: vec![HeaderMatch {
            name: "x-cohort".to_owned(),
            negated: false,
            value: StringMatch::Prefix("beta".to_owned()),
        }],
        queries: Vec::new(),
        not: Vec::new(),
    };
    let mut again = retry(
        2,
        vec![
            RetryReason::Statuses(vec![503]),
            RetryReason::Grpc(vec![GrpcStatus::Unavailable]),
            RetryReason::Reset,
        ],
        false,
    );
    again.methods = vec!["GET".to_owned(), "HEAD".to_owned()];
    again.per_try_timeout = Some(Duration::from_millis(1500));
    let mut to = forward("catalog.istioinaction:80", again.clone());
    let meshc_plan::HttpAction::Forward { to: destinations, .. } = &mut to else { panic!("{to:?}") };
    destinations
        .push(meshc_plan::WeightedUpstream { upstream: "canary.istioinaction:80".to_owned(), weight: 9 });
    let mut careful = route(beta, to);
    careful.filters = vec![Filter::Authorize(guarded()), Filter::LocalLimit(per_pod())];
    let routes = vec![careful, route(HttpMatch::default(), forward("catalog.istioinaction:80", again))];
    vec![virtual_host("catalog.istioinaction", &["catalog", "*.istioinaction.svc.cluster.local"], routes)]
}

fn server_errors() -> Vec<RetryReason> {
    vec![RetryReason::ServerError, RetryReason::Grpc(vec![GrpcStatus::Internal, GrpcStatus::Unavailable])]
}
